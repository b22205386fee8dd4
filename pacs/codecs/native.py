"""Native frames (PS3.5 8.1 and Annex D): cells in a row, without any codec.

Law: nothing is guessed about length; a frame that is too short is NotRenderable, never padded with invented pixels.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs.codecs.cells import stored_values
from pacs.codecs.colour import to_rgb
from pacs.errors import NotRenderable
from pacs.model import ImageDescription

Array = NDArray[Any]
_HALF_CHROMA = ("YBR_FULL_422", "YBR_PARTIAL_422")


def frame_bits(image: ImageDescription) -> int:
    """Bits of one native frame; two of three samples are shared by two pixels in 4:2:2 (PS3.3 C.7.6.3.1.2)."""
    samples = 2 if image.photometric_interpretation in _HALF_CHROMA else image.samples_per_pixel
    return image.rows * image.columns * samples * image.bits_allocated


def decode_native(frame: bytes, image: ImageDescription, *, little_endian: bool, index: int = 0) -> Array:
    """Stored values of a native frame: (rows, columns) or RGB (rows, columns, 3).

    Frames that do not fill whole bytes share them: `frame` then holds all frames and `index` says which is wanted.
    """
    bits = frame_bits(image)
    if bits % 8 == 0:
        index = 0
    if len(frame) * 8 < bits * (index + 1):
        raise NotRenderable(f"a frame of {bits // 8} bytes ends after {len(frame)}")
    if image.bits_allocated == 1:
        return _single_bits(frame, image, index)
    if image.bits_allocated not in (8, 16, 32, 64) or (image.floating and image.bits_allocated < 32):
        raise NotRenderable(f"{image.bits_allocated} bits allocated")
    kind = "f" if image.floating else "u"
    dtype = np.dtype(f"{'<' if little_endian else '>'}{kind}{image.bits_allocated // 8}")
    cells = np.frombuffer(frame, dtype, bits // image.bits_allocated, index * bits // 8)
    cells = cells.astype(dtype.newbyteorder("="), copy=False)
    values = cells if image.floating else stored_values(cells, image)
    if image.samples_per_pixel == 1:
        return values.reshape(image.rows, image.columns)
    colour = _interleaved(values, image)
    return to_rgb(colour, image.photometric_interpretation, image.bits_stored)


def _single_bits(frame: bytes, image: ImageDescription, index: int) -> Array:
    count = image.rows * image.columns
    first = index * count
    packed = np.frombuffer(frame, np.uint8)[first // 8 : -(-(first + count) // 8)]
    bits = np.unpackbits(packed, bitorder="little")[first % 8 :][:count]
    return bits.reshape(image.rows, image.columns)


def _interleaved(values: Array, image: ImageDescription) -> Array:
    rows, columns, samples = image.rows, image.columns, image.samples_per_pixel
    if image.photometric_interpretation in _HALF_CHROMA:
        if columns % 2:
            raise NotRenderable("4:2:2 with an odd number of columns")
        pairs = values.reshape(rows, columns // 2, 4)
        luma = pairs[..., :2].reshape(rows, columns, 1)
        return np.concatenate([luma, np.repeat(pairs[..., 2:], 2, axis=1)], axis=2)
    if image.planar_configuration == 1:
        return np.ascontiguousarray(values.reshape(samples, rows, columns).transpose(1, 2, 0))
    return values.reshape(rows, columns, samples)
