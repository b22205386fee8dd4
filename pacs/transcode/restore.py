"""The received data set from the stored one, byte for byte.

Law: `restore` runs exactly what the proof ran when the instance was compressed, decoder included. Its result is what
the archive promises a hospital, so it shares no code with the encoder beyond the layout of cells.
"""

import struct
from collections.abc import Iterator

from pacs.codecs.cells import to_cells
from pacs.codecs.codestream import read_header
from pacs.codecs.htj2k import decode_proof
from pacs.dataset import DataSet, describe_image, read_data_set
from pacs.dataset.data_set import Buffer
from pacs.dataset.elements import PIXEL_DATA
from pacs.errors import Damaged
from pacs.file_meta import read_file_meta
from pacs.model import ImageDescription
from pacs.transcode.explicit import explicit_element, spliced
from pacs.transcode.pixels import PixelLayout, frame_of_cells, layout_of
from pacs.transfer_syntaxes import IMPLICIT_LE

_PHOTOMETRIC_INTERPRETATION = 0x00280004
_PLANAR_CONFIGURATION = 0x00280006
_OFFSET_TABLES = {0x7FE00001: b"", 0x7FE00002: b""}
_PIXEL_TAGS = {b"\xe0\x7f\x10\x00": True, b"\x7f\xe0\x00\x10": False}  # → little endian
_BIG_ENDIAN_PIXELS = "1.2.840.113619.5.2"  # GE: Implicit VR Little Endian but for Pixel Data

RGB_AGAIN = {_PHOTOMETRIC_INTERPRETATION: explicit_element(_PHOTOMETRIC_INTERPRETATION, "CS", b"RGB")}
"""What an RGB image had before it was stored as YBR_RCT."""


def restore(part10: Buffer, envelope: bytes | None, before: int, received_transfer_syntax_uid: str) -> bytes:
    """The data set as received: `envelope[:before]`, the pixel values, `envelope[before:]`.

    Without an envelope the stored instance itself says all. Raises Damaged when its pixels are not there.
    """
    return b"".join(restored(part10, envelope, before, received_transfer_syntax_uid))


def restored(
    part10: Buffer, envelope: bytes | None, before: int, received_transfer_syntax_uid: str
) -> Iterator[bytes | memoryview]:
    """The same, piece by piece: a data set of gigabytes never lies in memory whole."""
    meta = read_file_meta(part10)
    stored_bytes = memoryview(part10)[meta.data_set_offset :]
    if meta.transfer_syntax_uid == received_transfer_syntax_uid:
        yield stored_bytes
        return
    stored = read_data_set(stored_bytes, meta.transfer_syntax_uid)
    image = describe_image(stored)
    pixels = stored.elements.get(PIXEL_DATA)
    if image is None or pixels is None or not pixels.fragments:
        raise Damaged("the stored instance has no encapsulated pixels")
    if envelope is None:
        head, tail, layout = plain_surroundings(stored, image)
    else:
        head, tail = envelope[:before], envelope[before:]
        layout = received_layout(head, image, received_transfer_syntax_uid)
    yield head
    for offset, length in pixels.fragments[1:]:
        codestream = bytes(stored_bytes[offset + 8 : offset + 8 + length])
        samples = decode_proof(codestream)
        yield frame_of_cells(to_cells(samples, read_header(codestream).comments, image), layout)
    yield tail


def plain_surroundings(stored: DataSet, image: ImageDescription) -> tuple[bytes, bytes, PixelLayout]:
    """What stood around the pixel values of a plain Explicit VR Little Endian data set, and their layout.

    Plain: no group lengths, OB for 8 and OW for 16 bits allocated, colour by pixel, a NUL behind an odd length.
    """
    pixels = stored.elements[PIXEL_DATA]
    changes = dict(_OFFSET_TABLES) | (RGB_AGAIN if image.samples_per_pixel == 3 else {})
    vr = "OB" if image.bits_allocated == 8 else "OW"
    layout = layout_of(image, little_endian=True, vr=vr, planar=False)
    size = layout.pixel_bytes(image.number_of_frames)
    header = struct.pack("<HH2sHI", PIXEL_DATA >> 16, PIXEL_DATA & 0xFFFF, vr.encode(), 0, size + size % 2)
    tail = b"\0" * (size % 2) + bytes(memoryview(stored.data)[pixels.end :])
    return spliced(stored, pixels.start, changes) + header, tail, layout


def received_layout(head: bytes, image: ImageDescription, transfer_syntax_uid: str) -> PixelLayout:
    """The layout of the values behind `head`, whose last bytes are the header of Pixel Data as received."""
    for size in (12, 8):
        little_endian = _PIXEL_TAGS.get(head[-size:][:4])
        if little_endian is not None:
            vr = head[-8:-6].decode("latin-1") if size == 12 else "OW"
            surrounding = read_data_set(head[:-size], transfer_syntax_uid or IMPLICIT_LE)
            planar = image.samples_per_pixel > 1 and surrounding.integer(_PLANAR_CONFIGURATION, 0) == 1
            little_endian = little_endian and transfer_syntax_uid != _BIG_ENDIAN_PIXELS
            return layout_of(image, little_endian=little_endian, vr=vr, planar=planar)
    raise Damaged("the envelope does not end in front of pixel values")
