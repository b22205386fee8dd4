"""One archive for all retrievals, real and filled; destinations of every temper."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dicom_scp.find import find_service
from dicom_scp.listener import bind_listener
from dicom_scp.receiver import run_receiver
from dicom_scp.requestor import Patience, Peer
from dicom_scp.retrieve import retrieval
from pacs.errors import NotAllowed, NotFound
from pacs.file_meta import read_file_meta
from pacs.modalities import Roster
from pacs.model import Source
from pacs.settings import Settings
from storage.archive import Archive, open_archive
from storage.index import add_hospital, migrate
from storage.ingest import Worker
from storage.spool import Spool
from tests.conftest import PYDICOM_FILES, new_database

CT = "1.2.840.10008.5.1.4.1.1.2"
STUDY = "1.2.3.4.1"  # of twelve slices in two series
SERIES = ("1.2.3.4.1.1", "1.2.3.4.1.2")
PATIENT = "1CT1"
OTHERS = (
    "MR_small.dcm",
    "ExplVR_BigEnd.dcm",
    "SC_rgb_small_odd.dcm",
    "SC_rgb_rle_2frame.dcm",
    "examples_rgb_color.dcm",
    "examples_palette.dcm",
    "JPEG2000.dcm",
    "JPEG-lossy.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "rtdose.dcm",
    "rtplan.dcm",
    "reportsi.dcm",
    "liver_1frame.dcm",
    "waveform_ecg.dcm",
    "image_dfl.dcm",
)
QUICK = Patience(connect=2, associate=2, answer=2, release=1)
_CT_UIDS = (  # study, series, instance of CT_small
    b"1.3.6.1.4.1.5962.1.2.1.20040119072730.12322",
    b"1.3.6.1.4.1.5962.1.3.1.1.20040119072730.12322",
    b"1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322",
)


def slice_of_study(series: int, number: int) -> bytes:
    """CT_small as another instance, every UID as long as it was."""
    data = (PYDICOM_FILES / "CT_small.dcm").read_bytes()
    uids = (STUDY, SERIES[series], f"{SERIES[series]}.{number}")
    for old, new in zip(_CT_UIDS, uids, strict=True):
        data = data.replace(old, new.encode().ljust(len(old), b"\0"))
    return data


@dataclass
class Original:
    """What was stored of one instance."""

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    transfer_syntax_uid: str
    data_set: bytes


@dataclass
class Filled:
    """An archive behind a receiver, what lies in it, and whom it knows as destinations."""

    port: int
    archive: Archive
    spool: Path
    originals: dict[str, Original]
    destinations: dict[str, Peer] = field(default_factory=dict)

    def destination(self, _hospital: str, ae_title: str) -> Peer:
        """As the registry would say."""
        if ae_title == "MUTE":
            raise NotAllowed("nothing may be sent to MUTE")
        if ae_title not in self.destinations:
            raise NotFound(f"AE title {ae_title}")
        return self.destinations[ae_title]

    def spooled(self) -> dict[str, tuple[str, bytes]]:
        """Transfer syntax and data set of what was sent to it since, by SOP Instance UID."""
        return {uid: one for folder in self.spool.glob("[!.]*") for uid, one in data_sets(folder).items()}

    def knows(self, ae_title: str, port: int, **given: Any) -> None:
        """Register a destination on this machine."""
        self.destinations[ae_title] = Peer(ae_title, "PACS", "127.0.0.1", port, **given)


@pytest.fixture(scope="session")
def filled(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """Twelve slices of one study and many single instances, in the hospital ``default``; ``hue`` is empty."""
    folder = tmp_path_factory.mktemp("filled")
    files = [slice_of_study(number // 6, number % 6) for number in range(12)]
    files += [(PYDICOM_FILES / name).read_bytes() for name in OTHERS]
    with ExitStack() as stack:
        url = stack.enter_context(new_database(postgres_url))
        migrate(url)
        add_hospital(url, "hue", ae_title="HUE")
        settings = Settings(data=folder, database_url=url, spool_free_floor=0, pack_quiet=0.0)
        archive = stack.enter_context(open_archive(settings))
        spool = Spool(folder, free_floor=0)
        originals = [_received(spool, part10) for part10 in files]
        worker = Worker(spool, archive, settings)
        while spool.counts("default").files:
            worker.run_once()
        listener, stop = bind_listener("127.0.0.1", 0), threading.Event()
        result = Filled(
            listener.getsockname()[1],
            archive,
            folder / "spool" / "default",
            {one.sop_instance_uid: one for one in originals},
        )
        admit = partial(Roster({"PACS": "default", "HUE": "hue"}).admit, trust_local=True)
        services = [find_service(archive), retrieval(archive, result.destination, patience=QUICK)]
        thread = threading.Thread(
            target=run_receiver, args=(listener, spool, admit, stop), kwargs={"services": services, "grace": 1.0}
        )
        thread.start()
        yield result
        stop.set()
        thread.join(30)
        listener.close()
        assert not thread.is_alive()


@pytest.fixture
def everything(filled: Filled) -> str:
    """The Study Instance UIDs of all there is, as one list."""
    return "\\".join(dict.fromkeys(one.study_instance_uid for one in filled.originals.values()))


def _received(spool: Spool, part10: bytes) -> Original:
    meta = read_file_meta(part10)
    incoming = spool.begin(
        "default", sop_class_uid="", sop_instance_uid="", transfer_syntax_uid=meta.transfer_syntax_uid, source=Source()
    )
    incoming.write(memoryview(part10)[meta.data_set_offset :])
    identity = incoming.finish()
    return Original(
        identity.sop_class_uid,
        identity.sop_instance_uid,
        identity.study_instance_uid,
        meta.transfer_syntax_uid,
        part10[meta.data_set_offset :],
    )


@pytest.fixture
def storescp(tmp_path: Path) -> Iterator[Callable[..., tuple[int, Path]]]:
    """Starts DCMTK's storescp, which writes data sets exactly as they arrive; its port and folder."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*options: str) -> tuple[int, Path]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        folder = tmp_path / f"scp{len(started)}"
        folder.mkdir()
        command = ["storescp", "+B", "--fork", "-od", str(folder), *options, str(port)]
        started.append(subprocess.Popen(command, env={"TCP_NODELAY": "1", "PATH": "/usr/bin:/bin"}))
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return port, folder
            time.sleep(0.02)
        pytest.fail("storescp does not listen")

    yield begin
    for one in started:
        one.terminate()
        one.wait(10)


def data_sets(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Transfer syntax and data set of every instance in a folder, by SOP Instance UID."""
    found = {}
    for path in folder.iterdir():
        data = path.read_bytes()
        meta = read_file_meta(data)
        found[meta.sop_instance_uid] = meta.transfer_syntax_uid, data[meta.data_set_offset :]
    return found


class Rascal:
    """A destination that does what no storage SCP should; it listens until the test ends."""

    def __init__(self, behave: Callable[[socket.socket, int], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._behave = behave
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def visits(self) -> int:
        """How many connections came."""
        return len(self._connections)

    def close(self) -> None:
        """Listen no more."""
        for connection in (self._listener, *self._connections):
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            number = len(self._connections)
            threading.Thread(target=self._run, args=(connection, number), daemon=True).start()

    def _run(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError):
            self._behave(connection, number)


@pytest.fixture
def rascal() -> Iterator[Callable[[Callable[[socket.socket, int], None]], Rascal]]:
    """Starts a destination with a behaviour: what it does with a connection and its number."""
    started: list[Rascal] = []

    def begin(behave: Callable[[socket.socket, int], None]) -> Rascal:
        started.append(Rascal(behave))
        return started[-1]

    yield begin
    for one in started:
        one.close()
