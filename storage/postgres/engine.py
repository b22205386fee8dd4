"""The embedded PostgreSQL: make a cluster in the data folder, start it, stop it, recover it.

Law: this file knows processes and folders, no SQL beyond the question "are you there". The engine listens on a Unix
socket in a private folder only, so trust authentication gives nothing to anyone who could not read the files anyway.
One process at a time is the keeper of a cluster (a lock on ``postgres.lock``, which the kernel frees even after
``kill -9``); whoever is the keeper knows that every other engine on that folder is left over from an earlier run.
"""

import fcntl
import hashlib
import logging
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg

from pacs.errors import Misconfigured, Unavailable
from storage.postgres.programs import major_version, programs, unprivileged

log = logging.getLogger(__name__)

DATABASE = "pacs"
STOP_SECONDS = 30.0
# An engine whose keeper was killed while it recovered can hang in its fast shutdown: waiting as long as in `stop` would
# keep a hospital waiting half a minute for nothing. Immediate shutdown loses nothing, the next start replays the log.
LEFTOVER_SECONDS = 3.0
RECOVERY_SECONDS = 600.0  # crash recovery replays up to max_wal_size
SOCKET_FOLDER_LIMIT = 90  # sun_path holds 107 bytes and "/.s.PGSQL.5432" is added
LOG_LIMIT = 16 * 1024 * 1024

_STOP_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)  # PostgreSQL's fast and immediate shutdown, then force
_CONFIGURATION = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "jit": "off",  # our queries are short; compiling them costs more than running them
    "timezone": "UTC",
    "log_timezone": "UTC",
    # a failing INSERT would otherwise copy the patient's name into the log (DETAIL and STATEMENT lines)
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
}


class Engine:
    """The PostgreSQL under one data folder: cluster ``data/postgres``, log ``data/postgres.log``.

    Call ``start`` from a thread that lives as long as the process: the kernel stops the engine when that thread ends,
    which is what keeps a killed supervisor from leaving one behind.
    """

    def __init__(self, data: Path, *, fsync: bool = True) -> None:
        data = data.resolve()
        self._data = data
        self._cluster = data / "postgres"
        self._fsync = fsync
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._sockets = _socket_folder(data)
        self.url = f"postgresql://pacs@/{DATABASE}?host={quote(str(self._sockets), safe='')}"

    @property
    def running(self) -> bool:
        """Whether the engine that this keeper started still lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> str:
        """Start the engine, recovering what an earlier run left, and give its URL once it answers.

        Repeat it to restart an engine that died. Raises Misconfigured when it cannot run here, Unavailable when another
        process is the keeper of this folder.
        """
        self._become_keeper()
        try:
            self._clear_leftovers()
            if not (self._cluster / "PG_VERSION").exists():
                self._make_cluster()
            self._launch()
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        """Stop the engine, the politest way that works, and cease to be its keeper; repeating it is harmless."""
        if self._process is not None:
            for number in _STOP_SIGNALS:
                if self._process.poll() is None:
                    self._process.send_signal(number)
                try:
                    self._process.wait(STOP_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    log.warning("PostgreSQL does not stop on signal %d", number)
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _become_keeper(self) -> None:
        if self._lock is not None:
            return
        self._data.mkdir(parents=True, exist_ok=True)
        lock = (self._data / "postgres.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise Unavailable(f"another process keeps the PostgreSQL under {self._data}") from None
        self._lock = lock

    def _clear_leftovers(self) -> None:
        """Stop what still uses the cluster: an engine on its way down, or backends whose postmaster was killed."""
        began = time.monotonic()
        while processes := _processes_in(self._cluster):
            waited = time.monotonic() - began
            if waited >= len(_STOP_SIGNALS) * LEFTOVER_SECONDS:
                raise Misconfigured(f"processes {sorted(processes)} of an earlier run do not let go of {self._cluster}")
            number = _STOP_SIGNALS[int(waited / LEFTOVER_SECONDS)]
            for pid in processes:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            time.sleep(0.2)
        # nobody lives in the cluster, so a pid file is stale, even when its number now belongs to another program:
        # PostgreSQL itself could not tell and would refuse to start
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)

    def _make_cluster(self) -> None:
        """Run initdb beside the cluster's place and rename, so that a crash never leaves half a cluster there."""
        new = self._cluster.with_name("postgres.new")
        shutil.rmtree(new, ignore_errors=True)
        arguments: list[str | Path] = [programs() / "initdb", "-D", new, "-U", "pacs", "-A", "trust", "-E", "UTF8"]
        arguments += ["--locale=C.UTF-8", *([] if self._fsync else ["--no-sync"])]
        done = subprocess.run(
            [*unprivileged(), *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode != 0:
            raise Misconfigured(f"initdb failed: {_last_line(done.stderr)}")
        new.rename(self._cluster)
        folder = os.open(self._data, os.O_RDONLY)
        os.fsync(folder)  # else power loss could take back the rename, and the next start would make an empty cluster
        os.close(folder)

    def _launch(self) -> None:
        made_by = (self._cluster / "PG_VERSION").read_text().strip()
        if made_by != (ours := major_version()):
            raise Misconfigured(f"{self._cluster} was made by PostgreSQL {made_by}, this is {ours}; use pg_upgrade")
        configuration = {**_CONFIGURATION, "unix_socket_directories": str(self._sockets)}
        if not self._fsync:
            configuration |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for name, value in configuration.items() for part in ("-c", f"{name}={value}")]
        until_parent_ends = ["setpriv", "--pdeathsig", "INT", "--"] if shutil.which("setpriv") else []
        journal = self._data / "postgres.log"
        if journal.exists() and journal.stat().st_size > LOG_LIMIT:
            journal.replace(journal.with_suffix(".log.1"))
        with journal.open("ab") as output:
            self._process = subprocess.Popen(
                [*unprivileged(), *until_parent_ends, programs() / "postgres", "-D", self._cluster, *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in the terminal must reach our own processes first
            )

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + RECOVERY_SECONDS
        while time.monotonic() < deadline:
            if not self.running:
                raise Misconfigured(f"PostgreSQL ended at once: {_last_line(self._read_log())}")
            if _answers(self.url):
                return
            time.sleep(0.05)
        raise Misconfigured("PostgreSQL does not come up; see postgres.log")

    def _read_log(self) -> str:
        return (self._data / "postgres.log").read_text(errors="replace")


@contextmanager
def embedded_postgres(data: Path, *, fsync: bool = True, patience: float = 60.0) -> Iterator[str]:
    """Give the URL of the engine under ``data``: as a guest of its keeper, else by keeping it meanwhile."""
    engine = Engine(data, fsync=fsync)
    deadline = time.monotonic() + patience
    while True:
        try:
            engine.start()
            break
        except Unavailable:
            if _answers(engine.url):
                break  # a guest: its keeper stops it
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    try:
        yield engine.url
    finally:
        engine.stop()


def _answers(url: str) -> bool:
    """Whether the engine takes connections; makes the archive's database in a new cluster."""
    try:
        with psycopg.connect(url, dbname="postgres", connect_timeout=5, autocommit=True) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if found is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")
    except (psycopg.OperationalError, psycopg.errors.UniqueViolation, psycopg.errors.DuplicateDatabase):
        return False  # not yet, or another process makes the database at this moment
    return True


def _socket_folder(data: Path) -> Path:
    """A private folder whose path is short enough for a Unix socket, and the same for every process on ``data``."""
    folder = data / "postgres-socket"
    if len(os.fsencode(folder)) > SOCKET_FOLDER_LIMIT:
        name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
        folder = Path("/tmp") / f"pacs-{os.geteuid()}-{name}"  # noqa: S108  # owner and mode are checked below
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise Misconfigured(f"{folder} belongs to somebody else")
    folder.chmod(0o700)
    return folder


def _processes_in(cluster: Path) -> set[int]:
    """The PostgreSQL processes that live in a cluster: they all work in its folder."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == cluster and (process / "comm").read_text().strip() == "postgres":
                found.add(int(process.name))
        except OSError:
            continue  # gone meanwhile, or not ours
    return found


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "FATAL" in line), lines[-1] if lines else "it said nothing")
