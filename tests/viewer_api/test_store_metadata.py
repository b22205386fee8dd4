"""STOW-RS of metadata and bulk data, and the oddities of bodies (PS3.18 10.5.2)."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacs.dataset import read_data_set
from pacs.dataset.json import instance_json
from pacs.dataset.native_model import native_model
from pacs.file_meta import read_file_meta
from storage.audit import events
from tests.viewer_api.test_store import TYPE, body_of, peak
from viewer_api.dicomweb.store_composed import DEFAULT_SYNTAX

if TYPE_CHECKING:
    import httpx

    from tests.viewer_api.conftest import Site

JSON_TYPE = 'multipart/related; type="application/dicom+json"; boundary=b'
Part = tuple[Mapping[str, str], bytes]


def multipart(*parts: Part) -> bytes:
    pieces = []
    for headers, content in parts:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        pieces.append(f"--b\r\n{lines}\r\n".encode() + content + b"\r\n")
    return b"".join(pieces) + b"--b--"


def said_of(part10: bytes, *, root: str = "bulk") -> dict[str, Any]:
    """The metadata of an instance, as a client has it from WADO-RS."""
    meta = read_file_meta(part10)
    data_set = read_data_set(memoryview(part10)[meta.data_set_offset :], meta.transfer_syntax_uid)
    said: dict[str, Any] = json.loads(instance_json(data_set, bulk_data_root=root))
    return said


def post(site: "Site", content: bytes | Iterator[bytes], kind: str = JSON_TYPE, **headers: str) -> "httpx.Response":
    return site.client().post("/dicom-web/studies", content=content, headers={"Content-Type": kind, **headers})


def stored_pixels(site: "Site", item: dict[str, Any]) -> pydicom.Dataset:
    """What can be retrieved of an item of Referenced SOP Sequence."""
    site.file()
    stored = site.archive.instance("default", item["00081155"]["Value"][0])
    data = site.archive.received("default", stored)
    meta = pydicom.Dataset()
    data_set = pydicom.dcmread(io.BytesIO(data), force=True)
    meta.TransferSyntaxUID = stored.received_transfer_syntax_uid
    data_set.file_meta = pydicom.dataset.FileMetaDataset(meta)
    return data_set


@pytest.mark.parametrize("spelling", ["json", "xml"])
def test_metadata_and_bulk_data_become_the_instance(
    site: "Site", pydicom_file: Callable[[str], Path], spelling: str
) -> None:
    """Native pixels beside JSON or XML are put where the metadata refers to them (PS3.18 8.7.3)."""
    source = pydicom.dcmread(pydicom_file("CT_small.dcm"))
    said = said_of(pydicom_file("CT_small.dcm").read_bytes())
    text = json.dumps([said]).encode() if spelling == "json" else native_model(said)
    bulk: list[Part] = [
        ({"Content-Type": "application/octet-stream", "Content-Location": one["BulkDataURI"]}, source[tag].value)
        for tag, one in said.items()
        if "BulkDataURI" in one
    ]
    body = multipart(({"Content-Type": f"application/dicom+{spelling}"}, text), *bulk)
    response = post(site, body, f'multipart/related; type="application/dicom+{spelling}"; boundary="b"')
    assert response.status_code == 200, response.text
    (item,) = response.json()["00081199"]["Value"]
    stored = stored_pixels(site, item)
    assert stored.PixelData == source.PixelData
    assert stored.PatientName == source.PatientName


def test_compressed_frames_keep_their_bytes(site: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """Each part is one frame of an encapsulated instance in the syntax of its media type (PS3.18 8.7.3)."""
    cases = (
        ("JPEG2000.dcm", "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.91"),
        ("SC_rgb_jpeg_gdcm.dcm", "image/jpeg", "1.2.840.10008.1.2.4.70"),
        ("examples_ybr_color.dcm", "image/jpeg", "1.2.840.10008.1.2.4.50"),
        ("SC_rgb_rle_2frame.dcm", "image/dicom-rle", "1.2.840.10008.1.2.5"),
    )
    for number, (name, media_type, syntax) in enumerate(cases):
        source = pydicom.dcmread(pydicom_file(name))
        said = said_of(pydicom_file(name).read_bytes(), root="http://elsewhere/bulk")
        said["00080018"]["Value"] = [f"1.2.3.{number}"]  # some of them share theirs
        said["00083002"] = {"vr": "UI", "Value": ["1.2.840.10008.1.2.4.202"]}  # how another archive keeps it
        frames = list(
            pydicom.encaps.generate_frames(source.PixelData, number_of_frames=source.get("NumberOfFrames", 1))
        )
        location = said["7FE00010"]["BulkDataURI"]
        parts = [
            ({"Content-Type": media_type, "Content-Location": f"{location}/frames/{frame_number}"}, frame)
            for frame_number, frame in enumerate(frames, 1)
        ]
        response = post(site, multipart(({}, json.dumps(said).encode()), *parts))
        assert response.status_code == 200, response.text
        stored = stored_pixels(site, response.json()["00081199"]["Value"][0])
        assert stored.file_meta.TransferSyntaxUID == syntax
        kept = list(pydicom.encaps.generate_frames(stored.PixelData, number_of_frames=len(frames)))
        assert [one[: len(frame)] for one, frame in zip(kept, frames, strict=True)] == frames


def test_large_bulk_data_does_not_pass_through_memory(site: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """Bulk data of 200 MB waits for its metadata on disk and goes from there to the spool (PS3.18 10.5.1)."""
    said = said_of(pydicom_file("MR_small.dcm").read_bytes())
    size = 200_000_000

    def pieces() -> Iterator[bytes]:
        yield b"--b\r\nContent-Location: bulk/7FE00010\r\nContent-Type: application/octet-stream\r\n\r\n"
        for _ in range(size // 1_000_000):
            yield bytes(1_000_000)
        yield b"\r\n--b\r\nContent-Type: application/dicom+json\r\n\r\n" + json.dumps(said).encode() + b"\r\n--b--"

    before = peak()
    answer = post(site, pieces())
    assert answer.status_code == 200, answer.text
    assert peak() - before < 60_000


def test_an_instance_without_bulk_data_needs_one_part(site: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """A report in JSON and a CT as ``application/dicom`` are stored without being parts of anything (PS3.18 8.6.1)."""
    said = said_of(pydicom_file("reportsi.dcm").read_bytes())
    assert post(site, json.dumps(said).encode(), "application/dicom+json").status_code == 200
    assert post(site, pydicom_file("CT_small.dcm").read_bytes(), "application/dicom").status_code == 200
    site.file()
    assert len(site.client().get("/dicom-web/studies").json()) == 2


def test_what_is_missing_fails_its_instance_and_what_is_too_much_is_told(
    site: "Site", pydicom_file: Callable[[str], Path]
) -> None:
    """No bulk data for an instance, no instance for bulk data, a wrong frame count: each is told alone (PS3.18 I.2)."""
    ct, jpeg = (said_of(pydicom_file(name).read_bytes()) for name in ("CT_small.dcm", "examples_ybr_color.dcm"))
    jpeg["7FE00010"]["BulkDataURI"] = "one"
    report = said_of(pydicom_file("reportsi.dcm").read_bytes())
    unknown = {**ct, "00080018": {"vr": "UI", "Value": ["1.2.3"]}, "7FE00010": {"vr": "OW", "BulkDataURI": "odd"}}
    parts: list[Part] = [
        ({"Content-Type": "application/dicom+json"}, json.dumps([ct, jpeg, report, unknown, 7]).encode()),
        ({"Content-Type": "image/jpeg", "Content-Location": "one"}, b"\xff\xd8\xff\xc0"),
        ({"Content-Type": "application/octet-stream", "Content-Location": "nobody"}, b"x"),
        ({"Content-Type": "application/octet-stream; transfer-syntax=1.2.99", "Content-Location": "odd"}, b"x"),
        ({"Content-Type": "image/png"}, b"x"),
    ]
    answer = post(site, multipart(*parts))
    assert answer.status_code == 202
    assert [one["00081155"]["Value"] for one in answer.json()["00081199"]["Value"]] == [report["00080018"]["Value"]]
    reasons = {one["00081155"]["Value"][0]: one["00081197"]["Value"][0] for one in answer.json()["00081198"]["Value"]}
    assert reasons == {
        ct["00080018"]["Value"][0]: 0xC000,
        jpeg["00080018"]["Value"][0]: 0xC000,
        "1.2.3": 0xC122,
    }
    assert len(answer.json()["0008119A"]["Value"]) == 3


def test_coercions_and_duplicates_are_warnings(site: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """Another character set than UTF-8 is coerced (B000), another data set of a UID kept too (0111); PS3.18 I.2.1."""
    said = said_of(pydicom_file("reportsi.dcm").read_bytes())
    said["00080005"] = {"vr": "CS", "Value": ["ISO_IR 100"]}
    answer = post(site, json.dumps(said).encode(), "application/dicom+json")
    assert answer.status_code == 202
    assert answer.json()["00081199"]["Value"][0]["00081196"]["Value"] == [0xB000]
    site.file()
    for _ in range(2):
        answer = post(site, pydicom_file("reportsi.dcm").read_bytes(), "application/dicom")
        assert answer.status_code == 202
        assert answer.json()["00081199"]["Value"][0]["00081196"]["Value"] == [0x0111]
        site.file()
    again = post(site, pydicom_file("CT_small.dcm").read_bytes(), "application/dicom")
    site.file()
    assert (
        again.status_code,
        post(site, pydicom_file("CT_small.dcm").read_bytes(), "application/dicom").status_code,
    ) == (200, 200)


def test_the_answer_comes_in_xml_too(site: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """Accept decides; what is not offered is refused before anything is stored (PS3.18 10.5.3)."""
    body = pydicom_file("CT_small.dcm").read_bytes()
    refused = post(site, body, "application/dicom", Accept="text/html")
    assert (refused.status_code, any(site.spool.series())) == (406, False)
    answer = post(site, body, "application/dicom", Accept="application/dicom+xml")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/dicom+xml")
    tags = [one.get("tag") for one in ET.fromstring(answer.text)]  # noqa: S314  # our own answer
    assert tags == ["00081190", "00081199"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_odd_bodies_are_read(site: "Site", pydicom_file: Callable[[str], Path], end: bytes) -> None:
    """LF alone, preamble, epilogue, quoted boundary, no Content-Type, folded fields, any pieces (PS3.18 8.6.1)."""
    part = pydicom_file("CT_small.dcm").read_bytes()
    lines = [b"hello", b"--a b  ", b"Content-Transfer-Encoding:", b" BINARY", b"", part, b"--a b--", b"bye"]
    body = end.join(lines)
    pieces = (body[start : start + 999] for start in range(0, len(body), 999))
    answer = post(site, pieces, 'Multipart/Related; boundary="a b"; start=x; Type="application/DICOM"')
    assert answer.status_code == 200, answer.text


def test_limits_are_413(site: "Site", monkeypatch: pytest.MonkeyPatch, pydicom_file: Callable[[str], Path]) -> None:
    """Metadata and parts beyond what one request may hold are refused (PS3.18 10.5.3)."""
    monkeypatch.setattr("viewer_api.dicomweb.store_parts.MAX_METADATA", 100)
    monkeypatch.setattr("viewer_api.dicomweb.store_parts.MAX_PARTS", 2)
    monkeypatch.setattr("viewer_api.dicomweb.store_composed.MAX_PARTS", 2)
    said = json.dumps(said_of(pydicom_file("reportsi.dcm").read_bytes())).encode()
    assert post(site, said, "application/dicom+json").status_code == 413
    assert post(site, multipart(*[({}, b"x")] * 3)).status_code == 413
    assert post(site, b"[{},{},{}]", "application/dicom+json").status_code == 413
    assert post(site, b"x", "application/dicom", **{"Content-Encoding": "gzip"}).status_code == 415


def test_no_room_is_503(site: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """Below the spool's floor nothing is taken, and the sender is asked to come again (PS3.18 10.5.3)."""
    site.spool._free_floor = 1 << 62
    part = pydicom_file("CT_small.dcm").read_bytes()
    answer = post(site, body_of(part), TYPE)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    parts: list[Part] = [({}, b"{}"), ({"Content-Location": "x", "Content-Type": "application/octet-stream"}, part)]
    assert post(site, multipart(*parts)).status_code == 503


def test_who_stored_is_recorded(site: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """The audit says who stored how many instances of which study, and what failed."""
    part = pydicom_file("CT_small.dcm").read_bytes()
    post(site, body_of(part, b"rubbish"), TYPE)
    recorded = events(site.archive.index, "default")
    study = pydicom.dcmread(pydicom_file("CT_small.dcm")).StudyInstanceUID
    assert {(one.act, one.outcome, one.study_instance_uid, one.detail["instances"]) for one in recorded} == {
        ("store", "success", study, 1),
        ("store", "failure", "", 1),
    }
    assert {(one.subject, one.source) for one in recorded} == {("test", "http:127.0.0.1")}


def test_the_default_transfer_syntaxes_are_those_of_the_standard() -> None:
    """PS3.18 Tables 8.7.3-2, 8.7.3-4 and 8.7.3-5, by hand."""
    expected = {
        "image/jpeg": 70,
        "image/jls": 80,
        "image/jp2": 90,
        "image/jpx": 92,
        "image/jphc": 201,
        "video/mp4": 102,
    }
    assert {kind: DEFAULT_SYNTAX[kind] for kind in expected} == {
        kind: f"1.2.840.10008.1.2.4.{number}" for kind, number in expected.items()
    }


_CHUNKS = st.sampled_from(
    [
        b"--b\r\n",
        b"--b\n",
        b"--b--",
        b"\r\n\r\n",
        b"\n\n",
        b"\r\n",
        b"Content-Type: ",
        b"application/dicom",
        b"application/dicom+json",
        b"application/dicom+xml",
        b"image/jpeg",
        b"; transfer-syntax=1.2",
        b"Content-Location: x",
        b"Content-ID: <x>",
        b"Content-Transfer-Encoding: base64",
        b'[{"00080018":{"vr":"UI","Value":["1.2"]},"7FE00010":{"vr":"OW","BulkDataURI":"x"}}]',
        b"<NativeDicomModel>",
        bytes(128) + b"DICM",
        b"\x08\x00\x18\x00UI\x04\x001.2\0",
    ]
)


@given(
    body=st.lists(_CHUNKS | st.binary(max_size=20), max_size=14).map(b"".join),
    kind=st.sampled_from([TYPE, JSON_TYPE, "application/dicom", "application/dicom+json", "application/dicom+xml"]),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_makes_the_archive_fail(filled: "Site", body: bytes, kind: str) -> None:
    """Whatever is posted, the answer is one of the standard's and never an error of ours."""
    client = filled.client()
    response = client.post("/dicom-web/studies", content=body, headers={"Content-Type": kind})
    client.close()
    assert response.status_code in {200, 202, 400, 409, 413, 415}, response.text
