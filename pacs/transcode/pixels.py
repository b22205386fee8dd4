"""How native pixel values lie in the bytes that were received: byte order, planes, and cells (PS3.5 8.1, Annex D).

Law: two inverse functions, used by `compress` on the way in and by `restore` on the way out; no third place knows
how cells are ordered.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs.model import ImageDescription

Cells = NDArray[Any]


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """Order of one received frame's cells."""

    rows: int
    columns: int
    samples: int
    cell_bytes: int
    little_endian: bool
    planar: bool
    words: bool  # 8-bit cells as 16-bit words of a Big Endian data set: each pair of bytes is swapped (PS3.5 8.1.1)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return self.rows * self.columns * self.samples * self.cell_bytes

    def pixel_bytes(self, frames: int) -> int:
        """Bytes of all frames as received, a half-filled last word included."""
        size = self.frame_bytes * frames
        return size + (size % 2 if self.words else 0)


def layout_of(image: ImageDescription, *, little_endian: bool, vr: str, planar: bool) -> PixelLayout:
    """The layout of native Pixel Data of this VR."""
    cell_bytes = image.bits_allocated // 8
    words = not little_endian and cell_bytes == 1 and vr == "OW"
    return PixelLayout(image.rows, image.columns, image.samples_per_pixel, cell_bytes, little_endian, planar, words)


def cells_of_frame(received: memoryview, layout: PixelLayout) -> Cells:
    """Cells of one frame, (rows, columns) or (rows, columns, samples), in the machine's byte order."""
    if layout.words:
        received = memoryview(np.frombuffer(received, ">u2").astype("<u2").tobytes())
    order = "<" if layout.little_endian else ">"
    count = layout.frame_bytes // layout.cell_bytes
    flat = np.frombuffer(received, f"{order}u{layout.cell_bytes}", count).astype(f"=u{layout.cell_bytes}", copy=False)
    if layout.samples == 1:
        return flat.reshape(layout.rows, layout.columns)
    if layout.planar:
        return flat.reshape(layout.samples, layout.rows, layout.columns).transpose(1, 2, 0)
    return flat.reshape(layout.rows, layout.columns, layout.samples)


def frame_of_cells(cells: Cells, layout: PixelLayout) -> bytes:
    """The bytes of one frame as received: the inverse of `cells_of_frame`."""
    if layout.samples > 1 and layout.planar:
        cells = cells.transpose(2, 0, 1)
    order = "<" if layout.little_endian else ">"
    frame = cells.astype(f"{order}u{layout.cell_bytes}", copy=False).tobytes()
    if layout.words:
        frame = np.frombuffer(frame + b"\0" * (len(frame) % 2), "<u2").astype(">u2").tobytes()
    return frame
