"""The dispatcher: procrastinate's worker, running plain functions on threads.

Law: any number of dispatchers may run, on any number of machines; procrastinate sees to it that a job runs once. The
only event loop of the archive is in here, and nothing of ours runs on it but its own start and stop.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from procrastinate import App, PsycopgConnector
from procrastinate.worker import Worker

from storage.index import Index
from storage.index.jobs import SCHEMA, drop_stalled

log = logging.getLogger(__name__)

THREADS = 32  # jobs at once: most wait for a peer, and a hanging one must leave room for the others
HEARTBEAT = 2.0  # seconds
STALLED = 8.0  # seconds without a heartbeat, after which a worker's jobs are free again
GRACE = 20.0  # seconds for running jobs when asked to stop

Task = Callable[..., None]


class Dispatcher:
    """Runs jobs by the names of ``tasks``, and ``periodic`` ones by their crontab line, in UTC."""

    def __init__(self, index: Index, tasks: Mapping[str, Task], periodic: Mapping[str, Task]) -> None:
        self._index = index
        connector = PsycopgConnector(
            conninfo=index.database_url, min_size=1, max_size=4, kwargs={"options": f"-c search_path={SCHEMA}"}
        )
        self._app = App(connector=connector, worker_defaults={"delete_jobs": "always"})
        for name, task in tasks.items():
            self._app.task(name=name)(task)
        for number, (cron, task) in enumerate(periodic.items()):
            name = f"periodic {number}"
            # no lock: one whose worker died must not keep the next from running
            dated = self._app.task(name=name, queue=name, queueing_lock=name)(_without_date(task))
            self._app.periodic(cron=cron)(dated)

    def run(self, stop: threading.Event) -> None:
        """Run jobs until ``stop``; those that run have some seconds to finish. Raises what ends the worker early."""
        drop_stalled(self._index, seconds=STALLED)
        asyncio.run(self._run(stop))

    async def _run(self, stop: threading.Event) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(THREADS, thread_name_prefix="job") as threads:
            loop.set_default_executor(threads)  # the default one has a few threads only, all soon hanging
            async with self._app.open_async():
                worker = Worker(
                    self._app,
                    name="dispatch",
                    concurrency=THREADS - 2,
                    delete_jobs="always",
                    install_signal_handlers=False,
                    shutdown_graceful_timeout=GRACE,
                    fetch_job_polling_interval=1.0,
                    update_heartbeat_interval=HEARTBEAT,
                    stalled_worker_timeout=STALLED,
                )
                ended = threading.Event()
                threading.Thread(target=_pass_on, args=(stop, ended, worker), daemon=True).start()
                try:
                    await worker.run()  # type: ignore[no-untyped-call]  # procrastinate leaves it untyped
                finally:
                    ended.set()


def _pass_on(stop: threading.Event, ended: threading.Event, worker: Worker) -> None:
    stop.wait()
    while not ended.wait(0.2):  # a worker that has not quite begun forgets that it was asked to stop
        worker.stop()  # type: ignore[no-untyped-call]  # as above


def _without_date(task: Task) -> Callable[[int], Any]:
    """The task without the moment for which procrastinate says it was meant."""

    def run(timestamp: int) -> None:  # noqa: ARG001  # procrastinate gives it by this name
        task()

    return run
