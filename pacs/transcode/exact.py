"""Frames of any stored image as exact cells, for putting them into another transfer syntax.

Law: what is coded without loss is not touched: YBR stays YBR, because turning it into RGB rounds. Only where the codec
itself converts (JPEG with its own colour transform, the reversible transform of JPEG 2000) the cells are RGB.
"""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs.codecs import decode_frame
from pacs.codecs.cells import to_cells
from pacs.codecs.codestream import read_header
from pacs.codecs.jpeg import is_lossless, read_jpeg_header
from pacs.codecs.native import frame_bits
from pacs.codecs.rle import decode_rle
from pacs.dataset import DataSet
from pacs.errors import NotAcceptable
from pacs.frames import frame_span, join_fragments, locate_frames
from pacs.model import ImageDescription
from pacs.transcode.pixels import cells_of_frame, layout_of
from pacs.transfer_syntaxes import TransferSyntax

Cells = NDArray[Any]
_DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
_WAVELETS = frozenset({"image/jp2", "image/jpx", "image/jphc"})
_HALF_CHROMA = ("YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420")


def stored_frames(data_set: DataSet, image: ImageDescription, syntax: TransferSyntax) -> Iterator[bytes]:
    """The bytes of each frame, fragments joined; raises NotAcceptable when they are not all there one by one."""
    spans = locate_frames(data_set, image, syntax.uid, data_set_offset=0)
    if len(spans) != image.number_of_frames or syntax.media_type.startswith("video/"):
        raise NotAcceptable(f"{len(spans)} of {image.number_of_frames} frames can be told apart")
    for number in range(1, image.number_of_frames + 1):
        offset, length = frame_span(spans, number, number_of_frames=image.number_of_frames)
        segment = bytes(memoryview(data_set.data)[offset : offset + length])
        yield join_fragments(segment) if syntax.encapsulated else segment


def exact_cells(frame: bytes, image: ImageDescription, syntax: TransferSyntax, *, vr: str = "OW") -> tuple[Cells, str]:
    """Unsigned cells (rows, columns) or (rows, columns, samples), and their Photometric Interpretation.

    `vr` is that of native Pixel Data. Raises NotAcceptable for cells that are no whole bytes or share chrominance,
    NotRenderable for damaged frames.
    """
    photometric = image.photometric_interpretation
    if image.bits_allocated not in (8, 16, 32) or image.floating:
        raise NotAcceptable(f"{image.bits_allocated} bits allocated, or floating-point pixels")
    if not syntax.encapsulated or syntax.uid == _DEFLATED_FRAMES:
        return _native(frame, image, syntax, vr), photometric
    if syntax.media_type == "image/dicom-rle":
        return decode_rle(frame, image), photometric
    as_coded = replace(image, photometric_interpretation="RGB")
    if syntax.media_type in _WAVELETS:
        header = read_header(frame)
        values = decode_frame(frame, as_coded, syntax.uid)
        return to_cells(values, header.comments, image), "RGB" if header.colour_transform else photometric
    if syntax.media_type == "image/jls" or (syntax.media_type == "image/jpeg" and is_lossless(read_jpeg_header(frame))):
        return to_cells(decode_frame(frame, as_coded, syntax.uid), (), image), photometric
    cells = to_cells(decode_frame(frame, image, syntax.uid), (), image)
    return cells, "RGB" if image.samples_per_pixel == 3 else photometric


def _native(frame: bytes, image: ImageDescription, syntax: TransferSyntax, vr: str) -> Cells:
    if syntax.encapsulated:
        frame = zlib.decompressobj(-zlib.MAX_WBITS).decompress(frame, -(-frame_bits(image) // 8))
    if image.photometric_interpretation in _HALF_CHROMA:
        raise NotAcceptable(f"native {image.photometric_interpretation}")
    layout = layout_of(image, little_endian=syntax.little_endian, vr=vr, planar=image.planar_configuration == 1)
    if len(frame) < layout.frame_bytes:
        raise NotAcceptable("pixel data ends early")
    return np.asarray(cells_of_frame(memoryview(frame), layout))
