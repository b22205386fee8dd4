"""Data sets for the core's tests: written by pydicom, which knows nothing of our reader, or byte by byte."""

import struct
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from pacs.dataset import DataSet, read_data_set
from pacs.errors import ArchiveError
from pacs.file_meta import read_file_meta
from pacs.transfer_syntaxes import EXPLICIT_BE, IMPLICIT_LE

NOT_DICOM = {".py", ".json", ".txt", ".gz", ".zip", ".xml", ".md", ".tsv"}


@pytest.fixture(scope="session")
def encoded() -> Callable[[pydicom.Dataset, str], bytes]:
    """Bytes of a data set in a native transfer syntax, as pydicom writes them."""

    def write(ds: pydicom.Dataset, transfer_syntax_uid: str) -> bytes:
        buffer = DicomBytesIO()
        buffer.is_implicit_VR = transfer_syntax_uid == IMPLICIT_LE
        buffer.is_little_endian = transfer_syntax_uid != EXPLICIT_BE
        write_dataset(buffer, ds)
        return buffer.getvalue()

    return write


@pytest.fixture(scope="session")
def explicit() -> Callable[[int, bytes, bytes], bytes]:
    """One Explicit VR Little Endian element from tag, VR and value, without any care for what is right."""

    def write(tag: int, vr: bytes, value: bytes) -> bytes:
        head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
        if vr in {b"OB", b"OW", b"SQ", b"UN", b"UT"}:
            return head + struct.pack("<HI", 0, len(value)) + value
        return head + struct.pack("<H", len(value)) + value

    return write


@pytest.fixture(scope="session")
def opened() -> Callable[[Path], DataSet]:
    """The data set of a file, read by us."""

    def read(path: Path) -> DataSet:
        data = path.read_bytes()
        meta = read_file_meta(data)
        return read_data_set(memoryview(data)[meta.data_set_offset :], meta.transfer_syntax_uid)

    return read


@pytest.fixture(scope="session")
def every_file(
    corpus_files: Callable[[str], list[Path]], opened: Callable[[Path], DataSet]
) -> Callable[[], Iterator[tuple[Path, DataSet]]]:
    """All files of pydicom and of the corpus that can be read at all, with their data sets."""
    own = [p for p in sorted((Path(pydicom.__file__).parent / "data" / "test_files").rglob("*")) if p.is_file()]

    def read() -> Iterator[tuple[Path, DataSet]]:
        for path in own + corpus_files("**/*"):
            if path.suffix in NOT_DICOM:
                continue
            try:
                yield path, opened(path)
            except ArchiveError:
                continue

    return read


@pytest.fixture(scope="session")
def pydicom_read() -> Callable[[bytes], pydicom.Dataset]:
    """A file as pydicom reads it."""
    return lambda data: pydicom.dcmread(BytesIO(data), force=True)
