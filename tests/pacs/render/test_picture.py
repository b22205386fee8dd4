from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut, apply_windowing

from pacs.model import ImageDescription
from pacs.render import Presentation, Window, auto_window, render
from pacs.render.tables import LookUpTable
from pacs.render.windows import full_window

IMAGE = ImageDescription(2, 2, 1, "MONOCHROME2", 16, 16, 15, 1, 0, 1)
PLAIN = Presentation(IMAGE, 1, 0, None, (), (), inverse=False, palette=None, palette_first=0, padding=None)


def row(*values: int, dtype: str = "i2") -> NDArray[Any]:
    return np.array([values], dtype)


def test_rescale_window_and_inversion_in_this_order() -> None:
    """Stored 1064 with slope 1 and intercept -1024 is 40 HU, mid-grey at 40/400 exactly, and mirrored when inverse."""
    presentation = replace(PLAIN, intercept=-1024.0)
    assert render(row(824, 1064, 1264), presentation, window=Window(40, 400)).tolist() == [[0, 128, 255]]
    inverse = replace(presentation, inverse=True)
    assert render(row(824, 1064, 1264), inverse, window=Window(40, 400)).tolist() == [[255, 127, 0]]


def test_the_first_voi_lut_counts_then_the_first_window() -> None:
    """A VOI LUT of two entries maps to black and white; a window in the request outranks both."""
    lut = LookUpTable(100, np.array([0, 4095]), 12)
    presentation = replace(PLAIN, voi_luts=(lut,), windows=(Window(0, 2),))
    assert render(row(99, 100, 101, 102), presentation).tolist() == [[0, 0, 255, 255]]
    assert render(row(0, 255), presentation, window=full_window(0, 255)).tolist() == [[0, 255]]
    assert render(row(-1, 1), replace(presentation, voi_luts=())).tolist() == [[0, 255]]


def test_a_modality_lut_replaces_the_rescale() -> None:
    """Slope and intercept are not applied on top of it."""
    presentation = replace(PLAIN, slope=9.0, modality_lut=LookUpTable(0, np.array([0, 255]), 8))
    assert render(row(0, 1, 2), presentation, window=full_window(0, 255)).tolist() == [[0, 255, 255]]


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "i4", "f4"])
def test_tables_and_direct_calculation_agree(dtype: str) -> None:
    """Values that go through the table of all values get the greys that others get by the formula."""
    values = row(-128, -1, 0, 1, 127, dtype="f8").astype(dtype)
    direct = render(values.astype("f8"), PLAIN, window=Window(3, 77))
    assert render(values, PLAIN, window=Window(3, 77)).tolist() == direct.tolist()


def test_padding_does_not_count_for_the_window() -> None:
    """The air around a CT, padded with -2000, does not take the greys of the patient."""
    padded = replace(PLAIN, padding=(-2000.0, -2000.0))
    assert auto_window(row(-2000, 0, 100, 0, 100), padded) == full_window(0, 100)


def test_eight_bit_values_keep_their_greys() -> None:
    """A dark secondary capture stays dark."""
    presentation = replace(PLAIN, image=replace(IMAGE, bits_stored=8, pixel_representation=0))
    assert render(row(0, 10, 20, dtype="u1"), presentation).tolist() == [[0, 10, 20]]


def test_flat_and_undefined_values_have_a_window_too() -> None:
    """A frame of one value, and one of NaN, render without an error."""
    assert auto_window(row(7, 7, 7), PLAIN).usable
    assert render(np.full((2, 2), 7, "i2"), PLAIN).shape == (2, 2)
    floating = replace(PLAIN, image=replace(IMAGE, floating=True, bits_allocated=32))
    assert auto_window(np.full((2, 2), np.nan), floating).usable


def test_a_palette_gives_colours() -> None:
    """Indices below and above the palette take its ends."""
    palette = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    image = replace(IMAGE, photometric_interpretation="PALETTE COLOR")
    presentation = replace(PLAIN, image=image, palette=palette, palette_first=10)
    assert render(row(9, 10, 11, 12), presentation).tolist() == [[[1, 2, 3], [1, 2, 3], [4, 5, 6], [4, 5, 6]]]


def test_colour_of_sixteen_bits_shows_its_high_byte() -> None:
    """RGB of 16 bits is shifted, not cut off."""
    assert render(np.full((1, 1, 3), 0xAB12, np.uint16), PLAIN).tolist() == [[[0xAB] * 3]]


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "693_J2KI.dcm"])
def test_windowed_greys_equal_pydicom(
    name: str, pydicom_file: Callable[[str], Path], shown: Callable[..., Any]
) -> None:
    """Modality LUT and window give the picture that pydicom's own functions give."""
    ds = pydicom.dcmread(pydicom_file(name))
    ds.WindowCenter, ds.WindowWidth = 100, 700
    found = shown(pydicom_file(name))
    expected = apply_windowing(apply_modality_lut(found.values, ds), ds)
    bits = ds.BitsStored if ds.PixelRepresentation == 0 else ds.BitsStored - 1
    low = 0 if ds.PixelRepresentation == 0 else -(1 << bits)
    top = (1 << bits) - 1
    slope, intercept = float(ds.get("RescaleSlope", 1)), float(ds.get("RescaleIntercept", 0))
    black, white = low * slope + intercept, top * slope + intercept
    greys = (expected - black) / (white - black) * 255
    assert np.abs(render(found.values, found.presentation, window=Window(100, 700)) - greys).max() <= 1


def test_a_voi_lut_of_the_corpus_equals_pydicom(
    corpus_files: Callable[[str], list[Path]], shown: Callable[..., Any]
) -> None:
    """The VOI LUT of a real test image gives pydicom's greys."""
    for path in corpus_files("syntaxes/voi-lut.dcm"):
        found = shown(path)
        ds = pydicom.dcmread(path)
        expected = apply_voi_lut(found.values, ds) / (2 ** int(ds.VOILUTSequence[0].LUTDescriptor[2]) - 1) * 255
        assert np.abs(render(found.values, found.presentation) - expected).max() <= 1


def test_a_real_palette_equals_pydicom(pydicom_file: Callable[[str], Path], shown: Callable[..., Any]) -> None:
    """Each pixel has the high byte of the colour that pydicom finds."""
    path = pydicom_file("examples_palette.dcm")
    found = shown(path)
    expected = apply_color_lut(found.values, pydicom.dcmread(path)) >> 8
    assert np.array_equal(render(found.values, found.presentation), expected)


def test_every_image_of_the_corpus_renders(
    corpus_files: Callable[[str], list[Path]], shown: Callable[..., Any]
) -> None:
    """Pictures of all kinds have their size, 8 bits, and are not blank."""
    for path in corpus_files("us/*.dcm") + corpus_files("cr-dx-mg/*.dcm") + corpus_files("xa/*.dcm"):
        found = shown(path)
        picture = render(found.values, found.presentation)
        assert picture.dtype == np.uint8
        assert picture.shape[:2] == (found.presentation.image.rows, found.presentation.image.columns)
        assert picture.std() > 1, path.name
