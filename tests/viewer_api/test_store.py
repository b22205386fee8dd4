import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
import pytest

if TYPE_CHECKING:
    from tests.viewer_api.conftest import Site

TYPE = 'multipart/related; type="application/dicom"; boundary=b'


def body_of(*parts: bytes, boundary: str = "b") -> bytes:
    """A multipart body of Part 10 parts."""
    pieces = [f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + part + b"\r\n" for part in parts]
    return b"".join(pieces) + f"--{boundary}--\r\n".encode()


def test_what_was_posted_can_be_searched(site: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """STOW-RS answers with where each instance will be; after filing it is there (PS3.18 10.5.3)."""
    client = site.client()
    body = body_of(pydicom_file("CT_small.dcm").read_bytes(), pydicom_file("MR_small.dcm").read_bytes())
    response = client.post("/dicom-web/studies", content=body, headers={"Content-Type": TYPE})
    assert (response.status_code, response.headers["content-type"]) == (200, "application/dicom+json")
    stored = response.json()["00081199"]["Value"]
    assert len(stored) == 2
    site.file()
    for item in stored:
        assert client.get(item["00081190"]["Value"][0] + "/metadata").status_code == 200


def test_one_bad_part_fails_alone(site: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """The good instances are kept, the bad one is named with its Failure Reason, the status is 202 (PS3.18 10.5.3)."""
    nameless = pydicom.dcmread(pydicom_file("MR_small.dcm"))
    del nameless.SeriesInstanceUID
    file = io.BytesIO()
    nameless.save_as(file)
    body = body_of(pydicom_file("CT_small.dcm").read_bytes(), file.getvalue(), b"this is no DICOM at all" * 20)
    response = site.client().post("/dicom-web/studies", content=body, headers={"Content-Type": TYPE})
    assert response.status_code == 202
    assert len(response.json()["00081199"]["Value"]) == 1
    (failed,) = response.json()["00081198"]["Value"]
    assert (failed["00081155"]["Value"], failed["00081197"]["Value"]) == ([nameless.SOPInstanceUID], [0xA900])
    (other,) = response.json()["0008119A"]["Value"]
    assert other == {"00081197": {"vr": "US", "Value": [0xC000]}}


def test_another_study_is_refused_and_nothing_is_stored(site: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """A study that was announced is checked; when nothing is left the status is 409 (PS3.18 10.5.1)."""
    body = body_of(pydicom_file("CT_small.dcm").read_bytes())
    client = site.client()
    response = client.post("/dicom-web/studies/1.2.3", content=body, headers={"Content-Type": TYPE})
    assert response.status_code == 409
    assert "00081199" not in response.json()
    site.file()
    assert client.get("/dicom-web/studies").json() == []


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/html", b"x", 415),
        ("", b"x", 415),
        ("multipart/related; type=text/html; boundary=b", b"--b--", 415),
        ("application/dicom+json", b"{", 400),
        ("application/dicom+json", b"[" * 100_000, 400),
        ("application/dicom+xml", b"<!DOCTYPE x><NativeDicomModel/>", 400),
        ("multipart/related; type=application/dicom+json; boundary=b", b"--b--", 400),
        ("multipart/related; type=application/dicom", b"--b--", 400),
        (TYPE, b"--b--\r\n", 400),
        (TYPE, b"", 400),
        (TYPE, b"--b\r\nContent-Type: application/dicom\r\n\r\nhalf", 400),
    ],
)
def test_a_body_that_makes_no_sense_is_a_problem(site: "Site", content_type: str, body: bytes, status: int) -> None:
    """Wrong types and broken bodies are refused, and nothing stays behind (PS3.18 10.5.3)."""
    response = site.client().post("/dicom-web/studies", content=body, headers={"Content-Type": content_type})
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert not any(site.spool.series())


def test_a_large_instance_does_not_pass_through_memory(site: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """A body of 300 MB arrives in pieces; the process grows by a small part of it (PS3.18 10.5.1)."""
    large = pydicom.dcmread(pydicom_file("CT_small.dcm"))
    large.PixelData = b""
    file = io.BytesIO()
    large.save_as(file)
    head = file.getvalue()[: file.getvalue().index(b"\xe0\x7f\x10\x00")]
    size = 300_000_000

    def pieces() -> Iterator[bytes]:
        yield b"--b\r\nContent-Type: application/dicom\r\n\r\n" + head
        yield b"\xe0\x7f\x10\x00OW\0\0" + size.to_bytes(4, "little")
        for _ in range(size // 1_000_000):
            yield bytes(1_000_000)
        yield b"\r\n--b--"

    before = peak()
    response = site.client().post("/dicom-web/studies", content=pieces(), headers={"Content-Type": TYPE}, timeout=120)
    assert response.status_code == 200, response.text
    assert peak() - before < 100_000


def peak() -> int:
    """The largest resident size of this process so far, KiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])
