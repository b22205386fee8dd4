"""A small archive of real parts: PostgreSQL, a folder of objects, a spool and a worker."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pacs.file_meta import read_file_meta
from pacs.model import Source
from pacs.settings import Settings
from storage.archive import Archive, open_archive
from storage.ingest import Worker
from storage.spool import Spool

HOSPITAL = "default"
SOURCE = Source(source_application_entity_title="CT1", receiving_application_entity_title="PACS")
PYDICOM_SERIES = (
    "CT_small.dcm",
    "MR_small.dcm",
    "ExplVR_BigEnd.dcm",
    "SC_rgb_small_odd.dcm",
    "SC_rgb_rle_2frame.dcm",
    "examples_rgb_color.dcm",
    "examples_palette.dcm",
    "examples_overlay.dcm",
    "JPEG2000.dcm",
    "rtdose.dcm",
    "rtplan.dcm",
    "reportsi.dcm",
    "liver_1frame.dcm",
    "waveform_ecg.dcm",
    "image_dfl.dcm",
)


@dataclass(frozen=True, slots=True)
class Site:
    """An archive with its front door and its worker."""

    settings: Settings
    archive: Archive
    spool: Spool
    worker: Worker

    def receive(self, part10: bytes) -> None:
        """Put a file into the spool as a receiver would."""
        meta = read_file_meta(part10)
        incoming = self.spool.begin(
            HOSPITAL,
            sop_class_uid="",
            sop_instance_uid="",
            transfer_syntax_uid=meta.transfer_syntax_uid,
            source=SOURCE,
        )
        incoming.write(memoryview(part10)[meta.data_set_offset :])
        incoming.finish()

    def file(self, *files: bytes) -> None:
        """Receive and archive."""
        for part10 in files:
            self.receive(part10)
        self.drain()

    def drain(self) -> None:
        """Work until the spool is empty."""
        for _ in range(1000):
            if not self.spool.counts(HOSPITAL).files:
                return
            self.worker.run_once()
        pytest.fail("the spool does not become empty")


@pytest.fixture
def site_on(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Open a site on a database, and on objects other than a folder if told; a pack is due at once."""
    opened = []

    def open_site(database_url: str, *, folder: Path = tmp_path, objects_url: str = "") -> Site:
        settings = Settings(
            data=folder, database_url=database_url, objects_url=objects_url, spool_free_floor=0, pack_quiet=0.0
        )
        manager = open_archive(settings)
        archive = manager.__enter__()
        opened.append(manager)
        spool = Spool(settings.data, free_floor=0)
        return Site(settings, archive, spool, Worker(spool, archive, settings))

    yield open_site
    for manager in opened:
        manager.__exit__(None, None, None)


@pytest.fixture
def site(site_on: Callable[..., Site], database: str) -> Site:
    """An empty archive with objects in a folder."""
    return site_on(database)


@pytest.fixture
def pydicom_series(pydicom_file: Callable[[str], Path]) -> list[bytes]:
    """Instances of pydicom's own, of many kinds and encodings."""
    return [pydicom_file(name).read_bytes() for name in PYDICOM_SERIES]


def with_settings(site: Site, **changes: object) -> Settings:
    """The site's settings with some changed."""
    return replace(site.settings, **changes)  # type: ignore[arg-type]  # the tests name fields of Settings
