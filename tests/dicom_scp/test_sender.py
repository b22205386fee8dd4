from pathlib import Path
from typing import Any

import pytest

from dicom_scp.sender import send
from pacs.errors import Unavailable
from pacs.file_meta import file_meta, read_file_meta
from pacs.model import Source

EXPLICIT_LE = "1.2.840.10008.1.2.1"


def to(port: int, **given: str) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port, "calling": "TEST", "called": "PACS", **given}


def test_files_are_sent_as_they_are(receiver: Any, pydicom_file: Any, data_set_of: Any) -> None:
    """Every data set arrives byte for byte, several transfer syntaxes over one association."""
    files = [
        pydicom_file(name) for name in ("CT_small.dcm", "MR_small_bigendian.dcm", "JPEG2000.dcm", "SC_rgb_rle.dcm")
    ]
    sent = list(send(files, **to(receiver.port)))
    assert {(one.path, one.status) for one in sent} == {(path, 0) for path in files}
    assert sorted(receiver.data_sets()) == sorted(map(data_set_of, files))


def test_what_is_no_part_10_file_is_said(receiver: Any, pydicom_file: Any, tmp_path: Path) -> None:
    """One bad file does not stop the others."""
    bad = tmp_path / "bad.dcm"
    bad.write_bytes(b"no DICOM")
    sent = {
        one.path: one.status
        for one in send([bad, tmp_path / "missing", pydicom_file("CT_small.dcm")], **to(receiver.port))
    }
    assert sent == {bad: None, tmp_path / "missing": None, pydicom_file("CT_small.dcm"): 0}


def test_more_than_128_contexts_take_more_associations(receiver: Any, pydicom_file: Any, tmp_path: Path) -> None:
    """PS3.8 allows 128 presentation contexts in an association; a folder may need more."""
    data = pydicom_file("CT_small.dcm").read_bytes()
    meta = read_file_meta(data)
    data_set = data[meta.data_set_offset :]
    files = []
    for number in range(130):
        sop_class = f"1.2.3.{number + 100}"
        padded = sop_class.encode().ljust(26, b"\0")
        path = tmp_path / f"{number}.dcm"
        original = meta.sop_class_uid.encode() + b"\0"
        head = file_meta(sop_class, meta.sop_instance_uid, EXPLICIT_LE, Source())
        path.write_bytes(head + data_set.replace(original, padded))
        files.append(path)
    assert [one.status for one in send(files, **to(receiver.port))] == [0] * 130
    assert len(receiver.instances()) == 130


def test_refusal_names_the_reason(receiver: Any, pydicom_file: Any) -> None:
    """A rejected association is said before any file counts as sent."""
    with pytest.raises(Unavailable, match="Called AE title not recognised"):
        list(send([pydicom_file("CT_small.dcm")], **to(receiver.port, called="OTHER")))


def test_closed_port_is_said(pydicom_file: Any) -> None:
    """Nobody listens: one sentence instead of a failure for each file."""
    with pytest.raises(Unavailable, match="does not answer"):
        list(send([pydicom_file("CT_small.dcm")], **to(9)))


def test_answer_of_the_archive_is_handed_on(start: Any, pydicom_file: Any) -> None:
    """A failure carries the status and the comment that the archive gave."""
    [sent] = send([pydicom_file("CT_small.dcm")], **to(start(free_floor=1 << 60).port))
    assert sent.status == 0xA700
    assert sent.comment
