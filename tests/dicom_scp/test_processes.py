"""Real receiver processes: how they share one port, and how little memory a large instance takes."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pynetdicom.ae import ApplicationEntity
from pynetdicom.presentation import build_context

from dicom_scp.listener import bind_listener
from storage.spool.incoming import MEMORY

CT = "1.2.840.10008.5.1.4.1.1.2"
MIB = 1024 * 1024

PROCESS = """
import os, signal, socket, sys, threading
from pathlib import Path
from dicom_scp.receiver import run_receiver
from pacs.modalities import Admitted
from storage.spool import Spool

def admit(calling, called, address):
    print(os.getpid(), flush=True)
    return Admitted("default")

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
listener = socket.socket(fileno=int(sys.argv[1]))
print("ready", flush=True)
run_receiver(listener, Spool(Path(sys.argv[2]), free_floor=0), admit, stop, grace=2.0)
print("ended", flush=True)
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with bind_listener("127.0.0.1", 0) as listening:
        yield listening


@dataclass
class Process:
    """A receiver process and the file of what it said."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def lines(self) -> list[str]:
        return self.log.read_text().split()


@pytest.fixture
def spawn(listener: socket.socket, tmp_path: Path, wait_until: Any) -> Iterator[Callable[[], Process]]:
    """Starts a receiver process on the shared socket; in the end each has to stop in order."""
    started: list[Process] = []

    def begin() -> Process:
        log = tmp_path / f"log{len(started)}"
        command = [sys.executable, "-c", PROCESS, str(listener.fileno()), str(tmp_path)]
        with log.open("wb") as out:
            process = subprocess.Popen(command, pass_fds=[listener.fileno()], stdout=out)
        started.append(Process(process, log))
        wait_until(lambda: "ready" in started[-1].lines())
        return started[-1]

    yield begin
    for one in started:
        one.process.terminate()
        assert one.process.wait(20) == 0
        assert one.lines()[-1] == "ended"


def test_associations_are_spread_evenly(listener: socket.socket, spawn: Callable[[], Process]) -> None:
    """The least busy process takes the next association, so that no core idles while another has two."""
    processes = [spawn() for _ in range(2)]
    associations = []
    for _ in range(6):
        entity = ApplicationEntity("TEST")
        peer = entity.associate("127.0.0.1", listener.getsockname()[1], [build_context(CT)], ae_title="PACS")
        assert peer.is_established
        associations.append(peer)
    for peer in associations:
        peer.release()
    assert [one.lines().count(str(one.process.pid)) for one in processes] == [3, 3]


def peak(pid: int) -> int:
    """The most memory that the process ever had resident, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def large_instance(path: Path, size: int) -> None:
    """A Part 10 file of Explicit VR Little Endian with ``size`` bytes of pixel data."""

    def element(group: int, number: int, vr: str, value: bytes) -> bytes:
        value += b"\0" * (len(value) % 2)
        return (
            group.to_bytes(2, "little")
            + number.to_bytes(2, "little")
            + vr.encode()
            + len(value).to_bytes(2, "little")
            + value
        )

    uid = b"1.2.826.0.1.3680043.8.498.1"
    meta = element(2, 2, "UI", CT.encode()) + element(2, 3, "UI", uid) + element(2, 0x10, "UI", b"1.2.840.10008.1.2.1")
    with path.open("wb") as file:
        file.write(bytes(128) + b"DICM" + element(2, 0, "UL", len(meta).to_bytes(4, "little")) + meta)
        file.write(element(8, 0x16, "UI", CT.encode()) + element(8, 0x18, "UI", uid))
        file.write(element(0x20, 0xD, "UI", uid + b".1") + element(0x20, 0xE, "UI", uid + b".2"))
        file.write(bytes.fromhex("e07f 1000") + b"OW\0\0" + size.to_bytes(4, "little"))
        file.truncate(file.tell() + size)


def test_large_instance_takes_little_memory(
    listener: socket.socket, spawn: Callable[[], Process], tmp_path: Path, data_set_of: Any
) -> None:
    """A multi-frame streams to disk: memory does not depend on its size."""
    if shutil.which("storescu") is None:
        pytest.skip("storescu of DCMTK is not installed")
    size = 96 * MIB
    large = tmp_path / "large.dcm"
    large_instance(large, size)
    process = spawn().process
    before = peak(process.pid)
    storescu = ["storescu", "-aec", "PACS", "127.0.0.1", str(listener.getsockname()[1]), str(large)]
    subprocess.run(storescu, check=True, timeout=60, env={"TCP_NODELAY": "1", "PATH": "/usr/bin:/bin"})
    assert peak(process.pid) - before < MEMORY + 40 * MIB < size
    [stored] = (tmp_path / "spool" / "default").glob("*/*.dcm")
    assert data_set_of(stored) == data_set_of(large)
