import io
import json
import zlib
from collections.abc import Callable
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
from httpx import Response
from pydicom.pixels.utils import pixel_array

if TYPE_CHECKING:
    from tests.viewer_api.conftest import Site

OCTETS = 'multipart/related; type="application/octet-stream"'
HTJ2K = "1.2.840.10008.1.2.4.202"
CT = "CT_small.dcm"


def parts_of(response: Response) -> list[tuple[str, bytes]]:
    """Content type and content of each part, by Python's own parser of MIME."""
    head = f"Content-Type: {response.headers['content-type']}\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    message = BytesParser().parsebytes(head.encode() + response.content)
    payloads: list[Any] = message.get_payload()  # type: ignore[assignment]  # a multipart has a list
    return [(part["Content-Type"], part.get_payload(decode=True)) for part in payloads]


def address_of(path: Path) -> str:
    """The address of the instance in a file."""
    data_set = pydicom.dcmread(path, stop_before_pixels=True)
    return (
        f"/dicom-web/studies/{data_set.StudyInstanceUID}/series/{data_set.SeriesInstanceUID}"
        f"/instances/{data_set.SOPInstanceUID}"
    )


def test_studies_are_found_with_addresses_and_a_warning_when_more_remain(filled: "Site") -> None:
    """QIDO-RS answers DICOM JSON; each result says where it is, and the rest is announced (PS3.18 8.3.4.4)."""
    client = filled.client()
    first = client.get("/dicom-web/studies", params={"limit": 2})
    assert first.headers["content-type"] == "application/dicom+json"
    assert len(first.json()) == 2
    assert "additional results that can be requested" in first.headers["warning"]
    rest = client.get("/dicom-web/studies", params={"offset": 2})
    assert "warning" not in rest.headers
    for item in first.json() + rest.json():
        uid = item["0020000D"]["Value"][0]
        assert item["00081190"]["Value"] == [f"{filled.address}/dicom-web/studies/{uid}"]
        assert list(item) == sorted(item)


def test_a_search_without_results_is_an_empty_list(filled: "Site") -> None:
    """Viewers parse every body, so there is one."""
    response = filled.client().get("/dicom-web/studies", params={"PatientID": "nobody"})
    assert (response.status_code, response.json()) == (200, [])


def test_every_level_is_found_below_and_beside_its_parents(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """The six search resources of PS3.18 Table 10.6.1-1 find the same instance."""
    instance = address_of(pydicom_file(CT))
    study, series, uid = instance.split("/")[3], instance.split("/")[5], instance.split("/")[7]
    client = filled.client()
    for path, tag, value in (
        (f"studies/{study}/series", "0020000E", series),
        (f"series?StudyInstanceUID={study}", "0020000E", series),
        (f"studies/{study}/series/{series}/instances", "00080018", uid),
        (f"studies/{study}/instances", "00080018", uid),
        (f"instances?SeriesInstanceUID={series}", "00080018", uid),
    ):
        (item,) = client.get(f"/dicom-web/{path}").json()
        assert item[tag]["Value"] == [value], path
    assert item["00081190"]["Value"] == [f"{filled.address}{instance}"]


def test_nonsense_in_a_search_is_refused_as_a_problem(filled: "Site") -> None:
    """A wrong parameter is a 400 problem, never an unfiltered list."""
    response = filled.client().get("/dicom-web/studies", params={"NoSuchKeyword": "x"})
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


def test_metadata_is_complete_and_its_references_lead_somewhere(
    filled: "Site", pydicom_file: Callable[[str], Path]
) -> None:
    """Metadata says what the instance says; each BulkDataURI gives the bytes of its value."""
    path = pydicom_file(CT)
    client = filled.client()
    (found,) = client.get(f"{address_of(path)}/metadata").json()
    original = pydicom.dcmread(path)
    assert found["00280010"]["Value"] == [original.Rows]
    assert found["00100010"]["Value"] == [{"Alphabetic": str(original.PatientName)}]
    reference = found["7FE00010"]["BulkDataURI"]
    assert reference.startswith(f"{filled.address}/dicom-web/")
    single = client.get(reference, headers={"Accept": "application/octet-stream"})
    assert single.content == original.PixelData
    ((_, part),) = parts_of(client.get(reference, headers={"Accept": OCTETS}))
    assert part == original.PixelData


def test_metadata_travels_in_gzip_and_is_asked_for_once(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """A client that takes gzip gets it; one that holds the answer gets 304."""
    client = filled.client()
    study = address_of(pydicom_file(CT)).rsplit("/series", 1)[0]
    with client.stream("GET", f"{study}/metadata", headers={"Accept-Encoding": "gzip"}) as response:
        raw = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == "gzip"
    assert len(json.loads(zlib.decompress(raw, 31))) == 1
    kept = client.get(f"{study}/metadata", headers={"If-None-Match": response.headers["etag"]})
    assert (kept.status_code, kept.content) == (304, b"")


@pytest.mark.parametrize("name", [CT, "MR_small_bigendian.dcm", "examples_rgb_color.dcm", "rtdose.dcm"])
def test_an_uncompressed_instance_comes_back_uncompressed(
    site: "Site", pydicom_file: Callable[[str], Path], name: str
) -> None:
    """Asked for nothing special, the archive gives Explicit VR Little Endian with the pixels as they were."""
    path = pydicom_file(name)
    site.receive(path.read_bytes())
    site.file()
    original = pydicom.dcmread(path)
    ((content_type, body),) = parts_of(site.client().get(address_of(path)))
    assert content_type == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    back = pydicom.dcmread(io.BytesIO(body))
    assert back.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert np.array_equal(back.pixel_array, original.pixel_array)
    back.PixelData = original.PixelData = b""
    assert [(e.tag, e.value) for e in back if e.VR != "SQ"] == [
        (e.tag, e.value) for e in original if e.VR != "SQ" and e.tag.element
    ]


def test_an_instance_comes_as_stored_and_as_received(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """``transfer-syntax=*`` gives our HTJ2K; the received transfer syntax gives the received bytes."""
    path = pydicom_file(CT)
    client = filled.client()
    stored = client.get(address_of(path), headers={"Accept": "application/dicom; transfer-syntax=*"})
    assert stored.headers["content-type"] == f"application/dicom; transfer-syntax={HTJ2K}"
    assert pydicom.dcmread(io.BytesIO(stored.content)).file_meta.TransferSyntaxUID == HTJ2K
    received = client.get(
        address_of(path), headers={"Accept": 'application/dicom; transfer-syntax="1.2.840.10008.1.2.1"'}
    )
    assert received.content.endswith(path.read_bytes()[-30000:])


def test_a_jpeg_instance_can_be_had_uncompressed(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """What came compressed is decoded, and its attributes say what the colours are now."""
    path = pydicom_file("examples_ybr_color.dcm")
    ((_, body),) = parts_of(filled.client().get(address_of(path)))
    back = pydicom.dcmread(io.BytesIO(body))
    assert (back.PhotometricInterpretation, back.NumberOfFrames) == ("RGB", 30)
    expected = pixel_array(path, index=7)  # as RGB
    difference = np.abs(back.pixel_array[7].astype(int) - expected.astype(int))
    assert difference.mean() < 3  # decoders round YBR differently


def test_frames_as_stored_and_uncompressed(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """Viewers get the stored codestream for ``*``, the plain values when they name nothing."""
    path = pydicom_file(CT)
    client = filled.client()
    frame = f"{address_of(path)}/frames/1"
    ((kind, stored),) = parts_of(client.get(frame, headers={"Accept": f"{OCTETS}; transfer-syntax=*"}))
    assert kind == f"application/octet-stream; transfer-syntax={HTJ2K}"
    assert stored.startswith(b"\xff\x4f\xff\x51")
    ((_, plain),) = parts_of(client.get(frame, headers={"Accept": OCTETS}))
    assert plain == pydicom.dcmread(path).PixelData
    ((kind, also),) = parts_of(client.get(frame, headers={"Accept": "multipart/related; type=image/jphc"}))
    assert (kind, also) == (f"image/jphc; transfer-syntax={HTJ2K}", stored)


def test_several_frames_come_in_the_order_asked(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """A list of frames is a list of parts; numbers outside are not found."""
    path = pydicom_file("examples_ybr_color.dcm")
    client = filled.client()
    parts = parts_of(client.get(f"{address_of(path)}/frames/3,1", headers={"Accept": "*/*"}))
    assert [kind.split(";")[0] for kind, _ in parts] == ["image/jpeg", "image/jpeg"]
    alone = parts_of(client.get(f"{address_of(path)}/frames/1", headers={"Accept": "*/*"}))
    assert parts[1] == alone[0]
    assert client.get(f"{address_of(path)}/frames/31").status_code == 404
    assert client.get(f"{address_of(path)}/frames/0").status_code == 404
    assert client.get(f"{address_of(path)}/frames/1,x").status_code == 400


def test_the_planes_of_a_colour_frame_stay_planes(site: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """The metadata says Planar Configuration 1, so the uncompressed frame is in planes."""
    data_set = pydicom.dcmread(pydicom_file("examples_rgb_color.dcm"))
    pixels = data_set.pixel_array
    data_set.PixelData = np.ascontiguousarray(pixels.transpose(2, 0, 1)).tobytes()
    data_set.PlanarConfiguration = 1
    file = io.BytesIO()
    data_set.save_as(file)
    site.receive(file.getvalue())
    site.file()
    address = address_of(pydicom_file("examples_rgb_color.dcm"))
    ((_, frame),) = parts_of(site.client().get(f"{address}/frames/1", headers={"Accept": OCTETS}))
    assert frame == data_set.PixelData


def test_the_beginning_of_a_frame_can_be_read_first(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """Ranges of a single-part frame are answered with 206, as progressive viewers ask."""
    client = filled.client()
    frame = f"{address_of(pydicom_file(CT))}/frames/1"
    headers = {"Accept": "image/jphc"}
    whole = client.get(frame, headers=headers)
    first = client.get(frame, headers=headers | {"Range": "bytes=0-99"})
    rest = client.get(frame, headers=headers | {"Range": "bytes=100-"})
    assert (whole.status_code, first.status_code) == (200, 206)
    assert first.headers["content-range"] == f"bytes 0-99/{len(whole.content)}"
    assert first.content + rest.content == whole.content
    assert client.get(frame, headers=headers | {"Range": "bytes=9999999-"}).status_code == 416


def test_what_cannot_be_given_is_not_acceptable(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """A media type that is not held is refused with 406 and what could be had."""
    response = filled.client().get(address_of(pydicom_file(CT)), headers={"Accept": "text/html"})
    assert response.status_code == 406
    assert "application/dicom" in response.json()["title"]


@pytest.mark.parametrize(
    "path", ["studies/1.2.3/metadata", "studies/1.2.3", "studies/1.2.3/series/4/instances/5/frames/1"]
)
def test_what_is_not_there_is_not_found(site: "Site", path: str) -> None:
    """An unknown UID is a 404 problem on every resource."""
    response = site.client().get(f"/dicom-web/{path}")
    assert (response.status_code, response.json()["status"]) == (404, 404)
