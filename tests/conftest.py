"""What every test may ask for: the corpus when it lies beside the project, and pydicom's own files always."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pydicom.data
import pytest

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


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """The URL of a new database for one test."""
    name = f"t_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database(empty_database: str) -> str:
    """The URL of a new database for one test, migrated, with the hospital ``default``."""
    migrate(empty_database)
    return empty_database
