from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from pacs.errors import Unreadable
from pacs.file_meta import IMPLEMENTATION_CLASS_UID, FileMeta, file_meta, read_file_meta
from pacs.model import Source
from pacs.transfer_syntaxes import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE

Find = Callable[[str], Path]
CLASS, INSTANCE = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
SOURCE = Source("CT1", "GATEWAY", "PACS", "dicom://10.0.0.1:104/CT1")
DATA_SET = b"\x08\0\x18\0UI\6\x001.2.3\0"


@pytest.mark.parametrize("source", [Source(), SOURCE, Source(source_application_entity_title="ODD")])
def test_written_file_meta_is_read_back(source: Source) -> None:
    """What we write we read, and the data set begins right behind it."""
    meta = file_meta(CLASS, INSTANCE, EXPLICIT_LE, source)

    assert read_file_meta(meta + DATA_SET) == FileMeta(CLASS, INSTANCE, EXPLICIT_LE, source, len(meta))


def test_written_file_meta_is_what_the_standard_wants() -> None:
    """Every element of it reads well in pydicom, with the right group length and our Implementation Class UID."""
    meta = file_meta(CLASS, INSTANCE, EXPLICIT_LE, SOURCE)
    read = pydicom.dcmread(BytesIO(meta + DATA_SET)).file_meta

    assert read.FileMetaInformationVersion == b"\0\1"
    assert read.FileMetaInformationGroupLength == len(meta) - 144
    assert (read.MediaStorageSOPClassUID, read.MediaStorageSOPInstanceUID) == (CLASS, INSTANCE)
    assert (read.TransferSyntaxUID, read.ImplementationClassUID) == (EXPLICIT_LE, IMPLEMENTATION_CLASS_UID)
    assert (read.SourceApplicationEntityTitle, read.SendingApplicationEntityTitle) == ("CT1", "GATEWAY")
    assert (read.ReceivingApplicationEntityTitle, read.SourcePresentationAddress) == (
        "PACS",
        "dicom://10.0.0.1:104/CT1",
    )
    assert pydicom.uid.UID(IMPLEMENTATION_CLASS_UID).is_valid


@pytest.mark.parametrize("cut", [128, 132])
def test_a_missing_preamble_or_prefix_is_forgiven(cut: int) -> None:
    """Files that begin with DICM or with group 0002 are read."""
    meta = file_meta(CLASS, INSTANCE, EXPLICIT_LE, SOURCE)

    assert read_file_meta((meta + DATA_SET)[cut:]).data_set_offset == len(meta) - cut


@pytest.mark.parametrize("wrong", [0, 8, 10, 1000, 2**31])
def test_a_wrong_group_length_is_forgiven(wrong: int) -> None:
    """The group ends where another one begins, whatever its length says."""
    meta = bytearray(file_meta(CLASS, INSTANCE, EXPLICIT_LE, SOURCE))
    meta[140:144] = wrong.to_bytes(4, "little")

    assert read_file_meta(bytes(meta) + DATA_SET) == FileMeta(CLASS, INSTANCE, EXPLICIT_LE, SOURCE, len(meta))


@pytest.mark.parametrize(
    ("data_set", "syntax"),
    [
        (DATA_SET, EXPLICIT_LE),
        (b"\x08\0\x18\0\6\0\0\x001.2.3\0", IMPLICIT_LE),
        (b"\0\x08\0\x18UI\0\x061.2.3\0", EXPLICIT_BE),
    ],
)
def test_a_missing_transfer_syntax_is_guessed(data_set: bytes, syntax: str) -> None:
    """A data set without any File Meta shows its encoding in its first element."""
    assert read_file_meta(data_set) == FileMeta("", "", syntax, Source(), 0)


@pytest.mark.parametrize("data", [b"", b"DICM", b"\0" * 500, b"<html>" * 50, bytes(128) + b"DICM" + b"\xff" * 20])
def test_what_is_not_dicom_is_unreadable(data: bytes) -> None:
    """Other files are refused, with a prefix or without."""
    with pytest.raises(Unreadable):
        read_file_meta(data)


def test_a_prefix_inside_a_data_set_is_no_file_meta() -> None:
    """DICM at byte 128 of a bare data set does not hide its beginning."""
    data = b"\x08\0\x18\0UI\6\x001.2.3\0" + b"\x10\0\x20\0LO" + b"\xff\0" + b"x" * 106 + b"DICM" + b"x" * 145

    assert data[128:132] == b"DICM"
    assert read_file_meta(data).data_set_offset == 0


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "JPEG2000.dcm"])
def test_file_meta_of_others_is_what_pydicom_reads(pydicom_file: Find, name: str) -> None:
    """UIDs are the same, and the data set begins where pydicom's reader finds it."""
    path = pydicom_file(name)
    theirs = pydicom.dcmread(path)
    ours = read_file_meta(path.read_bytes())

    assert ours.sop_class_uid == theirs.file_meta.MediaStorageSOPClassUID
    assert ours.sop_instance_uid == theirs.file_meta.MediaStorageSOPInstanceUID
    assert ours.transfer_syntax_uid == theirs.file_meta.TransferSyntaxUID
    assert ours.data_set_offset == 144 + theirs.file_meta.FileMetaInformationGroupLength
