"""How one frame wants to be shown: all that rendering needs of the data set, in one value.

Law: read once from the header, never from pixels. A frame's own functional group speaks first, then the shared one,
then the data set itself (PS3.3 C.7.6.16). What is missing or senseless is left out.
"""

from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np
from numpy.typing import NDArray

from pacs.dataset import DataSet, describe_image
from pacs.errors import NotRenderable
from pacs.model import ImageDescription
from pacs.render.tables import LookUpTable, read_table
from pacs.render.windows import Window

_SOP_CLASS_UID, _PIXEL_INTENSITY_RELATIONSHIP = 0x00080016, 0x00281040
_ANGIOGRAPHY = frozenset(f"1.2.840.10008.5.1.4.1.1.12.{n}" for n in (1, 2, 3))  # XA, XRF, XA biplane (retired)
_SHARED_GROUPS, _FRAME_GROUPS = 0x52009229, 0x52009230
_PIXEL_VALUE_TRANSFORMATION, _FRAME_VOI_LUT = 0x00289145, 0x00289132
_RESCALE_INTERCEPT, _RESCALE_SLOPE = 0x00281052, 0x00281053
_CENTER, _WIDTH, _EXPLANATION, _FUNCTION = 0x00281050, 0x00281051, 0x00281055, 0x00281056
_MODALITY_LUTS, _VOI_LUTS = 0x00283000, 0x00283010
_LUT_DESCRIPTOR, _LUT_DATA = 0x00283002, 0x00283006
_PADDING, _PADDING_LIMIT = 0x00280120, 0x00280121
_PRESENTATION_LUT_SHAPE = 0x20500020
_PALETTE = ((0x00281101, 0x00281201), (0x00281102, 0x00281202), (0x00281103, 0x00281203))
_SEGMENTED = 0x20  # (0028,1221) is the segmented form of (0028,1201)


@dataclass(frozen=True, slots=True, eq=False)
class Presentation:
    """One frame's way to the screen, in the order it is applied."""

    image: ImageDescription
    slope: float
    intercept: float
    modality_lut: LookUpTable | None  # in place of slope and intercept
    voi_luts: tuple[LookUpTable, ...]
    windows: tuple[Window, ...]
    inverse: bool  # the lowest value is white
    palette: NDArray[np.uint8] | None  # (entries, 3)
    palette_first: int
    padding: tuple[float, float] | None  # stored values from–to that are no part of the image

    @property
    def monochrome(self) -> bool:
        """Whether windows mean anything: one sample, no palette."""
        return self.image.samples_per_pixel == 1 and self.palette is None

    @property
    def needs_window(self) -> bool:
        """Whether the instance brings neither window nor VOI LUT, so that `auto_window` must find one."""
        return self.monochrome and not self.windows and not self.voi_luts


def presentation_of(data_set: DataSet, number: int) -> Presentation:
    """The presentation of frame `number`, counted from 1; raises NotRenderable when there is no image.

    The data set may have been read up to its pixel data only.
    """
    image = describe_image(data_set)
    if image is None:
        raise NotRenderable("no image")
    transformation = _modality_of(data_set, number)
    voi = _group(data_set, _FRAME_VOI_LUT, number)
    palette, first = _palette(data_set) if image.photometric_interpretation == "PALETTE COLOR" else (None, 0)
    return Presentation(
        image=image,
        slope=_first(transformation, _RESCALE_SLOPE) or 1.0,  # a slope of 0 would show one grey
        intercept=_first(transformation, _RESCALE_INTERCEPT),
        modality_lut=next(iter(_tables(transformation, _MODALITY_LUTS)), None),
        voi_luts=_tables(voi, _VOI_LUTS),
        windows=_windows(voi, floating=image.floating),
        inverse=_is_inverse(data_set, image),
        palette=palette,
        palette_first=first,
        padding=_padding(data_set),
    )


def _group(data_set: DataSet, sequence: int, number: int) -> DataSet:
    """The item of a functional group macro that counts for a frame; the data set itself when there is none."""
    frames = data_set.items(_FRAME_GROUPS)
    for groups in (frames[number - 1 : number], data_set.items(_SHARED_GROUPS)[:1]):
        for group in groups:
            if items := group.items(sequence):
                return items[0]
    return data_set


def _modality_of(data_set: DataSet, number: int) -> DataSet | None:
    """Where the Modality LUT or rescale stands; None where it leads to beam intensity and is not for display.

    X-ray angiography keeps a LUT from LOG or DISP pixels back to linear ones (PS3.3 C.8.7.1.1.2, PS3.4 N.2.1.2).
    """
    if data_set.text(_SOP_CLASS_UID) in _ANGIOGRAPHY and data_set.text(_PIXEL_INTENSITY_RELATIONSHIP) in (
        "LOG",
        "DISP",
    ):
        return None
    return _group(data_set, _PIXEL_VALUE_TRANSFORMATION, number)


def _windows(voi: DataSet, *, floating: bool) -> tuple[Window, ...]:
    function = voi.text(_FUNCTION) or "LINEAR"
    pairs = zip(voi.numbers(_CENTER), voi.numbers(_WIDTH), strict=False)
    named = zip(pairs, chain(voi.texts(_EXPLANATION), repeat("")), strict=False)
    windows = []
    for (center, width), name in named:
        # LINEAR counts whole numbers; for fractions a width of 1 would leave black and white
        fractional = function == "LINEAR" and (floating or width < 1)
        windows.append(Window(center, width, "LINEAR_EXACT" if fractional else function, name))
    return tuple(window for window in windows if window.usable)


def _first(data_set: DataSet | None, tag: int) -> float:
    return next(iter(data_set.numbers(tag)), 0.0) if data_set else 0.0


def _tables(data_set: DataSet | None, sequence: int) -> tuple[LookUpTable, ...]:
    items = data_set.items(sequence) if data_set else []
    tables = (read_table(item, _LUT_DESCRIPTOR, _LUT_DATA) for item in items)
    return tuple(table for table in tables if table is not None)


def _is_inverse(data_set: DataSet, image: ImageDescription) -> bool:
    """Presentation LUT Shape says it where it is given (PS3.3 C.11.6.1.2), else Photometric Interpretation."""
    shape = data_set.text(_PRESENTATION_LUT_SHAPE)
    return shape == "INVERSE" if shape in ("INVERSE", "IDENTITY") else image.photometric_interpretation == "MONOCHROME1"


def _palette(data_set: DataSet) -> tuple[NDArray[np.uint8], int]:
    columns = []
    first = 0
    for descriptor, data in _PALETTE:
        table = read_table(data_set, descriptor, data) or read_table(
            data_set, descriptor, data + _SEGMENTED, segmented=True
        )
        if table is None:
            raise NotRenderable("a palette is missing")
        # 16-bit entries count by their high byte, unless a modality wrote 8-bit values and declared 16
        high = table.bits > 8 and int(table.entries.max()) > 0xFF
        columns.append(np.right_shift(table.entries, table.bits - 8) if high else table.entries)
        first = table.first
    length = min(map(len, columns))
    return np.stack([column[:length] for column in columns], axis=1).astype(np.uint8), first


def _padding(data_set: DataSet) -> tuple[float, float] | None:
    """PS3.3 C.7.5.1.1.2: one value, or all from it to the limit."""
    values = data_set.numbers(_PADDING)[:1] + data_set.numbers(_PADDING_LIMIT)[:1]
    return (min(values), max(values)) if data_set.numbers(_PADDING) else None
