import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom
import pytest
from PIL import Image

from pacs.errors import InvalidRequest
from viewer_api.dicomweb.looks import parse_viewport
from viewer_api.iiif import parse_identifier

if TYPE_CHECKING:
    from tests.viewer_api.conftest import Site

PNG = {"Accept": "image/png"}


def uids(path: Path) -> tuple[str, str, str]:
    """Study, Series and SOP Instance UID of a file."""
    data_set = pydicom.dcmread(path, stop_before_pixels=True)
    return data_set.StudyInstanceUID, data_set.SeriesInstanceUID, data_set.SOPInstanceUID


def address(path: Path) -> str:
    study, series, instance = uids(path)
    return f"/dicom-web/studies/{study}/series/{series}/instances/{instance}"


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def test_a_picture_is_what_the_window_says(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """``rendered`` with a window equals the formula of PS3.3 C.11.2.1.2 on the Hounsfield values."""
    path = pydicom_file("CT_small.dcm")
    response = filled.client().get(f"{address(path)}/rendered", params={"window": "40,400,linear"}, headers=PNG)
    assert response.headers["content-type"] == "image/png"
    original = pydicom.dcmread(path)
    values = original.pixel_array * float(original.RescaleSlope) + float(original.RescaleIntercept)
    expected = np.clip((values - 39.5) / 399 + 0.5, 0, 1) * 255
    assert np.abs(pixels(response.content) - expected).max() <= 0.51


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small_bigendian.dcm", "examples_rgb_color.dcm", "examples_palette.dcm",
             "examples_ybr_color.dcm", "JPEG2000.dcm", "SC_rgb_jpeg_gdcm.dcm"],
)  # fmt: skip
def test_a_tile_equals_the_crop_of_the_full_rendering(
    filled: "Site", pydicom_file: Callable[[str], Path], name: str
) -> None:
    """Tiles fit together without seams: each is exactly its part of the whole."""
    path = pydicom_file(name)
    client = filled.client()
    whole = pixels(client.get(f"{address(path)}/frames/1/rendered", headers=PNG).content)
    height, width = whole.shape[:2]
    left, top, wide, high = width // 4, height // 3, width // 2, height // 2
    identifier = f"{uids(path)[2]}:1"
    tile = client.get(f"/iiif/{identifier}/{left},{top},{wide},{high}/max/0/default.png")
    assert tile.status_code == 200, tile.text
    assert np.array_equal(pixels(tile.content), whole[top : top + high, left : left + wide])
    assert whole.std() > 1, "the picture is blank"


def test_a_smaller_size_looks_like_the_whole(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """A reduced level is the same picture, not another one."""
    path = pydicom_file("CT_small.dcm")
    client = filled.client()
    identifier = f"{uids(path)[2]}:1:40,400"
    whole = Image.open(io.BytesIO(client.get(f"/iiif/{identifier}/full/max/0/default.png").content))
    small = pixels(client.get(f"/iiif/{identifier}/full/64,/0/default.png").content)
    assert small.shape == (64, 64)
    expected = np.asarray(whole.resize((64, 64), Image.Resampling.BOX)).astype(int)
    assert np.abs(small - expected).mean() < 12


def test_the_information_describes_the_image(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """``info.json`` says size, tiles and its own address (IIIF Image API 3, section 5)."""
    path = pydicom_file("examples_rgb_color.dcm")
    response = filled.client().get(f"/iiif/{uids(path)[2]}:1/info.json")
    document = response.json()
    assert (document["width"], document["height"]) == (320, 240)
    assert document["id"] == f"{filled.address}/iiif/{uids(path)[2]}:1"
    assert (document["type"], document["profile"]) == ("ImageService3", "level1")
    assert response.headers["content-type"].startswith("application/ld+json")


def test_a_tile_is_kept_by_the_browser(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """A tile's address names content that never changes: private, immutable, with a strong tag."""
    client = filled.client()
    tile = f"/iiif/{uids(pydicom_file('CT_small.dcm'))[2]}:1/full/max/0/default.jpg"
    first = client.get(tile)
    assert "immutable" in first.headers["cache-control"]
    assert "private" in first.headers["cache-control"]
    assert client.get(tile, headers={"If-None-Match": first.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "image/webp"])
def test_pictures_come_in_the_format_asked(
    filled: "Site", pydicom_file: Callable[[str], Path], media_type: str
) -> None:
    """Accept decides between JPEG, PNG and WebP."""
    response = filled.client().get(f"{address(pydicom_file('CT_small.dcm'))}/rendered", headers={"Accept": media_type})
    assert response.headers["content-type"] == media_type
    assert Image.open(io.BytesIO(response.content)).format == media_type.partition("/")[2].upper()


def test_thumbnails_of_study_series_instance_and_frame(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """Each level has its small picture, with its proportions."""
    path = pydicom_file("examples_ybr_color.dcm")
    study, series, _ = uids(path)
    client = filled.client()
    for where in (
        f"/dicom-web/studies/{study}/thumbnail",
        f"/dicom-web/studies/{study}/series/{series}/thumbnail",
        f"{address(path)}/thumbnail",
        f"{address(path)}/frames/30/thumbnail",
    ):
        response = client.get(where)
        assert response.status_code == 200, where
        assert pixels(response.content).shape == (96, 128, 3)


def test_a_viewport_scales_and_cuts(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """PS3.18 8.3.5.1.2: the region fits into the viewport, proportions kept."""
    where = f"{address(pydicom_file('examples_rgb_color.dcm'))}/rendered"
    client = filled.client()
    assert pixels(client.get(where, params={"viewport": "160,160"}).content).shape == (120, 160, 3)
    part = client.get(where, params={"viewport": "100,100,10,20,50,40"}, headers=PNG)
    whole = client.get(where, headers=PNG)
    assert np.array_equal(pixels(part.content), pixels(whole.content)[20:60, 10:60])


@pytest.mark.parametrize("text", ["1", "1,2,3", "a,b", "0,0", "100,100,999,0,5,5", "-5,5", "1e99,5", "nan,1", "inf,5"])
def test_a_senseless_viewport_is_refused(text: str) -> None:
    """Nothing is guessed from numbers that make no picture."""
    with pytest.raises(InvalidRequest):
        parse_viewport(text, 320, 240)


@pytest.mark.parametrize(
    "text", ["", "1.2.3", "1.2.3:0", "1.2.3:x", ":1", "../x:1", "1.2.3:1:40", "1.2.3:1:40,0", "1.2:²"]
)
def test_a_senseless_identifier_is_refused(text: str) -> None:
    """An identifier is an instance, a frame, and perhaps a window."""
    with pytest.raises(InvalidRequest):
        parse_identifier(text)


def test_what_has_no_picture_says_so(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """A report cannot be rendered (406), a wrong region or frame is a problem, none is a blank picture."""
    client = filled.client()
    report = pydicom_file("reportsi.dcm")
    assert client.get(f"{address(report)}/rendered").status_code == 406
    assert client.get(f"/iiif/{uids(report)[2]}:1/full/max/0/default.jpg").status_code == 406
    ct = uids(pydicom_file("CT_small.dcm"))[2]
    assert client.get(f"/iiif/{ct}:2/full/max/0/default.jpg").status_code == 404
    assert client.get(f"/iiif/{ct}:1/500,500,9,9/max/0/default.jpg").status_code == 400
    assert client.get("/iiif/1.2.3:1/info.json").status_code == 404
    assert client.get(f"{address(pydicom_file('CT_small.dcm'))}/rendered?window=1").status_code == 400
    assert client.get(f"{address(pydicom_file('CT_small.dcm'))}/rendered?quality=0").status_code == 400
