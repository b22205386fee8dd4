"""A receiver of our own on a free port, and a peer that can say what a real one would never say."""

import io
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import build_context

from dicom_scp.admission import Admission
from dicom_scp.listener import bind_listener
from dicom_scp.receiver import run_receiver
from dicom_scp.tls import Tls
from pacs.file_meta import read_file_meta
from pacs.modalities import Roster
from storage.spool import Spool

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"


@dataclass
class Running:
    """A receiver in this process, and what lies in its spool."""

    port: int
    folder: Path
    stop: threading.Event
    thread: threading.Thread
    hospital: str = "default"
    secure_port: int = 0
    peers: list[Association] = field(default_factory=list)

    def instances(self) -> list[Path]:
        """Files that were acknowledged."""
        return sorted((self.folder / "spool" / self.hospital).glob("*/*.dcm"))

    def data_sets(self) -> list[bytes]:
        """Their data sets, without File Meta."""
        files = [path.read_bytes() for path in self.instances()]
        return [data[read_file_meta(data).data_set_offset :] for data in files]

    def quarantined(self) -> list[Path]:
        """Files that could not be filed."""
        return sorted((self.folder / "quarantine").rglob("*.dcm"))

    def half_received(self) -> list[Path]:
        """Files that nobody acknowledged."""
        return [path for path in (self.folder / "spool").rglob(".incoming/*") if path.is_file()]

    def associate(self, *contexts: tuple[str, list[str]], called: str = "PACS", calling: str = "TEST") -> Association:
        """An association with the receiver; rejected ones are returned too."""
        entity = ApplicationEntity(calling)
        proposed = [build_context(abstract, syntaxes) for abstract, syntaxes in contexts or [(CT, [EXPLICIT_LE])]]
        association = entity.associate("127.0.0.1", self.port, proposed, ae_title=called)
        self.peers.append(association)
        return association

    def end(self) -> None:
        """Stop as SIGTERM would."""
        for peer in self.peers:
            if peer.is_established:
                peer.release()
            elif peer.dul.socket is not None:
                peer.dul.socket.close()  # pynetdicom forgets the socket of a rejected association
        self.stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts a receiver; keywords: ``admit``, ``free_floor``, ``tls``, and those of `run_receiver`."""
    started: list[Running] = []

    def begin(*, admit: Admission | None = None, free_floor: int = 0, tls: Tls | None = None, **given: Any) -> Running:
        listener = bind_listener("127.0.0.1", 0)
        folder = tmp_path / f"data{len(started)}"
        spool = Spool(folder, free_floor=free_floor)
        admit = admit or partial(Roster({"PACS": "default"}).admit, trust_local=True)
        stop = threading.Event()
        secure = bind_listener("127.0.0.1", 0)

        def run() -> None:
            with listener, secure:
                run_receiver(listener, spool, admit, stop, secured=(secure, tls) if tls else None, **given)

        thread = threading.Thread(target=run, name="receiver")
        thread.start()
        port = listener.getsockname()[1]
        started.append(Running(port, folder, stop, thread, secure_port=secure.getsockname()[1]))
        return started[-1]

    yield begin
    for running in started:
        running.end()


@pytest.fixture
def receiver(start: Callable[..., Running]) -> Running:
    """A receiver with everything as by default."""
    return start()


@pytest.fixture
def store() -> Callable[..., Any]:
    """Sends a C-STORE with any command set and any bytes; the response's command set, or None after an abort."""

    def send(association: Association, data: bytes, *, sop_class: str, sop_instance: str, context_id: int = 1) -> Any:
        request = C_STORE()
        request.MessageID = 7
        request.Priority = 2
        request.AffectedSOPClassUID = sop_class
        request.AffectedSOPInstanceUID = sop_instance
        request.DataSet = io.BytesIO(data)
        association._reactor_checkpoint.clear()
        while not association._is_paused:
            time.sleep(0.001)
        association.dimse.send_msg(request, context_id)
        _, response = association.dimse.get_msg(block=True)
        association._reactor_checkpoint.set()
        return response

    return send


@pytest.fixture
def dcmtk() -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs a DCMTK command to its end; the test is skipped where DCMTK is not installed."""

    def run(command: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
        if shutil.which(command) is None:
            pytest.skip(f"{command} of DCMTK is not installed")
        return subprocess.run(
            [command, *map(str, arguments)],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env={"TCP_NODELAY": "1", "PATH": "/usr/bin:/bin"},
        )

    return run


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    """Waits for something to become true, ten seconds at most."""

    def wait(true: Callable[[], object]) -> None:
        deadline = time.monotonic() + 10
        while not true():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.01)

    return wait


@pytest.fixture
def data_set_of() -> Callable[[Path], bytes]:
    """The encoded data set of a Part 10 file."""

    def read(path: Path) -> bytes:
        data = path.read_bytes()
        return data[read_file_meta(data).data_set_offset :]

    return read
