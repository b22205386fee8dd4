"""Pixel cells and the values in them (PS3.5 8.1.1): the cell has Bits Allocated, the value Bits Stored.

Law: a codestream carries real values (masked, sign-extended), so that every viewer reads the right number; what the
unused bits of the cells held is either implied or said in one comment of the codestream, so that cells come back exact.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs.model import ImageDescription

Array = NDArray[Any]

ZEROED = b"cells: unused bits are zero"
"""Signed values whose cells were not sign-extended: the value is extended for viewers, the cell masked again."""
WHOLE = b"cells: samples are whole cells"
"""Something (an old overlay) lives in the unused bits: samples are the cells, as a native frame would have them."""


def to_samples(cells: Array, image: ImageDescription) -> tuple[Array, int, bytes]:
    """What to encode for unsigned `cells`: samples, precision in bits, and the comment (b"": cells are implied)."""
    bits = cells.dtype.itemsize * 8
    stored = image.bits_stored
    signed = cells.view(cells.dtype.str.replace("u", "i"))
    if stored == bits:
        return (signed if image.pixel_representation else cells), bits, b""
    if not image.pixel_representation:
        return (cells, stored, b"") if int(cells.max()) >> stored == 0 else (cells, bits, WHOLE)
    half = 1 << (stored - 1)
    if int(signed.min()) >= -half and int(signed.max()) < half:
        return signed, stored, b""
    if int(cells.max()) >> stored == 0:
        return sign_extended(cells, stored), stored, ZEROED
    return signed, bits, WHOLE


def to_cells(samples: Array, comments: tuple[bytes, ...], image: ImageDescription) -> Array:
    """The inverse of `to_samples`: unsigned little-endian cells of Bits Allocated."""
    size = image.bits_allocated // 8
    kind = "i" if samples.dtype.kind == "i" else "u"
    cells = samples.astype(f"<{kind}{size}", copy=False).view(f"<u{size}")
    if ZEROED in comments:
        cells = cells & cells.dtype.type((1 << image.bits_stored) - 1)
    return cells


def sign_extended(cells: Array, bits: int) -> Array:
    """Two's complement values from the low `bits` of unsigned cells."""
    signed = cells.view(cells.dtype.newbyteorder("=").str.replace("u", "i"))
    unused = cells.dtype.itemsize * 8 - bits
    return np.asarray(np.right_shift(np.left_shift(signed, unused), unused))


def stored_values(cells: Array, image: ImageDescription) -> Array:
    """Values from unsigned cells: shifted down from High Bit, masked to Bits Stored, signed when they are."""
    bits = cells.dtype.itemsize * 8
    stored = image.bits_stored if 0 < image.bits_stored <= bits else bits
    below = image.high_bit + 1 - stored
    if 0 < below <= bits - stored:
        cells = np.right_shift(cells, below)
    if image.pixel_representation:
        return sign_extended(cells, stored)
    return cells if stored == bits else np.bitwise_and(cells, cells.dtype.type((1 << stored) - 1))
