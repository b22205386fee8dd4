"""Jobs: procrastinate's tables in a schema of their own, and jobs that are scheduled with the rows they are for.

Law: a job is only a wake-up; what is to be done stands in a hospital's rows, so that a job which is lost or comes
twice does no harm. `defer` uses the caller's transaction: the job is there when the rows are, and only then. Jobs
belong to no hospital, so a hospital's role cannot see them.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from importlib.resources import files
from typing import Any

import psycopg
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from procrastinate.sync_psycopg_connector import SyncPsycopgConnector
from procrastinate.utils import utcnow
from psycopg.rows import dict_row

from storage.index.connections import Index
from storage.index.statements import STATEMENTS

SCHEMA = "jobs"
_MANAGER = JobManager(SyncPsycopgConnector())  # its own connector stays closed: every call brings its connection


def bring_up(guard: psycopg.Connection) -> None:
    """Make procrastinate's tables, or apply the steps that a newer release of it brought."""
    with guard.transaction():
        guard.execute("CREATE SCHEMA IF NOT EXISTS jobs")
        guard.execute("SET LOCAL search_path TO jobs")
        guard.execute("CREATE TABLE IF NOT EXISTS step (step text PRIMARY KEY)")
        applied = {step for (step,) in guard.execute(STATEMENTS["applied_steps"])}
        folder = files("procrastinate.sql")
        steps = {one.name: one for one in folder.joinpath("migrations").iterdir() if one.name.endswith(".sql")}
        if not applied:  # their whole schema is what all steps together come to
            guard.execute(folder.joinpath("schema.sql").read_bytes())
        for step in sorted(steps.keys() - applied):
            if applied:
                guard.execute(steps[step].read_bytes())
            guard.execute(STATEMENTS["add_step"], {"step": step})


def defer(
    connection: psycopg.Connection,
    task: str,
    arguments: dict[str, Any],
    *,
    queue: str,
    lock: str,
    delay: float = 0.0,
    hurry: bool = True,
) -> None:
    """Schedule a job, in this transaction; jobs of one ``lock`` run one after the other, and one at most waits.

    Of two moments the earlier one holds; without ``hurry`` that of the job which waits already.
    """
    job = Job(
        queue=queue,
        lock=lock,
        queueing_lock=lock,
        task_name=task,
        task_kwargs=arguments,
        scheduled_at=utcnow() + timedelta(seconds=delay) if delay else None,
    )
    with _among_jobs(connection):
        if hurry:
            connection.execute(STATEMENTS["bring_forward"], {"lock": lock, "delay": delay})
        if connection.execute(STATEMENTS["is_waiting"], {"lock": lock}).fetchone() is None:
            with suppress(AlreadyEnqueued), connection.transaction():  # another transaction was faster
                _MANAGER.defer_job(job, connection=connection)


def drop_stalled(index: Index, *, seconds: float) -> None:
    """Forget jobs whose worker has not been heard of for so long, and those that ended."""
    with index.registry() as connection, _among_jobs(connection):
        connection.execute(STATEMENTS["drop_stalled"], {"seconds": seconds})
        connection.execute(STATEMENTS["drop_ended"])


@contextmanager
def _among_jobs(connection: psycopg.Connection) -> Iterator[None]:
    """Among the jobs, as who may see them; then back in the hospital."""
    with connection.cursor(row_factory=dict_row) as cursor:
        before = cursor.execute(STATEMENTS["where_we_are"]).fetchone()
    connection.execute(STATEMENTS["enter_hospital"], {"role": "none", "schema": SCHEMA})
    yield
    connection.execute(STATEMENTS["enter_hospital"], before)
