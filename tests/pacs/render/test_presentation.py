from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest

from pacs.dataset import DataSet, read_data_set
from pacs.errors import NotRenderable
from pacs.render import Presentation, Window, presentation_of
from pacs.transfer_syntaxes import EXPLICIT_LE

Encoded = Callable[[pydicom.Dataset, str], bytes]


def image(**attributes: object) -> pydicom.Dataset:
    """A small monochrome image with these attributes."""
    ds = pydicom.Dataset()
    defaults: dict[str, object] = {
        "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "Rows": 2, "Columns": 2, "BitsAllocated": 16,
        "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0,
    }  # fmt: skip
    for keyword, value in (defaults | attributes).items():
        setattr(ds, keyword, value)
    return ds


@pytest.fixture
def presented(encoded: Encoded) -> Callable[..., Presentation]:
    """The presentation of a frame of a data set that was read up to its pixels."""

    def read(ds: pydicom.Dataset, number: int = 1) -> Presentation:
        ds.add_new(0x7FE00010, "OW", bytes(8))
        return presentation_of(read_data_set(encoded(ds, EXPLICIT_LE), EXPLICIT_LE, until=0x7FDFFFFF), number)

    return read


def test_windows_with_their_names(presented: Callable[..., Presentation]) -> None:
    """Each center goes with its width and its explanation; a missing explanation is empty."""
    ds = image(WindowCenter=[40, -600], WindowWidth=[400, 1500], WindowCenterWidthExplanation="SOFT")
    assert presented(ds).windows == (Window(40, 400, "LINEAR", "SOFT"), Window(-600, 1500))


@pytest.mark.parametrize(
    ("width", "function", "expected"),
    [
        (0, "LINEAR", ()),
        (-5, "LINEAR", ()),
        (0.5, "LINEAR", (Window(1, 0.5, "LINEAR_EXACT"),)),
        (0.5, "SIGMOID", (Window(1, 0.5, "SIGMOID"),)),
        (5, "CUBIC", ()),
    ],
)
def test_senseless_windows_are_left_out(
    width: float, function: str, expected: tuple[Window, ...], presented: Callable[..., Presentation]
) -> None:
    """A window that its function is not defined for would divide by zero; one below 1 is meant exactly."""
    assert presented(image(WindowCenter=1, WindowWidth=width, VOILUTFunction=function)).windows == expected


@pytest.mark.parametrize(
    ("photometric", "shape", "inverse"),
    [
        ("MONOCHROME1", None, True),
        ("MONOCHROME2", None, False),
        ("MONOCHROME1", "INVERSE", True),  # said twice, inverted once
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", "IDENTITY", False),
    ],
)
def test_inversion(
    *, photometric: str, shape: str | None, inverse: bool, presented: Callable[..., Presentation]
) -> None:
    """Presentation LUT Shape, where it is given, says whether the lowest value is white."""
    ds = image(PhotometricInterpretation=photometric)
    if shape:
        ds.PresentationLUTShape = shape
    assert presented(ds).inverse is inverse


def test_a_frame_is_presented_by_its_own_groups_then_the_shared_ones(presented: Callable[..., Presentation]) -> None:
    """PS3.3 C.7.6.16: per-frame values win, shared ones fill in, and each frame has its own."""

    def group(sequence: str, **attributes: object) -> pydicom.Dataset:
        item, macro = pydicom.Dataset(), pydicom.Dataset()
        for keyword, value in attributes.items():
            setattr(macro, keyword, value)
        setattr(item, sequence, [macro])
        return item

    ds = image(NumberOfFrames=2)
    ds.SharedFunctionalGroupsSequence = [
        group("PixelValueTransformationSequence", RescaleSlope=2, RescaleIntercept=-1000)
    ]
    ds.PerFrameFunctionalGroupsSequence = [
        group("FrameVOILUTSequence", WindowCenter=center, WindowWidth=10) for center in (5, 7)
    ]
    first, second = presented(ds, 1), presented(ds, 2)
    assert (first.windows, second.windows) == ((Window(5, 10),), (Window(7, 10),))
    assert (first.slope, first.intercept) == (second.slope, second.intercept) == (2, -1000)


def test_beam_intensities_of_angiography_are_not_for_display(presented: Callable[..., Presentation]) -> None:
    """The Modality LUT of an XA image with LOG pixels leads back to the detector and would wash out the picture."""
    lut = pydicom.Dataset()
    lut.add_new(0x00283002, "US", [2, 0, 16])
    lut.add_new(0x00283006, "US", [0, 65535])
    for relationship, applied in (("LOG", False), ("LIN", True)):
        ds = image(SOPClassUID="1.2.840.10008.5.1.4.1.1.12.1", PixelIntensityRelationship=relationship)
        ds.ModalityLUTSequence = [lut]
        assert (presented(ds).modality_lut is not None) is applied


def test_an_image_that_brings_no_window_says_so(presented: Callable[..., Presentation]) -> None:
    """Whoever renders tiles must find one window for all of them then."""
    assert presented(image()).needs_window
    assert not presented(image(WindowCenter=1, WindowWidth=2)).needs_window
    colour = image(SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    assert not presented(colour).needs_window


def test_what_is_no_image_has_no_presentation(
    pydicom_file: Callable[[str], Path], opened: Callable[[Path], DataSet]
) -> None:
    """A report raises NotRenderable."""
    with pytest.raises(NotRenderable):
        presentation_of(opened(pydicom_file("reportsi.dcm")), 1)


def test_a_palette_image_without_palette_is_not_renderable(presented: Callable[..., Any]) -> None:
    """Indices without their colours are no picture."""
    with pytest.raises(NotRenderable):
        presented(image(PhotometricInterpretation="PALETTE COLOR"))
