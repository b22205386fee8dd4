"""A whole archive for a test: the real command, real processes, real PostgreSQL and a real S3 endpoint."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.conftest import S3Endpoint

PACS = Path(sys.executable).with_name("pacs")
READY = re.compile(r"(http://\S+/sign-in\?link=\S+)")


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class RunningArchive:
    """``pacs serve`` on a data folder, started and stopped like a person would."""

    data: Path
    objects_url: str
    dicom_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None
    lines: list[str] = field(default_factory=list)
    listener: threading.Thread | None = None

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PACS_OBJECTS_URL": self.objects_url,
            "PACS_DICOM_HOST": "127.0.0.1",
            "PACS_DICOM_PORT": str(self.dicom_port),
            "PACS_HTTP_PORT": str(self.http_port),
            "PACS_SPOOL_FREE_FLOOR": str(64 * 1024 * 1024),
            "PYTHONUNBUFFERED": "1",
        }

    def start(self, limit: float = 90) -> str:
        """Start and wait until the sign-in link is printed; returns that link."""
        self.process = subprocess.Popen(
            [PACS, "serve", "--data", self.data],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # a Ctrl-C of the test run must not reach it twice
        )
        found: list[str] = []
        ready = threading.Event()

        def listen(stream: Iterator[str]) -> None:
            for line in stream:
                self.lines.append(line)
                if not found and (match := READY.search(line)):
                    found.append(match.group(1))
                    ready.set()
            ready.set()

        assert self.process.stdout is not None
        self.listener = threading.Thread(target=listen, args=(self.process.stdout,), daemon=True)
        self.listener.start()
        assert ready.wait(limit), "".join(self.lines)
        assert found, "".join(self.lines)
        return found[0]

    def run(self, *words: str) -> str:
        """What one `pacs` command prints beside the running archive."""
        answer = subprocess.run(
            [PACS, *words, "--data", str(self.data)],
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    def stop(self, how: signal.Signals = signal.SIGINT, limit: float = 40) -> int:
        """Ctrl-C, or worse; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(limit)
        if self.process.stdout is not None and self.listener is not None:
            self.listener.join(5)
            self.process.stdout.close()
        return code

    def children(self) -> dict[int, str]:
        """Every process below the supervisor, as pid → command line."""
        assert self.process is not None
        parents: dict[int, list[int]] = {}
        names: dict[int, str] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError, IndexError):
                    stat = (entry / "stat").read_text()
                    parents.setdefault(int(stat.rsplit(")", 1)[1].split()[1]), []).append(int(entry.name))
                    names[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        found, waiting = {}, [self.process.pid]
        while waiting:
            for child in parents.get(waiting.pop(), []):
                found[child] = names.get(child, "")
                waiting.append(child)
        return found

    def client(self) -> httpx.Client:
        """An HTTP client with a bearer token of this archive."""
        token = self.run("token").strip().splitlines()[-1]
        return httpx.Client(base_url=self.web, headers={"Authorization": f"Bearer {token}"}, timeout=60)

    def wait_for(self, true: Callable[[], bool], limit: float = 60) -> None:
        """Poll until a condition holds; says what the archive printed when it never does."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            with contextlib.suppress(httpx.TransportError):
                if true():
                    return
            time.sleep(0.2)
        raise AssertionError("not within the limit; the archive said:\n" + "".join(self.lines[-60:]))


@pytest.fixture(scope="session")
def dcmtk() -> Callable[[str], str]:
    """The path of a DCMTK program; a missing DCMTK fails the run loudly instead of skipping it."""

    def find(program: str) -> str:
        path = shutil.which(program)
        assert path, f"{program} is missing: apt-get install dcmtk"
        return path

    return find


@pytest.fixture
def archive(tmp_path: Path, s3_endpoint: S3Endpoint) -> Iterator[RunningArchive]:
    """A stopped archive over a fresh data folder and a fresh S3 bucket; whatever runs is stopped afterwards."""
    with stopped_afterwards(tmp_path, s3_endpoint) as running:
        yield running


@pytest.fixture(scope="module")
def module_archive(tmp_path_factory: pytest.TempPathFactory, s3_endpoint: S3Endpoint) -> Iterator[RunningArchive]:
    """The same for all tests of a module that can share one: starting costs ten seconds."""
    with stopped_afterwards(tmp_path_factory.mktemp("archive"), s3_endpoint) as running:
        yield running


@contextlib.contextmanager
def stopped_afterwards(folder: Path, s3_endpoint: S3Endpoint) -> Iterator[RunningArchive]:
    """A stopped archive that does not outlive its test."""
    running = RunningArchive(folder / "data", s3_endpoint.minio_url(s3_endpoint.new_bucket()))
    yield running
    if running.process is not None and running.process.poll() is None:
        try:
            running.stop(signal.SIGTERM)
        except subprocess.TimeoutExpired:
            running.stop(signal.SIGKILL)
