"""JPEG (ISO/IEC 10918-1): the few header fields that decide which decoder runs and what its colours mean.

Law: whether three components are YCbCr or RGB is decided once, by one table of evidence, strongest first; then the
decoder is told, so that nothing is converted twice and nothing is forgotten.
"""

import struct
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from pacs.errors import NotRenderable

_STANDALONE = {0x01, *range(0xD0, 0xD8)}
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xF7}
_LOSSLESS = 0xC3


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """Start of Frame, and what APP0 and APP14 say about colour."""

    process: int  # the low byte of SOFn: 0xC0 baseline, 0xC1 extended, 0xC2 progressive, 0xC3 lossless, 0xF7 JPEG-LS
    precision: int
    rows: int
    columns: int
    component_ids: bytes
    subsampled: bool
    jfif: bool
    adobe_transform: int | None


def read_jpeg_header(frame: bytes) -> JpegHeader:
    """Read the marker segments up to Start of Frame; raises NotRenderable when there is none that can be decoded."""
    at = frame.find(b"\xff\xd8\xff") + 2
    jfif, adobe = False, None
    while 2 <= at < len(frame) - 9:
        if frame[at] != 0xFF:
            break
        marker = frame[at + 1]
        if marker == 0xFF or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        length = struct.unpack_from(">H", frame, at + 2)[0]
        body = frame[at + 4 : at + 2 + length]
        if marker in _FRAMES:
            return _frame_header(marker, body, jfif=jfif, adobe_transform=adobe)
        jfif = jfif or (marker == 0xE0 and body[:4] == b"JFIF")
        if marker == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        at += 2 + length
    raise NotRenderable("no JPEG frame header")


def _frame_header(process: int, body: bytes, *, jfif: bool, adobe_transform: int | None) -> JpegHeader:
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise NotRenderable("damaged JPEG frame header")
    precision, rows, columns, count = struct.unpack_from(">BHHB", body)
    sampling = {body[7 + 3 * component] for component in range(count)}
    component_ids = body[6 : 6 + 3 * count : 3]
    return JpegHeader(process, precision, rows, columns, component_ids, len(sampling) > 1, jfif, adobe_transform)


def is_lossless(header: JpegHeader) -> bool:
    """Whether this is lossless JPEG, whose components are never transformed by the codec."""
    return header.process == _LOSSLESS


def is_ybr(header: JpegHeader, photometric: str) -> bool:
    """Whether three components are luminance and chrominance, from the strongest evidence to the weakest."""
    if header.adobe_transform is not None:
        return header.adobe_transform == 1
    if is_lossless(header):
        return photometric.startswith("YBR")
    if header.subsampled or header.jfif:
        return True
    return header.component_ids != b"RGB" and photometric != "RGB"


def decode_jpeg(frame: bytes, photometric: str) -> NDArray[Any]:
    """Samples of any JPEG process in use, unsigned; three components as RGB."""
    header = read_jpeg_header(frame)
    if len(header.component_ids) == 1:
        return np.asarray(imagecodecs.jpeg_decode(frame, bitspersample=header.precision))
    inside = "YCBCR" if is_ybr(header, photometric) else "RGB"
    return np.asarray(
        imagecodecs.jpeg_decode(frame, bitspersample=header.precision, colorspace=inside, outcolorspace="RGB")
    )
