"""A real archive behind the real application: PostgreSQL, a folder of objects, a spool, a worker."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
import uvicorn
from fastapi import FastAPI

from pacs.file_meta import read_file_meta
from pacs.model import Source
from pacs.settings import Settings
from storage.access import Access
from storage.archive import Archive, open_archive
from storage.index import migrate
from storage.ingest import Worker
from storage.spool import Spool
from viewer_api.app import create_app


@dataclass(frozen=True, slots=True)
class Site:
    """One archive with its parts."""

    settings: Settings
    archive: Archive
    spool: Spool
    access: Access
    address: str
    closing: ExitStack

    def receive(self, part10: bytes, hospital: str = "default") -> None:
        """Put a Part 10 file into the spool, as a front door does."""
        meta = read_file_meta(part10)
        incoming = self.spool.begin(
            hospital,
            sop_class_uid="",
            sop_instance_uid="",
            transfer_syntax_uid=meta.transfer_syntax_uid,
            source=Source(),
        )
        incoming.write(memoryview(part10)[meta.data_set_offset :])
        incoming.finish()

    def file(self) -> None:
        """Let a worker file everything that waits."""
        worker = Worker(self.spool, self.archive, self.settings)
        while any(self.spool.series()):
            worker.run_once()

    def client(self, *, hospital: str = "default", signed_in: bool = True) -> httpx.Client:
        """A program with a bearer token."""
        headers = {}
        if signed_in:
            token = self.access.issue("bearer", hospital, "test", timedelta(hours=1))
            headers["Authorization"] = f"Bearer {token}"
        return self.closing.enter_context(httpx.Client(base_url=self.address, headers=headers))


@pytest.fixture
def site(database: str, tmp_path: Path) -> Iterator[Site]:
    """An empty archive for one test."""
    with opened(database, tmp_path) as one:
        yield one


@pytest.fixture(scope="session")
def filled(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory, pydicom_file: Callable[[str], Path]
) -> Iterator[Site]:
    """An archive with some of pydicom's files, each another kind of image; for tests that only read."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE filled")
    url = urlsplit(postgres_url)._replace(path="/filled").geturl()
    migrate(url)
    with opened(url, tmp_path_factory.mktemp("filled")) as one:
        for name in FILES:
            one.receive(pydicom_file(name).read_bytes())
        one.file()
        yield one


@contextmanager
def opened(database: str, data: Path) -> Iterator[Site]:
    """An archive on a migrated database, served."""
    settings = Settings(data=data, database_url=database, pack_quiet=0, pack_age=0, spool_free_floor=0)
    with open_archive(settings) as archive:
        spool = Spool(settings.data, free_floor=0)
        access = Access(archive.index)
        with serving(create_app(settings, archive, spool, access)) as address, ExitStack() as closing:
            yield Site(settings, archive, spool, access, address, closing)


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The application on a real socket; its address."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


FILES = (
    "CT_small.dcm",  # native, 16 bit, signed, rescaled
    "MR_small_bigendian.dcm",
    "examples_rgb_color.dcm",
    "examples_ybr_color.dcm",  # JPEG, 30 frames
    "examples_palette.dcm",
    "JPEG2000.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "reportsi.dcm",  # a structured report: no picture
)
