"""Pixel cells and the values in them (PS3.5 8.1.1): the cell has Bits Allocated, the value Bits Stored.

Law: a codestream carries real values (masked, sign-extended), so that every viewer reads the right number; what the
unused bits of the cells held is implied, or said in comments of the codestream, so that cells come back exact.
"""

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs.model import ImageDescription

Array = NDArray[Any]

ZEROED = b"cells: unused bits are zero"
"""Signed values whose cells were not sign-extended: the value is extended for viewers, the cell masked again."""
UNUSED = b"cells: unused bits differ by "
"""Anything else in the unused bits: deflated, one byte or word for each sample, to be added (XOR) to the cells."""
_LONGEST_COMMENT = 65000


def to_samples(cells: Array, image: ImageDescription) -> tuple[Array, list[bytes]]:
    """What to encode for unsigned `cells`: samples of Bits Stored precision, and comments (none: cells are implied)."""
    stored = image.bits_stored
    samples = sign_extended(cells, stored) if image.pixel_representation else masked(cells, stored)
    implied = samples.view(cells.dtype)
    if np.array_equal(implied, cells):
        return samples, []
    if np.array_equal(masked(cells, stored), cells):
        return samples, [ZEROED]
    difference = np.right_shift(np.bitwise_xor(implied, cells), stored)
    deflated = zlib.compress(difference.astype(f"<u{cells.dtype.itemsize}").tobytes())
    return samples, [
        UNUSED + deflated[start : start + _LONGEST_COMMENT] for start in range(0, len(deflated), _LONGEST_COMMENT)
    ]


def to_cells(samples: Array, comments: tuple[bytes, ...], image: ImageDescription) -> Array:
    """The inverse of `to_samples`: unsigned little-endian cells of Bits Allocated."""
    size = image.bits_allocated // 8
    kind = "i" if samples.dtype.kind == "i" else "u"
    cells = samples.astype(f"<{kind}{size}", copy=False).view(f"<u{size}")
    if ZEROED in comments:
        return masked(cells, image.bits_stored)
    if deflated := b"".join(comment[len(UNUSED) :] for comment in comments if comment.startswith(UNUSED)):
        inflated = zlib.decompressobj().decompress(deflated, cells.nbytes)
        difference = np.frombuffer(inflated, f"<u{size}").reshape(cells.shape)
        return np.asarray(np.bitwise_xor(cells, np.left_shift(difference, image.bits_stored)))
    return cells


def masked(cells: Array, bits: int) -> Array:
    """The low `bits` of unsigned cells."""
    if bits == cells.dtype.itemsize * 8:
        return cells
    return np.asarray(np.bitwise_and(cells, cells.dtype.type((1 << bits) - 1)))


def sign_extended(cells: Array, bits: int) -> Array:
    """Two's complement values from the low `bits` of unsigned cells."""
    signed = cells.view(cells.dtype.newbyteorder("=").str.replace("u", "i"))
    unused = cells.dtype.itemsize * 8 - bits
    return np.asarray(np.right_shift(np.left_shift(signed, unused), unused)) if unused else signed


def stored_values(cells: Array, image: ImageDescription) -> Array:
    """Values from unsigned cells: shifted down from High Bit, masked to Bits Stored, signed when they are."""
    bits = cells.dtype.itemsize * 8
    stored = image.bits_stored if 0 < image.bits_stored <= bits else bits
    below = image.high_bit + 1 - stored
    if 0 < below <= bits - stored:
        cells = np.right_shift(cells, below)
    return sign_extended(cells, stored) if image.pixel_representation else masked(cells, stored)
