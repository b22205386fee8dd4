"""RLE Lossless (PS3.5 Annex G): a header of fifteen offsets, then one PackBits segment for each byte of a pixel.

Law: segments are cut by the header alone and must each give exactly rows × columns bytes.
"""

import struct
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from pacs.errors import NotRenderable
from pacs.model import ImageDescription

_HEADER = struct.Struct("<16I")


def decode_rle(frame: bytes, image: ImageDescription) -> NDArray[Any]:
    """Unsigned cells of one RLE frame, (rows, columns) or (rows, columns, samples)."""
    if len(frame) < _HEADER.size:
        raise NotRenderable("RLE frame without a header")
    count, *offsets = _HEADER.unpack_from(frame)
    size = image.bits_allocated // 8
    if size not in (1, 2, 4, 8) or count != size * image.samples_per_pixel or count > len(offsets):
        expected = f"{image.samples_per_pixel} samples of {image.bits_allocated} bits"
        raise NotRenderable(f"{count} RLE segments for {expected}")
    pixels = image.rows * image.columns
    planes = np.empty((image.samples_per_pixel, pixels, size), np.uint8)
    ends = [*offsets[1:count], len(frame)]
    for number, (start, end) in enumerate(zip(offsets[:count], ends, strict=True)):
        segment = np.frombuffer(imagecodecs.packbits_decode(frame[start:end]), np.uint8)
        if segment.size < pixels:
            raise NotRenderable(f"RLE segment of {segment.size} bytes for {pixels} pixels")
        planes[number // size, :, size - 1 - number % size] = segment[:pixels]  # most significant byte first
    cells = planes.view(f"<u{size}").reshape(image.samples_per_pixel, image.rows, image.columns)
    return cells[0] if image.samples_per_pixel == 1 else np.ascontiguousarray(cells.transpose(1, 2, 0))
