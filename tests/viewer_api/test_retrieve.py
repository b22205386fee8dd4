"""Retrieve: each test names the section of PS3.18 that it shows; docs/conformance.md lists them."""

import io
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.fileset import FileSet
from pydicom.uid import UID, generate_uid

from storage.archive import Archive
from storage.cache import PackCache
from tests.viewer_api.test_dicomweb import OCTETS, address_of, parts_of

if TYPE_CHECKING:
    from tests.viewer_api.conftest import Site

PYDICOM_FILES = Path(pydicom.data.__file__).parent / "test_files"
CT, YBR, REPORT, RGB = "CT_small.dcm", "examples_ybr_color.dcm", "reportsi.dcm", "examples_rgb_color.dcm"
HTJ2K, J2K, JPEG_LS, JPEG = (f"1.2.840.10008.1.2.4.{number}" for number in (202, 90, 80, 50))
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
MPEG4 = "1.2.840.10008.1.2.4.102"


@dataclass(frozen=True, slots=True)
class Reads:
    """Where the archive read of packs, and how much."""

    lengths: list[int]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Counts what is really read of packs; the reading itself is the real one."""
    counted = Reads([])
    read = PackCache.read

    def counting(self: PackCache, key: str, offset: int, length: int) -> bytes:
        counted.lengths.append(length)
        return read(self, key, offset, length)

    monkeypatch.setattr(PackCache, "read", counting)
    return counted


def image(rows: int, columns: int, frames: list[bytes], uid: str, **attributes: Any) -> bytes:
    """A Part 10 file of a new instance whose Pixel Data are these frames."""
    data_set = pydicom.dcmread(PYDICOM_FILES / CT)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(data_set, keyword, generate_uid())
    data_set.Rows, data_set.Columns, data_set.NumberOfFrames = rows, columns, len(frames)
    for keyword, value in attributes.items():
        setattr(data_set, keyword, value)
    data_set.file_meta.TransferSyntaxUID = UID(uid)
    compressed = UID(uid).is_compressed
    data_set.PixelData = encapsulate(frames) if compressed else b"".join(frames)
    if compressed:
        data_set["PixelData"].is_undefined_length = True
    file = io.BytesIO()
    data_set.save_as(file, enforce_file_format=True)
    return file.getvalue()


def where(part10: bytes) -> str:
    """The address of the instance in a file."""
    data_set = pydicom.dcmread(io.BytesIO(part10), stop_before_pixels=True)
    return (
        f"/dicom-web/studies/{data_set.StudyInstanceUID}/series/{data_set.SeriesInstanceUID}"
        f"/instances/{data_set.SOPInstanceUID}"
    )


@pytest.fixture(scope="module")
def large(filled: "Site") -> str:
    """The address of an image of 8 MiB that compresses badly, so that reading all of it would show."""
    noise = np.random.default_rng(3).integers(0, 4096, (2048, 2048), np.uint16)
    part10 = image(2048, 2048, [noise.tobytes()], EXPLICIT, BitsStored=12, HighBit=11, PixelRepresentation=0)
    filled.receive(part10)
    filled.file()
    return where(part10)


@pytest.mark.parametrize("uid", [EXPLICIT, IMPLICIT, HTJ2K, J2K, JPEG_LS])
def test_an_instance_in_the_transfer_syntax_asked(
    filled: "Site", pydicom_file: Callable[[str], Path], uid: str
) -> None:
    """PS3.18 8.7.3.3, 10.4.1.1.1: converted on request, named in the part, quoted or not."""
    path = pydicom_file(CT)
    for accept in (f'application/dicom; transfer-syntax="{uid}"', f"application/dicom;transfer-syntax={uid}"):
        answer = filled.client().get(address_of(path), headers={"Accept": accept})
        assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={uid}"
    assert pydicom.dcmread(io.BytesIO(answer.content)).file_meta.TransferSyntaxUID == uid


def test_a_study_in_the_transfer_syntax_asked_is_complete_or_says_so(
    filled: "Site", pydicom_file: Callable[[str], Path]
) -> None:
    """PS3.18 Table 10.4.3-1: a report has no JPEG 2000: that alone is 406, a second choice comes."""
    study = address_of(pydicom_file(REPORT)).rsplit("/series", 1)[0]
    only = f'multipart/related; type="application/dicom"; transfer-syntax={J2K}'
    refused = filled.client().get(study, headers={"Accept": only})
    assert (refused.status_code, refused.headers["content-type"]) == (406, "application/problem+json")
    assert "available" in refused.json()["title"]
    either = filled.client().get(study, headers={"Accept": f"{only}, multipart/related;type=application/dicom;q=0.1"})
    assert [kind for kind, _ in parts_of(either)] == [f"application/dicom; transfer-syntax={EXPLICIT}"]


def test_some_of_a_study_is_206(site: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """PS3.18 Table 10.4.3-1: only some instances can be had in what is acceptable."""
    report = pydicom.dcmread(pydicom_file(REPORT))
    ct = pydicom.dcmread(pydicom_file(CT))
    ct.StudyInstanceUID, ct.PatientID = report.StudyInstanceUID, report.PatientID
    file = io.BytesIO()
    ct.save_as(file)
    for part10 in (file.getvalue(), pydicom_file(REPORT).read_bytes()):
        site.receive(part10)
    site.file()
    study = f"/dicom-web/studies/{report.StudyInstanceUID}"
    accept = f'multipart/related; type="application/dicom"; transfer-syntax={JPEG_LS}'
    some = site.client().get(study, headers={"Accept": accept})
    assert (some.status_code, len(parts_of(some))) == (206, 1)
    everything = site.client().get(study)
    assert (everything.status_code, len(parts_of(everything))) == (200, 2)
    assert {part.partition(";")[0] for part, _ in parts_of(everything)} == {"application/dicom"}


def test_one_image_that_cannot_be_converted_does_not_cost_the_study(
    site: "Site", pydicom_file: Callable[[str], Path]
) -> None:
    """PS3.18 8.7.3.3: a dose of 32 bits has no JPEG-LS; it comes as received, and its part says so."""
    dose, ct = pydicom.dcmread(pydicom_file("rtdose.dcm")), pydicom.dcmread(pydicom_file(CT))
    ct.StudyInstanceUID, ct.PatientID = dose.StudyInstanceUID, dose.PatientID
    file = io.BytesIO()
    ct.save_as(file)
    for part10 in (file.getvalue(), pydicom_file("rtdose.dcm").read_bytes()):
        site.receive(part10)
    site.file()
    wanted = {"Accept": f'multipart/related; type="application/dicom"; transfer-syntax={JPEG_LS}'}
    study = f"/dicom-web/studies/{dose.StudyInstanceUID}"
    kinds = {kind.rpartition("=")[2] for kind, _ in parts_of(site.client().get(study, headers=wanted))}
    assert kinds == {JPEG_LS, dose.file_meta.TransferSyntaxUID}
    alone = f"{study}/series/{dose.SeriesInstanceUID}/instances/{dose.SOPInstanceUID}"
    assert site.client().get(alone, headers=wanted).status_code == 406


def test_the_accept_parameter_replaces_the_header(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """PS3.18 8.3.3.1: a link says what it wants, whatever the browser's header says."""
    metadata = f"{address_of(pydicom_file(CT))}/metadata"
    header = {"Accept": "text/html"}
    assert filled.client().get(metadata, headers=header).status_code == 406
    assert filled.client().get(f"{metadata}?accept=application/dicom+json", headers=header).status_code == 200
    assert filled.client().get(f"{metadata}?accept=image/png", headers={"Accept": "*/*"}).status_code == 406


@pytest.mark.parametrize(
    ("accept", "decode"),
    [("image/jls", imagecodecs.jpegls_decode), ("image/jp2", imagecodecs.jpeg2k_decode)],
)
def test_a_frame_in_another_compression(
    filled: "Site", pydicom_file: Callable[[str], Path], accept: str, decode: Callable[[bytes], Any]
) -> None:
    """PS3.18 8.7.3.5, Table 8.7.3-5: the same values in a codestream of the media type asked."""
    path = pydicom_file(CT)
    answer = filled.client().get(f"{address_of(path)}/frames/1", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith(f"{accept}; transfer-syntax=")
    assert np.array_equal(decode(answer.content).astype(np.int16), pydicom.dcmread(path).pixel_array)


def test_lossy_only_by_name_and_eight_bits(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """PS3.18 8.7.3: JPEG Baseline for whom names it; not of 16 bits, and then the next range counts."""
    colour = f"{address_of(pydicom_file(RGB))}/frames/1"
    named = f"image/jpeg; transfer-syntax={JPEG}"
    answer = filled.client().get(colour, headers={"Accept": named})
    assert imagecodecs.jpeg8_decode(answer.content).shape == (240, 320, 3)
    assert filled.client().get(colour, headers={"Accept": "image/jpeg"}).status_code == 406
    ct = f"{address_of(pydicom_file(CT))}/frames/1"
    assert filled.client().get(ct, headers={"Accept": named}).status_code == 406
    second = filled.client().get(ct, headers={"Accept": f"{named}, application/octet-stream;q=0.5"})
    assert second.headers["content-type"] == f"application/octet-stream; transfer-syntax={EXPLICIT}"


def test_the_beginning_of_a_frame_costs_its_own_bytes(filled: "Site", large: str, reads: Reads) -> None:
    """RFC 9110 14 on PS3.18 10.4.1.1.6: the first 64 KiB of a frame are 64 KiB of the pack, the rest comes streamed."""
    headers = {"Accept": "image/jphc", "Range": "bytes=0-65535"}
    part = filled.client().get(f"{large}/frames/1", headers=headers)
    assert part.status_code == 206
    assert sum(reads.lengths) == len(part.content) == 65536 == int(part.headers["content-length"])
    total = int(part.headers["content-range"].rpartition("/")[2])
    assert total > 4 * 1024 * 1024
    reads.lengths.clear()
    rest = filled.client().get(f"{large}/frames/1", headers={"Accept": "image/jphc", "Range": "bytes=65536-"})
    assert (rest.status_code, len(rest.content), sum(reads.lengths)) == (206, total - 65536, total - 65536)
    assert max(reads.lengths) <= 1024 * 1024
    whole = filled.client().get(f"{large}/frames/1", headers={"Accept": "image/jphc"})
    assert (whole.status_code, whole.headers["accept-ranges"], whole.content) == (
        200,
        "bytes",
        part.content + rest.content,
    )
    assert int(whole.headers["content-length"]) == total


def test_a_range_holds_only_for_the_frame_it_was_begun_with(filled: "Site", large: str) -> None:
    """RFC 9110 13.1: If-None-Match gives 304, If-Range of something else the whole, a range outside 416."""
    frame, client = f"{large}/frames/1", filled.client()
    first = client.get(frame, headers={"Accept": "image/jphc", "Range": "bytes=0-9"})
    tag = first.headers["etag"]
    same = {"Accept": "image/jphc", "Range": "bytes=0-9"}
    assert client.get(frame, headers=same | {"If-Range": tag}).status_code == 206
    assert client.get(frame, headers=same | {"If-Range": '"another"'}).status_code == 200
    assert client.get(frame, headers={"Accept": "image/jphc", "If-None-Match": tag}).status_code == 304
    outside = client.get(frame, headers={"Accept": "image/jphc", "Range": "bytes=99999999-"})
    assert outside.status_code == 416
    assert outside.headers["content-range"].startswith("bytes */")
    assert client.get(f"{frame},1", headers={"Accept": OCTETS}).headers["accept-ranges"] == "none"


@pytest.fixture(scope="module")
def video(filled: "Site") -> tuple[str, bytes]:
    """The address of an MPEG-4 video in several fragments, and its bytes."""
    stream = b"\0\0\0\x18ftypmp42" + np.random.default_rng(5).bytes(3_000_000)
    half = len(stream) // 2
    part10 = image(64, 64, [stream[:half], stream[half:]], MPEG4, NumberOfFrames=30)
    filled.receive(part10)
    filled.file()
    return where(part10), stream


def test_a_video_is_served_in_ranges(filled: "Site", video: tuple[str, bytes]) -> None:
    """PS3.18 8.7.4, Table 8.7.4-1: rendered is the video itself with its media type; players ask for ranges."""
    address, stream = video
    client = filled.client()
    for path in (
        f"{address}/rendered",
        f"{address}/bulkdata/7FE00010",
        f"{address}/bulkdata/7FE00010?accept=video/mp4",
    ):
        part = client.get(path, headers={"Accept": "*/*", "Range": "bytes=1000-1999"})
        assert (part.status_code, part.content) == (206, stream[1000:2000]), path
        assert part.headers["content-type"].startswith("video/mp4")
        assert part.headers["content-range"] == f"bytes 1000-1999/{len(stream)}"
        assert client.get(path).content == stream
    assert client.get(f"{address}/rendered", headers={"Accept": "image/jpeg"}).status_code == 406
    whole = client.get(address, headers={"Accept": "application/dicom"})
    assert whole.headers["content-type"] == f"application/dicom; transfer-syntax={MPEG4}"


@pytest.fixture(scope="module")
def pdf(filled: "Site") -> tuple[str, bytes]:
    """The address of an encapsulated PDF of odd length, and the PDF."""
    document = b"%PDF-1.4\n" + b"x" * 5000 + b"\n%%EOF\n"
    data_set = pydicom.dcmread(PYDICOM_FILES / REPORT)
    del data_set.ContentSequence
    data_set.SOPClassUID = data_set.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.104.1")
    data_set.StudyInstanceUID, data_set.SOPInstanceUID = generate_uid(), generate_uid()
    data_set.MIMETypeOfEncapsulatedDocument = "application/pdf"
    data_set.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    data_set.EncapsulatedDocumentLength = len(document)
    file = io.BytesIO()
    data_set.save_as(file, enforce_file_format=True)
    filled.receive(file.getvalue())
    filled.file()
    return where(file.getvalue()), document


def test_a_document_is_served_as_what_it_is(filled: "Site", pdf: tuple[str, bytes]) -> None:
    """PS3.18 8.7.4: a PDF comes as application/pdf, in ranges, and may be shown in our own pages only."""
    address, document = pdf
    client = filled.client()
    for path in (f"{address}/rendered", f"{address}/bulkdata/00420011"):
        answer = client.get(path, headers={"Accept": "application/pdf"})
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (
            200,
            document,
            "application/pdf",
        )
        assert answer.headers["content-security-policy"] == "frame-ancestors 'self'"
        assert client.get(path, headers={"Accept": "application/pdf", "Range": "bytes=0-3"}).content == b"%PDF"
    ((kind, part),) = parts_of(client.get(f"{address}/bulkdata/00420011", headers={"Accept": OCTETS}))
    assert (kind, part.rstrip(b"\0")) == ("application/octet-stream", document)


def test_bulk_data_of_compressed_pixels_is_its_frames(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """PS3.18 10.4.1.1.7: one part for each frame, the same as the frames resource gives; ranges of a plain value."""
    path = pydicom_file(YBR)
    client = filled.client()
    parts = parts_of(client.get(f"{address_of(path)}/bulkdata/7FE00010", headers={"Accept": "*/*"}))
    assert len(parts) == 30
    assert parts[2] == parts_of(client.get(f"{address_of(path)}/frames/3", headers={"Accept": "*/*"}))[0]
    plain = f"{address_of(pydicom_file(CT))}/bulkdata/7FE00010"
    part = client.get(plain, headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, pydicom.dcmread(pydicom_file(CT)).PixelData[4:8])
    assert client.get(f"{address_of(path)}/bulkdata/00100010/9/00100010").status_code == 404


def test_rendered_at_every_level(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """PS3.18 10.4.1.1.3: study, series and lists of frames as a multipart of pictures, an instance as one."""
    instance = address_of(pydicom_file(YBR))
    client = filled.client()
    series, study = instance.rsplit("/instances", 1)[0], instance.rsplit("/series", 1)[0]
    many = {"Accept": 'multipart/related; type="image/png"'}
    for path, count in ((study, 1), (series, 1), (instance, 1), (f"{instance}/frames/1,2,30", 3)):
        parts = parts_of(client.get(f"{path}/rendered", headers=many))
        assert [kind for kind, _ in parts] == ["image/png"] * count, path
    assert client.get(f"{study}/rendered", params={"viewport": "x"}, headers=many).status_code == 400
    assert client.get(f"{instance}/frames/1,2/rendered", headers={"Accept": "image/png"}).status_code == 406
    assert client.get(f"{series}/rendered", headers={"Accept": "*/*"}).headers["content-type"] == "image/jpeg"
    report = address_of(pydicom_file(REPORT)).rsplit("/series", 1)[0]
    assert client.get(f"{report}/rendered").status_code == 404


def test_a_deflated_image_has_frames_and_pictures(site: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """PS3.5 A.5: the frames of a data set that came deflated are those of the inflated one."""
    path = pydicom_file("image_dfl.dcm")
    site.receive(path.read_bytes())
    site.file()
    client, original = site.client(), pydicom.dcmread(path)
    frame = client.get(f"{address_of(path)}/frames/1", headers={"Accept": "application/octet-stream"})
    assert frame.content == original.PixelData[: original.Rows * original.Columns * original.BitsAllocated // 8]
    assert client.get(f"{address_of(path)}/rendered").headers["content-type"] == "image/jpeg"
    for uid in ("*", JPEG_LS, EXPLICIT):
        accept = {"Accept": f"application/dicom; transfer-syntax={uid}"}
        assert client.get(address_of(path), headers=accept).status_code == 200


def test_single_bits_begin_in_a_byte(site: "Site") -> None:
    """PS3.18 8.7.3.5: a frame of a segmentation comes alone, although in the instance it shares bytes with others."""
    bits = np.random.default_rng(2).integers(0, 2, (3, 5, 7), np.uint8)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()  # of even length
    part10 = image(
        5, 7, [packed], EXPLICIT, NumberOfFrames=3, BitsAllocated=1, BitsStored=1, HighBit=0, PixelRepresentation=0
    )  # fmt: skip
    site.receive(part10)
    site.file()
    second = site.client().get(f"{where(part10)}/frames/2", headers={"Accept": "application/octet-stream"})
    assert second.content == np.packbits(bits[1].ravel(), bitorder="little").tobytes()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "{address}"),
        ({"Host": "127.0.0.1"}, "{address}"),  # dicomweb-client for Python leaves the port out
        ({"Host": "pacs.example", "X-Forwarded-Proto": "http"}, "http://pacs.example"),
        ({"Host": "pacs.example:8443", "X-Forwarded-For": "10.0.0.1"}, "http://pacs.example:8443"),
        (
            {"Host": "pacs.example", "X-Forwarded-For": "1.1.1.1", "X-Forwarded-Prefix": "/pacs"},
            "http://pacs.example/pacs",
        ),
        ({"Host": "pacs.example", "X-Forwarded-For": "1.1.1.1", "X-Forwarded-Prefix": '/x"<'}, "http://pacs.example"),
    ],
)
def test_references_lead_back_the_way_the_client_came(
    filled: "Site", pydicom_file: Callable[[str], Path], headers: dict[str, str], expected: str
) -> None:
    """PS3.18 F.2.2: BulkDataURI is absolute, with the port a client left out and the prefix a proxy puts before us."""
    (found,) = filled.client().get(f"{address_of(pydicom_file(CT))}/metadata", headers=headers).json()
    root = expected.format(address=filled.address)
    assert found["7FE00010"]["BulkDataURI"] == f"{root}{address_of(pydicom_file(CT))}/bulkdata/7FE00010"


@pytest.mark.parametrize(
    ("coding", "decode"), [("gzip", imagecodecs.gzip_decode), ("zstd", imagecodecs.zstd_decode), ("", bytes)]
)
def test_metadata_in_the_coding_the_client_takes(
    filled: "Site", pydicom_file: Callable[[str], Path], coding: str, decode: Callable[[bytes], bytes], reads: Reads
) -> None:
    """RFC 9110 12.5.3 on PS3.18 10.4.1.1.2: the second request for a series reads nothing of the packs."""
    series = address_of(pydicom_file(CT)).rsplit("/instances", 1)[0]
    for _ in range(2):
        reads.lengths.clear()
        with filled.client().stream("GET", f"{series}/metadata", headers={"Accept-Encoding": coding}) as answer:
            raw = b"".join(answer.iter_raw())
        assert answer.headers.get("content-encoding", "") == coding
        assert len(json.loads(decode(raw))) == 1
    assert reads.lengths == []


@pytest.fixture(scope="module")
def mixed(filled: "Site", pydicom_file: Callable[[str], Path]) -> str:
    """The address of a study with an image, a report, and a name in Vietnamese."""
    study = generate_uid()
    for name in (CT, REPORT, RGB):
        data_set = pydicom.dcmread(pydicom_file(name))
        data_set.SpecificCharacterSet, data_set.PatientName = "ISO_IR 192", "NGUYỄN^VĂN ĐỨC"
        data_set.StudyInstanceUID, data_set.PatientID = study, "P1"
        data_set.SeriesInstanceUID, data_set.SOPInstanceUID = generate_uid(), generate_uid()
        file = io.BytesIO()
        data_set.save_as(file)
        filled.receive(file.getvalue())
    filled.file()
    return f"/dicom-web/studies/{study}"


def test_a_study_as_zip(filled: "Site", mixed: str, tmp_path: Path) -> None:
    """PS3.18 10.4, application/zip: every instance once, under names made of UIDs, streamed."""
    answer = filled.client().get(mixed, headers={"Accept": "application/zip; transfer-syntax=*"})
    assert answer.headers["content-type"] == "application/zip"
    assert "content-length" not in answer.headers
    with ZipFile(io.BytesIO(answer.content)) as found:
        assert found.testzip() is None
        names = found.namelist()
        assert len(names) == 3
        for name in names:
            data_set = pydicom.dcmread(io.BytesIO(found.read(name)))
            uids = (data_set.StudyInstanceUID, data_set.SeriesInstanceUID, data_set.SOPInstanceUID)
            assert name == "/".join(uids) + ".dcm"


@pytest.mark.parametrize("how", ["parameter", "media type"])
def test_a_study_as_zip_with_dicomdir(filled: "Site", mixed: str, tmp_path: Path, how: str) -> None:
    """PS3.10 8, PS3.3 F: the directory names every file, in Vietnamese too, and DCMTK and pydicom read it."""
    query = "?dicomdir=true" if how == "parameter" else ""
    accept = "application/zip" if query else "application/zip; dicomdir=true"
    answer = filled.client().get(f"{mixed}{query}", headers={"Accept": accept})
    with ZipFile(io.BytesIO(answer.content)) as found:
        found.extractall(tmp_path)
    files = FileSet(tmp_path / "DICOMDIR")
    assert len(files) == 3
    assert {str(instance.PatientName) for instance in files} == {"NGUYỄN^VĂN ĐỨC"}
    for instance in files:
        data_set = pydicom.dcmread(instance.path)
        assert data_set.SOPInstanceUID == instance.ReferencedSOPInstanceUIDInFile
        assert data_set.file_meta.TransferSyntaxUID == instance.ReferencedTransferSyntaxUIDInFile
    kinds = sorted(
        record.DirectoryRecordType for record in pydicom.dcmread(tmp_path / "DICOMDIR").DirectoryRecordSequence
    )
    assert kinds == ["IMAGE", "IMAGE", "PATIENT", "SERIES", "SERIES", "SERIES", "SR DOCUMENT", "STUDY"]
    files._stage["t"].cleanup()  # a folder that pydicom makes and leaves to the garbage collector
    dump = subprocess.run(["dcmdump", tmp_path / "DICOMDIR"], check=True, capture_output=True)
    assert b"W:" not in dump.stderr
    assert b"E:" not in dump.stderr


WADO = {"requestType": "WADO"}


def wado(path: Path, **parameters: str) -> dict[str, str]:
    """Parameters of WADO-URI for the instance in a file."""
    _, _, _, study, _, series, _, instance = address_of(path).split("/")
    return WADO | {"studyUID": study, "seriesUID": series, "objectUID": instance} | parameters


def test_wado_uri_gives_objects(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """PS3.18 9.4: application/dicom in Explicit VR Little Endian or the transferSyntax asked; reports by default so."""
    client, ct = filled.client(), pydicom_file(CT)
    for parameters, uid in (({}, EXPLICIT), ({"transferSyntax": JPEG_LS}, JPEG_LS), ({"transferSyntax": "*"}, HTJ2K)):
        answer = client.get("/wado", params=wado(ct, contentType="application/dicom", **parameters))
        assert answer.headers["content-type"].startswith("application/dicom")
        assert pydicom.dcmread(io.BytesIO(answer.content)).file_meta.TransferSyntaxUID == uid
    assert (
        client.get("/wado", params=wado(pydicom_file(REPORT))).headers["content-type"].startswith("application/dicom")
    )


def test_wado_uri_gives_pictures(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """PS3.18 9.5: JPEG by default; frame, window, size and region as their RESTful counterparts."""
    client, ct, us = filled.client(), pydicom_file(CT), pydicom_file(YBR)
    assert client.get("/wado", params=wado(ct)).headers["content-type"] == "image/jpeg"
    png = {"contentType": "image/png", "windowCenter": "40", "windowWidth": "400"}
    one = client.get("/wado", params=wado(ct, **png))
    other = client.get(f"{address_of(ct)}/rendered", params={"window": "40,400", "accept": "image/png"})
    assert one.content == other.content
    small = client.get(
        "/wado", params=wado(us, contentType="image/png", frameNumber="7", rows="60", region="0,0,0.5,0.5")
    )
    half = {"viewport": ",60,0,0,160,120", "accept": "image/png"}
    assert small.content == client.get(f"{address_of(us)}/frames/7/rendered", params=half).content


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"requestType": "X"}, 400),
        ({"objectUID": "1.2.3"}, 404),
        ({"contentType": "text/html"}, 406),
        ({"anonymize": "yes"}, 400),  # never with names to one who asked for none
        ({"frameNumber": "2"}, 404),
        ({"region": "0,0,2,1"}, 400),
        ({"windowCenter": "40"}, 400),
        ({"contentType": "application/dicom", "transferSyntax": JPEG}, 406),
    ],
)
def test_wado_uri_refuses_what_it_does_not_know(
    filled: "Site", pydicom_file: Callable[[str], Path], changed: dict[str, str], status: int
) -> None:
    """PS3.18 9.4.3: a readable problem, never another thing than was asked for."""
    answer = filled.client().get("/wado", params=wado(pydicom_file(CT)) | changed)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_retrieve_needs_a_session(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """PS3.18 8.5: WADO-URI and ZIP are no way around signing in."""
    client = filled.client(signed_in=False)
    assert client.get("/wado", params=wado(pydicom_file(CT))).status_code == 401
    assert client.get(address_of(pydicom_file(CT)), headers={"Accept": "application/zip"}).status_code == 401


def test_the_archive_is_asked_by_the_hospital_of_the_token(filled: "Site") -> None:
    """Every resource above goes through `Archive`, whose every method takes the hospital first."""
    for method in ("converted", "frame_ranged", "part10_ranged"):
        assert getattr(Archive, method).__code__.co_varnames[1] == "hospital"


def test_metadata_in_xml(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """PS3.18 8.7.3.2, 10.4.1.1.2: each instance a Native DICOM Model, one part each."""
    series = address_of(pydicom_file(CT)).rsplit("/instances", 1)[0]
    xml = {"Accept": 'multipart/related; type="application/dicom+xml"'}
    ((kind, part),) = parts_of(filled.client().get(f"{series}/metadata", headers=xml))
    assert kind == "application/dicom+xml"
    assert b'keyword="PatientName"' in part
    assert f'uri="{filled.address}/dicom-web/'.encode() in part
