"""Jobs live and die with the transaction of their rows, run once, and outlive their dispatcher."""

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from storage.index import Index, migrate
from storage.index.jobs import defer, drop_stalled
from storage.jobs import Dispatcher
from storage.jobs.errands import back_off

WAITING = "SELECT queueing_lock, args, scheduled_at > now() FROM jobs.procrastinate_jobs ORDER BY id"


@pytest.fixture
def index(database: str) -> Iterator[Index]:
    """An index on a new database."""
    with Index(database) as opened:
        yield opened


def _deferred(connection: psycopg.Connection) -> tuple[()]:
    """Schedule a job, and give nothing."""
    defer(connection, "task", {}, queue="q", lock="lost")
    return ()


def waiting(index: Index) -> list[tuple[object, ...]]:
    with index.registry() as connection:
        return connection.execute(WAITING).fetchall()


def test_a_job_is_there_only_when_its_rows_are(index: Index) -> None:
    """A transaction that fails leaves no job; one that commits leaves one, and is back in its hospital after it."""
    with pytest.raises(ZeroDivisionError), index.transaction("default") as connection:
        defer(connection, "task", {"never": 1 // len(_deferred(connection))}, queue="q", lock="lost")
    with index.transaction("default") as connection:
        defer(connection, "task", {"a": 1}, queue="q", lock="kept")
        assert connection.execute("SELECT count(*) FROM patient").fetchone() == (0,)
        assert connection.execute("SELECT current_user <> session_user").fetchone() == (True,)
    assert waiting(index) == [("kept", {"a": 1}, None)]


def test_one_job_of_a_lock_waits_and_the_earlier_moment_holds(index: Index) -> None:
    """Scheduling again adds nothing; it may bring the job forward, never put it off."""
    with index.transaction("default") as connection:
        defer(connection, "task", {}, queue="q", lock="one", delay=60)
        defer(connection, "task", {}, queue="q", lock="one", hurry=False)
    assert waiting(index) == [("one", {}, True)]
    with index.transaction("default") as connection:
        defer(connection, "task", {}, queue="q", lock="one")
        defer(connection, "task", {}, queue="q", lock="one", delay=60)
    assert waiting(index) == [("one", {}, False)]


def test_a_hospital_sees_no_jobs(index: Index) -> None:
    """The role of a hospital may not read what waits for others."""
    with pytest.raises(Exception, match="42501"), index.transaction("default") as connection:
        connection.execute("SELECT * FROM jobs.procrastinate_jobs")


def test_jobs_run_in_threads_and_those_of_one_lock_one_after_the_other(index: Index) -> None:
    """Two jobs of different locks run side by side; an error of one ends neither the other nor the dispatcher."""
    both, stop, ran = threading.Barrier(2, timeout=10), threading.Event(), []

    def task(name: str) -> None:
        both.wait()
        ran.append(name)
        if name == "first":
            raise ZeroDivisionError

    dispatcher = Dispatcher(index, {"task": task}, {})
    thread = threading.Thread(target=dispatcher.run, args=(stop,))
    thread.start()
    with index.transaction("default") as connection:
        for name in ("first", "second"):
            defer(connection, "task", {"name": name}, queue=name, lock=name)
    deadline = time.monotonic() + 10
    while len(ran) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
    assert sorted(ran) == ["first", "second"]


def test_jobs_of_a_dead_dispatcher_are_forgotten(index: Index, database: str) -> None:
    """What a dispatcher had begun when it was killed no longer holds its lock; what waits stays."""
    with index.transaction("default") as connection:
        for lock in ("begun", "waits"):
            defer(connection, "task", {}, queue="q", lock=lock)
    with psycopg.connect(database, options="-c search_path=jobs") as connection:
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE lock = 'begun'")
    drop_stalled(index, seconds=10)
    assert [lock for lock, _, _ in waiting(index)] == ["waits"]


def test_migrating_applies_the_steps_that_are_missing(index: Index, database: str) -> None:
    """A database made by an older procrastinate gets its later steps, once."""
    with psycopg.connect(database, options="-c search_path=jobs") as connection:
        newest = connection.execute("SELECT max(step) FROM step").fetchall()[0][0]
        connection.execute("DELETE FROM step WHERE step = %s", [newest])
        connection.execute("DROP FUNCTION IF EXISTS procrastinate_retry_job_v1")
    migrate(database)
    with psycopg.connect(database, options="-c search_path=jobs") as connection:
        assert connection.execute("SELECT max(step) FROM step").fetchall()[0][0] == newest


def test_pauses_grow_to_an_hour() -> None:
    """A destination is tried again after seconds at first, after an hour at last, however long it has been down."""
    pauses = [back_off(failures) for failures in range(1, 400)]
    assert pauses[:4] == [5, 10, 20, 40]
    assert set(pauses[12:]) == {3600}
