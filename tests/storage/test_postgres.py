import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pacs.errors import Unavailable
from storage.postgres import Engine, embedded_postgres
from storage.postgres.engine import _processes_in


def ask(url: str, sql: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(sql).fetchone()
        return row[0] if row else None


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path, fsync=False)
    yield engine
    engine.stop()


def kill_postmaster(data: Path) -> int:
    pid = int((data / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)
    return pid


def test_a_started_engine_answers_over_a_private_socket_only(engine: Engine, tmp_path: Path) -> None:
    """The engine takes no network connections and its socket folder is closed to other users."""
    url = engine.start()
    assert ask(url, "SHOW listen_addresses") == ""
    assert ask(url, "SELECT current_database()") == "pacs"
    assert (tmp_path / "postgres").stat().st_mode & 0o77 == 0
    assert Path(str(ask(url, "SHOW unix_socket_directories"))).stat().st_mode & 0o77 == 0


def test_rows_survive_stop_and_start(engine: Engine) -> None:
    """What was committed is there after an orderly stop and a new start."""
    url = engine.start()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT 42 AS x")
    engine.stop()
    assert not engine.running
    assert ask(engine.start(), "SELECT x FROM t") == 42


def test_a_killed_postmaster_with_busy_orphans_is_recovered(engine: Engine, tmp_path: Path) -> None:
    """After kill -9 of the postmaster, with a backend still at work, start recovers the committed rows."""
    url = engine.start()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT 42 AS x")
    busy = subprocess.Popen(
        [sys.executable, "-c", f"import psycopg; psycopg.connect({url!r}).execute('SELECT pg_sleep(60)')"],
        stderr=subprocess.DEVNULL,
    )
    try:
        while not ask(url, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"):
            time.sleep(0.05)
        kill_postmaster(tmp_path)
        while engine.running:
            time.sleep(0.02)
        assert ask(engine.start(), "SELECT x FROM t") == 42
    finally:
        busy.kill()
        busy.wait()


def test_a_stale_pid_file_that_names_a_living_stranger_does_not_block(engine: Engine, tmp_path: Path) -> None:
    """A pid file left by a crash, whose number now belongs to another program, is recognised as stale."""
    engine.start()
    pid_file = tmp_path / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    kill_postmaster(tmp_path)
    while _processes_in(tmp_path / "postgres"):
        time.sleep(0.02)
    engine.stop()
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        assert ask(engine.start(), "SELECT 1") == 1
    finally:
        stranger.kill()
        stranger.wait()


def test_a_killed_supervisor_leaves_no_engine(tmp_path: Path) -> None:
    """A kill -9 of the keeper stops the engine, and the next keeper starts at once with the rows in place."""
    script = (
        "import pathlib, sys, time; from storage.postgres import Engine;"
        f"e = Engine(pathlib.Path({str(tmp_path)!r}), fsync=False); print(e.start(), flush=True); time.sleep(60)"
    )
    keeper = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert keeper.stdout is not None
    with keeper.stdout:
        url = keeper.stdout.readline().strip()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE t AS SELECT 42 AS x")
        keeper.kill()
        keeper.wait()
    with embedded_postgres(tmp_path, fsync=False) as again:
        assert ask(again, "SELECT x FROM t") == 42
    assert not _processes_in(tmp_path / "postgres")


def test_a_second_process_is_a_guest_and_leaves_the_engine_running(engine: Engine, tmp_path: Path) -> None:
    """While a keeper runs the engine, another user of the folder gets the same URL and stops nothing."""
    url = engine.start()
    with pytest.raises(Unavailable):
        Engine(tmp_path, fsync=False).start()
    with embedded_postgres(tmp_path, fsync=False) as guest:
        assert guest == url
    assert ask(url, "SELECT 1") == 1


def test_a_long_data_path_gets_a_short_socket(tmp_path: Path) -> None:
    """A data folder too deep for a Unix socket still works, and every process on it finds the same socket."""
    data = tmp_path / ("deep" * 20) / ("deeper" * 10)
    with embedded_postgres(data, fsync=False) as url:
        assert Engine(data).url == url
        assert ask(url, "SELECT 1") == 1
