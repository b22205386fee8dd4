from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.errors import InvalidRequest
from pacs.render import Window, fit, render
from pacs.render.tiles import (
    LARGEST,
    TILE,
    Plan,
    image_information,
    parse_quality,
    parse_region,
    parse_rotation,
    parse_size,
    plan,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("full", (0, 0, 300, 200)),
        ("square", (50, 0, 200, 200)),
        ("10,20,30,40", (10, 20, 30, 40)),
        ("250,150,100,100", (250, 150, 50, 50)),  # cut at the edge
        ("pct:10,10,50.5,50", (30, 20, 152, 100)),
    ],
)
def test_regions(text: str, expected: tuple[int, int, int, int]) -> None:
    """Section 4.1 on an image of 300 × 200."""
    assert parse_region(text, 300, 200) == expected


@pytest.mark.parametrize(
    "text", ["", "all", "1,2,3", "1,2,0,4", "300,0,1,1", "-1,0,5,5", "pct:0,0,0,0", "1,2,3,4,5", "٣,1,1,1", "1,1,1,1\n"]
)
def test_regions_that_make_no_sense(text: str) -> None:
    """Malformed, empty and outside regions are InvalidRequest."""
    with pytest.raises(InvalidRequest):
        parse_region(text, 300, 200)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max", (300, 200)),
        ("^max", (300, 200)),
        ("150,", (150, 100)),
        (",50", (75, 50)),
        ("30,70", (30, 70)),
        ("!100,100", (100, 67)),
        ("!600,600", (300, 200)),
        ("^!600,600", (600, 400)),
        ("^600,", (600, 400)),
        ("pct:50", (150, 100)),
        ("^pct:200", (600, 400)),
        ("1,", (1, 1)),
    ],
)
def test_sizes(text: str, expected: tuple[int, int]) -> None:
    """Section 4.2 for a region of 300 × 200."""
    assert parse_size(text, 300, 200) == expected


@pytest.mark.parametrize(
    "text",
    ["", ",", "full", "0,", ",0", "0,0", "301,", ",201", "301,10", "pct:101", "!10,", "^99999,99999", "-5,", "5"],
)
def test_sizes_that_make_no_sense(text: str) -> None:
    """Malformed, empty and too large sizes are InvalidRequest; more than the region needs the caret."""
    with pytest.raises(InvalidRequest):
        parse_size(text, 300, 200)


def test_rotation_and_quality() -> None:
    """Quarter turns, mirrored or not; three qualities in three formats."""
    assert (parse_rotation("0"), parse_rotation("!270")) == ((False, 0), (True, 270))
    assert parse_quality("default.jpg") == ("default", "image/jpeg")
    assert parse_quality("gray.webp") == ("gray", "image/webp")
    for text in ("45", "360", "", "!"):
        with pytest.raises(InvalidRequest):
            parse_rotation(text)
    for text in ("default", "default.gif", "bitonal.png", ".jpg", "default.jpg.png"):
        with pytest.raises(InvalidRequest):
            parse_quality(text)


@given(
    width=st.integers(1, 5000),
    height=st.integers(1, 5000),
    levels=st.integers(0, 6),
    numbers=st.tuples(*[st.floats(0, 1)] * 6),
)
def test_plans_stay_inside_their_level_and_keep_enough_pixels(
    width: int, height: int, levels: int, numbers: tuple[float, ...]
) -> None:
    """The box lies within the reduced image, covers the region, and has at least the pixels of the output."""
    left, top = int(numbers[0] * (width - 1)), int(numbers[1] * (height - 1))
    wide, high = max(1, int(numbers[2] * (width - left))), max(1, int(numbers[3] * (height - top)))
    size = (max(1, int(numbers[4] * wide)), max(1, int(numbers[5] * high)))
    found = plan(width, height, region=(left, top, wide, high), size=size, levels=levels)
    scale = 1 << found.reduce
    x0, y0, x1, y1 = found.box
    assert 0 <= x0 < x1 <= -(-width // scale)
    assert 0 <= y0 < y1 <= -(-height // scale)
    assert x0 * scale <= left < left + wide <= x1 * scale or x1 == -(-width // scale)
    inside = found.inside
    assert 0 <= inside[0] < inside[2] <= x1 - x0
    assert 0 <= inside[1] < inside[3] <= y1 - y0
    assert found.reduce == 0 or (wide // scale >= size[0] and high // scale >= size[1])


def test_a_tile_at_full_size_is_a_crop_of_the_whole_picture(
    pydicom_file: Callable[[str], Path], shown: Callable[..., Any]
) -> None:
    """Level 0 is never scaled: each pixel of the tile is the pixel of the full rendering."""
    found = shown(pydicom_file("CT_small.dcm"))
    window = Window(40, 400)
    whole = render(found.values, found.presentation, window=window)
    tile = plan(128, 128, region=(32, 16, 64, 48), size=(64, 48), levels=5)
    left, top, right, bottom = tile.box
    part = fit(render(found.values[top:bottom, left:right], found.presentation, window=window), tile)
    assert np.array_equal(part, whole[16:64, 32:96])


def test_turning_and_mirroring() -> None:
    """Mirrored first, then turned clockwise, as section 4.3 has it."""
    picture = np.array([[1, 2], [3, 4]], np.uint8)
    still = Plan(0, (0, 0, 2, 2), (0, 0, 2, 2), (2, 2))
    turned = Plan(0, still.box, still.inside, (2, 2), mirror=False, rotation=90)
    mirrored = Plan(0, still.box, still.inside, (2, 2), mirror=True, rotation=90)
    assert fit(picture, still).tolist() == [[1, 2], [3, 4]]
    assert fit(picture, turned).tolist() == [[3, 1], [4, 2]]
    assert fit(picture, mirrored).tolist() == [[4, 2], [3, 1]]


def test_scaling_keeps_flat_areas_and_gives_the_size_that_was_asked_for() -> None:
    """A grey area stays grey at any size."""
    small = plan(100, 80, region=(0, 0, 100, 80), size=(33, 11), levels=0)
    picture = fit(np.full((80, 100, 3), 77, np.uint8), small)
    assert picture.shape == (11, 33, 3)
    assert picture.min() == picture.max() == 77


def test_image_information_lists_a_factor_for_each_size() -> None:
    """Tiles of the last factor show the whole image in one tile."""
    info = image_information("https://host/iiif/x", 4000, 1000)
    factors = info["tiles"][0]["scaleFactors"]
    assert factors == [1, 2, 4, 8]
    assert factors[-1] * TILE >= 4000
    assert info["sizes"][-1] == {"width": 4000, "height": 1000}
    assert info["maxArea"] == LARGEST
