import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

PACS = Path(sys.executable).with_name("pacs")


class Served:
    """``pacs serve`` on a folder of its own and ports of the kernel's choice."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.environment = {
            **os.environ,
            "PACS_DATA": str(data),
            "PACS_DICOM_HOST": "127.0.0.1",
            "PACS_DICOM_PORT": "0",
            "PACS_HTTP_PORT": "0",
            "PACS_SPOOL_FREE_FLOOR": "0",
            "PACS_RECEIVERS": "1",
            "PACS_WORKERS": "1",
        }
        self.output = data.with_suffix(".log")

    def start(self) -> None:
        with self.output.open("w") as output:
            self.process = subprocess.Popen([PACS, "serve"], env=self.environment, stdout=output, stderr=output)
        self.until(lambda: self.address() != "")

    def address(self) -> str:
        match = re.search(r"(http://127\.0\.0\.1:\d+)/sign-in\?link=\S+", self.output.read_text())
        return match[1] if match else ""

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([PACS, *words], env=self.environment, capture_output=True, text=True, check=False)

    def parts(self) -> dict[str, int]:
        """Process id by the last word of the command line, for each process below the supervisor."""
        found = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                if int(stat.read_text().rsplit(")", 1)[1].split()[1]) == self.process.pid:
                    words = (stat.parent / "cmdline").read_bytes().decode().strip("\0").split("\0")
                    found["postgres" if words[0].endswith("postgres") else words[-1]] = int(stat.parent.name)
            except OSError:
                continue
        return found

    def until(self, true: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, self.output.read_text()
            assert self.process.poll() is None, self.output.read_text()
            time.sleep(0.05)

    def works(self, token: str) -> bool:
        """Whether an authorised search is answered."""
        address = urlsplit(self.address()).netloc
        connection = HTTPConnection(address, timeout=5)
        try:
            connection.request("GET", "/dicom-web/studies", headers={"Authorization": f"Bearer {token}"})
            return connection.getresponse().status in (200, 204)
        except OSError:
            return False
        finally:
            connection.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One archive for the tests of this module; a test may stop it."""
    served = Served(tmp_path_factory.mktemp("served") / "var")
    served.start()
    yield served
    served.process.kill()
    served.process.wait()


def test_a_port_in_use_is_one_sentence(tmp_path: Path, served: Served) -> None:
    """A second archive on the same port is refused before it makes anything."""
    port = str(urlsplit(served.address()).port)
    other = {**served.environment, "PACS_DATA": str(tmp_path / "other"), "PACS_HTTP_PORT": port}
    done = subprocess.run([PACS, "serve"], env=other, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "cannot be opened" in done.stderr
    assert not (tmp_path / "other" / "postgres").exists()


def test_a_second_start_on_the_same_folder_is_one_sentence(served: Served) -> None:
    """A data folder in use is refused with the process that holds it."""
    second = served.command("serve")
    assert (second.returncode, second.stdout) == (1, "")
    assert f"in use by another pacs, process {served.process.pid}" in second.stderr
    assert "Traceback" not in second.stderr


def test_every_killed_part_comes_back(served: Served) -> None:
    """After kill -9 of receivers, workers, dispatcher, web and PostgreSQL the archive answers again by itself."""
    token = served.command("token").stdout.strip()
    before = served.parts()
    assert set(before) == {"postgres", "receive", "ingest", "dispatch", "web"}
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    served.until(lambda: set(served.parts()) == set(before) and not set(served.parts().values()) & set(before.values()))
    served.until(lambda: served.works(token))


def test_a_killed_supervisor_takes_its_parts_along_and_the_next_start_works(served: Served) -> None:
    """After kill -9 of the supervisor no part is left, and the archive starts again with what it had."""
    token = served.command("token").stdout.strip()
    parts = served.parts()
    served.process.kill()
    served.process.wait()
    deadline = time.monotonic() + 20
    while [pid for pid in parts.values() if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    served.start()
    served.until(lambda: served.works(token))


def test_an_interrupt_stops_everything(served: Served) -> None:
    """Ctrl-C ends every part and the supervisor, with exit code 0."""
    parts = served.parts()
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(60) == 0
    assert [pid for pid in parts.values() if Path(f"/proc/{pid}").exists()] == []
