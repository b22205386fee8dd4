"""A whole archive in this process: receiver, worker, registry and dispatcher, on real PostgreSQL and real sockets."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pydicom
import pytest
from pydicom.uid import generate_uid

from dicom_scp.commitment import commitment_service
from dicom_scp.listener import bind_listener
from dicom_scp.performed import performed_service
from dicom_scp.receiver import run_receiver
from pacs.cli.dispatch import dispatcher
from pacs.file_meta import read_file_meta
from pacs.modalities import ALL_RIGHTS, Modality
from pacs.model import Source
from pacs.settings import Settings
from storage.archive import Archive, open_archive
from storage.index import migrate
from storage.index.registry import put_modality
from storage.ingest import Worker
from storage.registry import Registry
from storage.spool import Spool
from tests.conftest import new_database

HOSPITAL = "default"


@dataclass
class Whole:
    """The archive, and what a test does to it."""

    settings: Settings
    archive: Archive
    registry: Registry
    port: int
    template: bytes
    stops: list[tuple[threading.Event, threading.Thread]] = field(default_factory=list)

    def received(self, *, calling: str = "CT1", **attributes: str) -> tuple[str, str]:
        """A new instance in the spool; its SOP Class and SOP Instance UID."""
        data_set = pydicom.dcmread(io.BytesIO(self.template))
        data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        data_set.StudyInstanceUID = attributes.pop("StudyInstanceUID", None) or generate_uid()
        data_set.SeriesInstanceUID = generate_uid()
        for keyword, value in attributes.items():
            setattr(data_set, keyword, value)
        file = io.BytesIO()
        data_set.save_as(file)
        part10 = file.getvalue()
        meta = read_file_meta(part10)
        incoming = self.spool.begin(
            HOSPITAL,
            sop_class_uid="",
            sop_instance_uid="",
            transfer_syntax_uid=meta.transfer_syntax_uid,
            source=Source(source_application_entity_title=calling),
        )
        incoming.write(memoryview(part10)[meta.data_set_offset :])
        identity = incoming.finish()
        return identity.sop_class_uid, identity.sop_instance_uid

    def filed(self, *, calling: str = "CT1", **attributes: str) -> tuple[str, str]:
        """A new instance in the archive; its SOP Class and SOP Instance UID."""
        reference = self.received(calling=calling, **attributes)
        self.drain()
        return reference

    @property
    def spool(self) -> Spool:
        return Spool(self.settings.data, free_floor=0)

    def drain(self) -> None:
        """Work until the spool is empty."""
        worker = Worker(self.spool, self.archive, self.settings)
        for _ in range(1000):
            if not self.spool.counts(HOSPITAL).files:
                return
            worker.run_once()
        pytest.fail("the spool does not become empty")

    def know(self, ae_title: str, port: int) -> None:
        """Register a peer on this machine, and see that it is known."""
        put_modality(
            self.archive.index,
            Modality(hospital=HOSPITAL, ae_title=ae_title, address="127.0.0.1", port=port, rights=ALL_RIGHTS),
        )
        # with this port: another test may have registered the same AE title
        self.wait(lambda: any((one.ae_title, one.port) == (ae_title, port) for one in self.registry.now().modalities))

    def start_dispatcher(self) -> None:
        """Run jobs, as `pacs dispatch` does."""
        stop = threading.Event()
        running = dispatcher(self.archive, self.registry, self.settings, stop, grace=1.0, first_delay=0.3)
        thread = threading.Thread(target=running.run, args=(stop,), name="dispatcher")
        thread.start()
        self.stops.append((stop, thread))

    def stop_dispatcher(self) -> None:
        """End all dispatchers."""
        while self.stops:
            stop, thread = self.stops.pop()
            stop.set()
            thread.join(30)
            assert not thread.is_alive()

    def wait(self, true: Callable[[], object], limit: float = 20) -> None:
        """Wait until something is true."""
        deadline = time.monotonic() + limit
        while not true():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Rows of the hospital."""
        with psycopg.connect(self.settings.database_url) as connection:
            connection.execute("SET search_path TO h_default")
            return connection.execute(query.encode()).fetchall()


@pytest.fixture(scope="module")
def whole(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory, pydicom_file: Callable[[str], Path]
) -> Iterator[Whole]:
    """One archive for a module, its dispatcher not running."""
    with ExitStack() as stack:
        url = stack.enter_context(new_database(postgres_url))
        migrate(url)
        settings = Settings(
            data=tmp_path_factory.mktemp("whole"),
            database_url=url,
            spool_free_floor=0,
            pack_quiet=0.0,
            trust_local=True,
        )
        archive = stack.enter_context(open_archive(settings))
        registry = stack.enter_context(Registry(archive.index, trust_local=True, fresh=0.2))
        listener = stack.enter_context(bind_listener("127.0.0.1", 0))
        stop = threading.Event()
        arguments = (listener, Spool(settings.data, free_floor=0), registry.admit, stop)
        services = [commitment_service(archive.index), performed_service(archive.index)]
        thread = threading.Thread(target=run_receiver, args=arguments, kwargs={"services": services, "grace": 1.0})
        thread.start()
        template = pydicom_file("CT_small.dcm").read_bytes()
        running = Whole(settings, archive, registry, listener.getsockname()[1], template)
        yield running
        running.stop_dispatcher()
        stop.set()
        thread.join(30)


@pytest.fixture
def dispatching(whole: Whole) -> Whole:
    """The archive with a dispatcher that runs."""
    if not whole.stops:
        whole.start_dispatcher()
    return whole
