"""What every test may ask for: the corpus when it lies beside the project, and pydicom's own files always."""

import os
import socket
import subprocess
import sysconfig
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import uuid4

import psycopg
import pydicom.data
import pytest
from minio import Minio

from storage.index import migrate
from storage.postgres import embedded_postgres

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "data"
PYDICOM_FILES = Path(pydicom.data.__file__).parent / "test_files"


def pytest_report_header() -> str:
    """Say at the top of the run whether the corpus is there, so that a short run is never silent about it."""
    return f"corpus: {CORPUS if CORPUS.is_dir() else 'absent, pydicom files only'}"


@pytest.fixture(scope="session")
def corpus_files() -> Callable[[str], list[Path]]:
    """Files of the corpus by glob pattern, such as ``ct/*.dcm``; an empty list when the corpus is absent."""

    def find(pattern: str) -> list[Path]:
        return sorted(p for p in CORPUS.glob(pattern) if p.is_file() and p.suffix not in {".md", ".tsv"})

    return find


@pytest.fixture(scope="session")
def pydicom_file() -> Callable[[str], Path]:
    """A file of pydicom's own wheel by name, such as ``CT_small.dcm``."""

    def find(name: str) -> Path:
        path = PYDICOM_FILES / name
        assert path.is_file(), name
        return path

    return find


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL for the whole run, without fsync; its database is empty."""
    with embedded_postgres(tmp_path_factory.mktemp("postgres"), fsync=False) as url:
        yield url


@contextmanager
def new_database(postgres_url: str) -> Iterator[str]:
    """The URL of a new, empty database."""
    name = f"t_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """The URL of a new database for one test."""
    with new_database(postgres_url) as url:
        yield url


@pytest.fixture
def second_database(postgres_url: str) -> Iterator[str]:
    """The URL of another new database, migrated: for what is restored or moved."""
    with new_database(postgres_url) as url:
        migrate(url)
        yield url


@pytest.fixture
def database(empty_database: str) -> str:
    """The URL of a new database for one test, migrated, with the hospital ``default``."""
    migrate(empty_database)
    return empty_database


@dataclass(frozen=True, slots=True)
class S3Endpoint:
    """A real S3 that knows one pair of keys."""

    address: str  # host:port
    access_key: str
    secret_key: str

    def new_bucket(self) -> str:
        """Make an empty bucket; its name."""
        name = f"t-{uuid4().hex[:12]}"
        Minio(self.address, access_key=self.access_key, secret_key=self.secret_key, secure=False).make_bucket(
            bucket_name=name
        )
        return name

    def minio_url(self, bucket: str) -> str:
        """The bucket as ``PACS_OBJECTS_URL`` for the MinIO SDK."""
        keys = f"{quote(self.access_key, safe='')}:{quote(self.secret_key, safe='')}"
        return f"minio://{keys}@{self.address}/{bucket}?secure=0"

    def s3_url(self, bucket: str) -> str:
        """The bucket as ``PACS_OBJECTS_URL`` for boto3, which takes the keys from `environment`."""
        return f"s3://{bucket}?region=us-east-1&endpoint=http://{self.address}"

    def environment(self) -> dict[str, str]:
        """The keys where the credential chain of AWS looks for them."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    """A real S3 for the whole run: SeaweedFS, all of its parts in one process."""
    folder = tmp_path_factory.mktemp("seaweedfs")
    servers = ("master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc", "s3", "s3.grpc", "admin")
    ports = dict(zip(servers, _free_ports(len(servers)), strict=True))
    given = [f"-{name.replace('.grpc', '')}.port{'.grpc' * name.endswith('.grpc')}={ports[name]}" for name in servers]
    # a slash, an at sign and a colon, as real keys have them and addresses trip over
    endpoint = S3Endpoint(f"127.0.0.1:{ports['s3']}", "archive", "se/cr@et:key+0123456789")
    local = [f"-dir={folder}", f"-s3.localSocket={folder}/s3.sock", f"-filer.localSocket={folder}/filer.sock"]
    without = ["-admin.ui=false", "-webdav=false", "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    weed = Path(sysconfig.get_path("scripts")) / "weed"
    with (folder / "log").open("wb") as log:
        engine = subprocess.Popen(
            [weed, "mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *given, *local, *without],
            cwd=folder,
            stdout=log,
            stderr=log,
            env={**os.environ, **endpoint.environment()},
        )
    try:
        _await_http(f"http://{endpoint.address}/healthz", engine, folder / "log")
        yield endpoint
    finally:
        engine.terminate()
        engine.wait(30)


def _free_ports(count: int) -> list[int]:
    """So many different free ports; held together until all are known."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _await_http(url: str, engine: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until something answers, or fail with what the engine said."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # our own http address
                return
        except OSError:
            assert engine.poll() is None, log.read_text()
            time.sleep(0.1)
    pytest.fail(log.read_text())
