"""What every test may ask for: the corpus when it lies beside the project, and pydicom's own files always."""

from collections.abc import Callable
from pathlib import Path

import pydicom.data
import pytest

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
