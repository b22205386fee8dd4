"""A stored instance in another transfer syntax, for those who ask for it.

Law: what arrives is the same picture to the last bit: frames are taken as exact cells, and every codestream is decoded
and compared before it leaves. Lossy compression happens only where it was asked for by name, and makes a derived
instance with a UID of its own (PS3.3 C.7.6.1.1.5). What cannot be done so is NotAcceptable, never nearly done.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from pacs.codecs import decode_frame
from pacs.codecs.cells import stored_values
from pacs.dataset import Buffer, DataSet, describe_image, read_data_set
from pacs.dataset.elements import PIXEL_DATA, UNDEFINED
from pacs.errors import NotAcceptable, NotRenderable, Unreadable
from pacs.file_meta import FileMeta, file_meta, read_file_meta
from pacs.model import ImageDescription, Source
from pacs.transcode.deflate import deflated
from pacs.transcode.element_writer import ElementWriter, swapped
from pacs.transcode.encoders import ENCODERS, SAME_CODESTREAM, Encoder
from pacs.transcode.exact import exact_cells, stored_frames
from pacs.transcode.lossy import derived_attributes, derived_uid
from pacs.transcode.policy import has_overlay_in_cells
from pacs.transfer_syntaxes import (
    DEFLATED_LE,
    EXPLICIT_BE,
    EXPLICIT_LE,
    IMPLICIT_LE,
    TRANSFER_SYNTAXES,
    TransferSyntax,
    transfer_syntax,
)

NATIVE = (EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED_LE)
CONVERTIBLE = frozenset({*NATIVE, *ENCODERS})
"""Every transfer syntax that `convert` can make."""

_PHOTOMETRIC_INTERPRETATION, _PLANAR_CONFIGURATION, _HIGH_BIT = 0x00280004, 0x00280006, 0x00280102
_LOSSY_IMAGE_COMPRESSION, _SOP_INSTANCE_UID, _ICON_IMAGE_SEQUENCE = 0x00282110, 0x00080018, 0x00880200
_OFFSET_TABLES = (0x7FE00001, 0x7FE00002)
_BIG_ENDIAN_PIXELS = "1.2.840.113619.5.2"  # GE: Implicit VR Little Endian but for Pixel Data
_ELSEWHERE = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (94, 95, 204, 205))  # JPIP
_ITEM = struct.Struct("<HHI")

Change = tuple[str, bytes] | None  # VR and Little Endian value of an element, None: without it
Changes = dict[int, Change]


def convert(part10: Buffer, transfer_syntax_uid: str) -> bytes:
    """The Part 10 file in another transfer syntax, File Meta included; the same bytes when it is in it already.

    Memory: the instance a few times. Raises NotAcceptable when that cannot be done exactly: video, unknown transfer
    syntaxes, pixels that the target has no place for, damaged frames.
    """
    meta = read_file_meta(part10)
    if transfer_syntax_uid == meta.transfer_syntax_uid:
        return bytes(part10)
    try:
        return _converted(part10, meta, transfer_syntax_uid)
    except (NotAcceptable, MemoryError):
        raise
    except (NotRenderable, Unreadable) as error:
        raise NotAcceptable(error.detail) from error
    except Exception as error:  # codecs raise whatever they like about damaged or unforeseen pixels
        raise NotAcceptable(f"the image cannot be converted: {type(error).__name__}") from error


def _converted(part10: Buffer, meta: FileMeta, uid: str) -> bytes:
    if uid not in CONVERTIBLE and uid not in SAME_CODESTREAM.get(meta.transfer_syntax_uid, ()):
        known = TRANSFER_SYNTAXES.get(uid)
        raise NotAcceptable(f"images are not put into {known.name if known else 'an unknown transfer syntax'}")
    source = transfer_syntax(meta.transfer_syntax_uid)
    stored = memoryview(part10)[meta.data_set_offset :]
    if uid in SAME_CODESTREAM.get(source.uid, ()):
        return file_meta(meta.sop_class_uid, meta.sop_instance_uid, uid, Source()) + stored
    data_set = read_data_set(stored, source.uid)
    instance = data_set.text(_SOP_INSTANCE_UID) or meta.sop_instance_uid
    if uid in NATIVE:
        body = _written(data_set, _native_changes(data_set, source), uid)
    else:
        encoder = ENCODERS[uid]
        pixels, changes = _encapsulated(data_set, source, encoder)
        if encoder.method:
            changes |= derived_attributes(data_set, encoder.method, uid, len(pixels))
            instance = derived_uid(instance, uid)
        body = _written(data_set, changes, EXPLICIT_LE, pixels)
    return file_meta(data_set.text(0x00080016) or meta.sop_class_uid, instance, uid, Source()) + body


def _written(data_set: DataSet, changes: Changes, uid: str, pixels: bytes = b"") -> bytes:
    """The data set with its changes; `pixels` is the finished element of encapsulated Pixel Data."""
    syntax = transfer_syntax(uid)
    writer = ElementWriter(explicit=syntax.explicit_vr, little_endian=syntax.little_endian)
    elements = dict(writer.elements(data_set, without=PIXEL_DATA if PIXEL_DATA in changes or pixels else 0))
    for tag, change in changes.items():
        elements.pop(tag, None)
        if change is not None:
            elements[tag] = writer.element(tag, *change)
    if pixels:
        elements[PIXEL_DATA] = pixels
    body = b"".join(elements[tag] for tag in sorted(elements))
    return deflated(body) if syntax.deflated else body


def _native_changes(data_set: DataSet, source: TransferSyntax) -> Changes:
    """What becomes of the pixels on the way to a native transfer syntax."""
    if source.uid in _ELSEWHERE:
        raise NotAcceptable("the pixels are at another address")
    element = data_set.elements.get(PIXEL_DATA)
    if element is None:
        return {}
    if not element.fragments and not source.encapsulated:
        return _native_again(data_set, source)
    image = _image(data_set)
    if image.bits_allocated == 1:
        bits = [decode_frame(frame, image, source.uid).ravel() for frame in stored_frames(data_set, image, source)]
        packed = np.packbits(np.concatenate(bits), bitorder="little").tobytes()  # PS3.5 8.1.1: frames share bytes
        return {PIXEL_DATA: ("OB", packed), **_described(data_set, image, image.photometric_interpretation)}
    cells = [exact_cells(frame, image, source) for frame in stored_frames(data_set, image, source)]
    photometric = _one({photometric for _, photometric in cells})
    little = f"<u{image.bits_allocated // 8}"
    value = b"".join(frame.astype(little, copy=False).tobytes() for frame, _ in cells)
    changes: Changes = {PIXEL_DATA: ("OB" if image.bits_allocated == 8 else "OW", value)}
    if source.lossless is False:
        changes[_LOSSY_IMAGE_COMPRESSION] = ("CS", b"01")
    return changes | _described(data_set, image, photometric)


def _native_again(data_set: DataSet, source: TransferSyntax) -> Changes:
    if source.uid == _BIG_ENDIAN_PIXELS and _image(data_set).bits_allocated == 16:
        return {PIXEL_DATA: ("OW", swapped(bytes(data_set.bytes_of(PIXEL_DATA)), "OW"))}
    return {}


def _encapsulated(data_set: DataSet, source: TransferSyntax, encoder: Encoder) -> tuple[bytes, Changes]:
    """The element of encapsulated Pixel Data, and what has to be changed beside it."""
    image = _image(data_set)
    element = data_set.elements.get(PIXEL_DATA)
    if element is None or has_overlay_in_cells(data_set):
        raise NotAcceptable("no integer pixels, or an overlay in their cells")
    codestreams, photometric = [], set()
    for frame in stored_frames(data_set, image, source):
        codestream, colour = _encoded(frame, image, source, encoder, vr=element.vr)
        photometric.add(colour)
        codestreams.append(codestream)
    return encapsulated(codestreams), _described(data_set, image, _one(photometric))


def _encoded(
    frame: bytes, image: ImageDescription, source: TransferSyntax, encoder: Encoder, *, vr: str = "OW"
) -> tuple[bytes, str]:
    """The codestream of a frame and its Photometric Interpretation."""
    if image.samples_per_pixel not in (1, 3) or image.bits_allocated > encoder.most_bits:
        raise NotAcceptable(f"{image.samples_per_pixel} samples of {image.bits_allocated} bits")
    if image.pixel_representation and (image.samples_per_pixel == 3 or encoder.method):
        raise NotAcceptable("signed values")
    if encoder.method and image.bits_stored != encoder.most_bits:
        raise NotAcceptable(f"lossy compression takes {encoder.most_bits} bits stored")
    cells, colour = exact_cells(frame, image, source, vr=vr)
    if colour not in encoder.colours:
        raise NotAcceptable(f"Photometric Interpretation {colour[:16]}")
    return encoder.encoded(stored_values(cells, image), image.bits_stored, colour), encoder.colours[colour]


def convert_frame(frame: bytes, image: ImageDescription, stored_uid: str, transfer_syntax_uid: str) -> bytes:
    """One frame, as stored, as the codestream of a compressed transfer syntax; raises NotAcceptable as `convert` does.

    `image` is that of the stored instance.
    """
    if transfer_syntax_uid in SAME_CODESTREAM.get(stored_uid, ()):
        return frame
    if transfer_syntax_uid not in ENCODERS:
        raise NotAcceptable("frames are not put into this transfer syntax")
    try:
        return _encoded(frame, image, transfer_syntax(stored_uid), ENCODERS[transfer_syntax_uid])[0]
    except (NotAcceptable, MemoryError):
        raise
    except Exception as error:  # as in `convert`
        raise NotAcceptable(f"the frame cannot be converted: {type(error).__name__}") from error


def _described(data_set: DataSet, image: ImageDescription, photometric: str) -> Changes:
    """What the attributes have to say of cells that lie by pixel and in their low bits."""
    changes: Changes = dict.fromkeys(_OFFSET_TABLES)
    changes[_PHOTOMETRIC_INTERPRETATION] = ("CS", photometric.encode("ascii"))
    if image.samples_per_pixel > 1:
        changes[_PLANAR_CONFIGURATION] = ("US", b"\0\0")
    if image.high_bit != image.bits_stored - 1:
        changes[_HIGH_BIT] = ("US", struct.pack("<H", image.bits_stored - 1))
    icons = data_set.items(_ICON_IMAGE_SEQUENCE)
    if any(PIXEL_DATA in icon.elements and icon.elements[PIXEL_DATA].fragments for icon in icons):
        changes[_ICON_IMAGE_SEQUENCE] = None  # it is in the transfer syntax that is left (PS3.3 F.7)
    return changes


def encapsulated(codestreams: Sequence[bytes]) -> bytes:
    """The element of Pixel Data: Basic Offset Table, then a fragment for each frame (PS3.5 A.4)."""
    return b"".join(_pieces(codestreams))


def _pieces(codestreams: Sequence[bytes]) -> Iterator[bytes]:
    offsets, position = [], 0
    for codestream in codestreams:
        offsets.append(position)
        position += _ITEM.size + len(codestream) + len(codestream) % 2
    table = struct.pack(f"<{len(offsets)}I", *offsets) if position <= UNDEFINED else b""
    yield struct.pack("<HH2sHI", PIXEL_DATA >> 16, PIXEL_DATA & 0xFFFF, b"OB", 0, UNDEFINED)
    yield _ITEM.pack(0xFFFE, 0xE000, len(table)) + table
    for codestream in codestreams:
        yield _ITEM.pack(0xFFFE, 0xE000, len(codestream) + len(codestream) % 2)
        yield codestream + b"\0" * (len(codestream) % 2)
    yield _ITEM.pack(0xFFFE, 0xE0DD, 0)


def _image(data_set: DataSet) -> ImageDescription:
    image = describe_image(data_set)
    if image is None:
        raise NotAcceptable("there is no image")
    usual = 0 < image.bits_stored <= image.bits_allocated
    return image if usual else replace(image, bits_stored=image.bits_allocated, high_bit=image.bits_allocated - 1)


def _one(photometric: set[str]) -> str:
    if len(photometric) != 1:
        raise NotAcceptable("frames of different colour spaces")
    return photometric.pop()
