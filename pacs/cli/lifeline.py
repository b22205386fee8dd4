"""What ties processes to each other and to their data folder.

Law: nothing here may need cleaning up. A lock is the kernel's (it goes with its holder, however that ends), a child
dies with its parent by the kernel's hand, so a ``kill -9`` of anything leaves a folder that simply starts again.
"""

import ctypes
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pacs.errors import Misconfigured

PARENT = "PACS_PARENT"  # pid of the supervisor, in the environment of the processes it starts
_PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent(environment: dict[str, str]) -> None:
    """Ask the kernel to kill this process when the supervisor that started it ends, however that ends."""
    parent = environment.get(PARENT)
    if parent is None:
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):  # it died before the request above was heard
        raise SystemExit(1)


@contextmanager
def data_folder_lock(data: Path) -> Iterator[None]:
    """Hold the data folder for one supervisor. Raises Misconfigured naming the holder's process id."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "lock").open("a+") as file:
        if not _locked(file.fileno()):
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise Misconfigured(f"{data.resolve()} is in use by another pacs, process {holder}")
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _locked(descriptor: int) -> bool:
    """Whether the lock is ours now; tried for a moment, as `holder_of` of another command holds it for an instant."""
    for _ in range(10):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.05)
    return False


def holder_of(data: Path) -> int | None:
    """Process id of the supervisor that holds this data folder, None when nobody does."""
    with suppress(FileNotFoundError), (data / "lock").open("r") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read().strip() or 0)
    return None


class Interruption:
    """First Ctrl-C or SIGTERM: ``asked`` turns true, and work in hand is finished. The second raises KeyboardInterrupt.

    A plain attribute and short sleeps: setting a `threading.Event` inside a signal handler can deadlock on its lock.
    """

    def __init__(self) -> None:
        self.asked = False

    def listen(self) -> "Interruption":
        """Take over SIGINT and SIGTERM of this process."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._heard)
        return self

    def _heard(self, _number: int, _frame: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
