"""From stored values to 8 bits: Modality LUT, VOI LUT or window, Photometric Interpretation (PS3.4 N.2).

Law: one order of steps for every picture the archive shows. Values of up to 16 bits go through one table of all 65,536
possible values, so that a pixel costs one look-up whatever the steps are.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs.errors import NotRenderable
from pacs.render.presentation import Presentation
from pacs.render.windows import WHITE, Window, apply_window, full_window

Values = NDArray[Any]
Picture = NDArray[np.uint8]
_PERCENTILES = (0.5, 99.5)


def render(values: Values, presentation: Presentation, *, window: Window | None = None) -> Picture:
    """Grey (rows, columns) or RGB (rows, columns, 3) of 8 bits from stored values of a frame or a part of it.

    Without `window` the data set's first VOI LUT counts, then its first window, then the range of these very values:
    whoever shows parts of a frame passes `auto_window` of the whole, or its parts differ.
    """
    if values.ndim == 3:
        return _colour(values, presentation)
    if presentation.image.photometric_interpretation == "PALETTE COLOR":
        return _from_palette(values, presentation)
    if window is None and not presentation.voi_luts:
        window = next(iter(presentation.windows), None) or auto_window(values, presentation)
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
        every = np.arange(1 << (8 * values.dtype.itemsize), dtype=f"u{values.dtype.itemsize}")
        greys = _grey(every.view(values.dtype.newbyteorder("=")), presentation, window)
        return np.asarray(greys[np.ascontiguousarray(values).view(every.dtype)])
    return _grey(values, presentation, window)


def auto_window(values: Values, presentation: Presentation) -> Window:
    """A window for a frame that brings none, from its values at any size; padding does not count.

    Values of up to 8 bits without a rescale keep their greys; others are spread from the darkest to the brightest.
    """
    image = presentation.image
    unscaled = presentation.slope == 1 and presentation.intercept == 0 and presentation.modality_lut is None
    if image.bits_stored <= 8 and not image.pixel_representation and unscaled and not image.floating:
        return full_window(0, (1 << image.bits_stored) - 1)
    if presentation.padding is not None:
        low, high = presentation.padding
        inside = values[(values < low) | (values > high)]
        values = inside if inside.size else values
    modality = _modality(values, presentation)
    finite = modality[np.isfinite(modality)]
    if not finite.size:
        return full_window(0, 1)
    lowest, highest = np.percentile(finite, _PERCENTILES)
    if lowest == highest:
        lowest, highest = finite.min(), finite.max()
    return full_window(float(lowest), float(highest))


def _modality(values: Values, presentation: Presentation) -> Values:
    if presentation.modality_lut is not None:
        return presentation.modality_lut.apply(values).astype(np.float64)
    return np.asarray(values * np.float64(presentation.slope) + presentation.intercept)


def _grey(values: Values, presentation: Presentation, window: Window | None) -> Picture:
    modality = _modality(values, presentation)
    if window is not None:
        grey = apply_window(modality, window)
    else:
        table = presentation.voi_luts[0]
        grey = np.rint(table.apply(modality) * (WHITE / ((1 << table.bits) - 1))).astype(np.uint8)
    return np.asarray(WHITE - grey if presentation.inverse else grey)


def _colour(values: Values, presentation: Presentation) -> Picture:
    if values.shape[2] != 3:
        raise NotRenderable(f"{values.shape[2]} samples per pixel")
    excess = presentation.image.bits_stored - 8
    return (np.right_shift(values, excess) if excess > 0 and values.dtype.itemsize > 1 else values).astype(np.uint8)


def _from_palette(values: Values, presentation: Presentation) -> Picture:
    if presentation.palette is None:
        raise NotRenderable("a palette is missing")
    index = np.clip(values.astype(np.int64) - presentation.palette_first, 0, len(presentation.palette) - 1)
    return np.asarray(presentation.palette[index])
