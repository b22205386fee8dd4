"""One received instance to the stored one: encode, prove, or keep as received.

Law: nothing is stored compressed that was not turned back, in this call, into exactly the bytes received, by a decoder
other than the encoder's. No image, however odd, makes this raise: a bug here costs disk space, never an instance.
"""

import struct
from io import BytesIO

from pacs.codecs.cells import to_samples
from pacs.codecs.htj2k import encode_htj2k
from pacs.dataset import DataSet, describe_image, read_data_set
from pacs.dataset.data_set import Buffer
from pacs.dataset.elements import PIXEL_DATA
from pacs.errors import ArchiveError
from pacs.file_meta import file_meta
from pacs.model import Compressed, Identity, ImageDescription, Source
from pacs.transcode.explicit import explicit_element, explicit_elements, spliced
from pacs.transcode.pixels import PixelLayout, cells_of_frame
from pacs.transcode.policy import reason_to_keep
from pacs.transcode.restore import plain_surroundings, received_layout, restored
from pacs.transfer_syntaxes import HTJ2K_LOSSLESS_RPCL, transfer_syntax

_GROUP_LENGTHS = {0x00280000: b"", 0x7FE00000: b""}  # of the groups whose length changes; dropped (PS3.5 7.2)
_RGB_STORED = {
    0x00280004: explicit_element(0x00280004, "CS", b"YBR_RCT"),
    0x00280006: explicit_element(0x00280006, "US", b"\0\0"),
}
_ENCAPSULATED = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
_ITEM = struct.Struct("<HHI")
_DELIMITATION = _ITEM.pack(0xFFFE, 0xE0DD, 0)


class _Kept(Exception):  # not an error: the ordinary way out for an image that stays as it is
    """The image is kept as received, for the reason given."""


def compress(data_set: Buffer, transfer_syntax_uid: str, identity: Identity, source: Source) -> Compressed:
    """What is stored for a received data set, proved to restore to it byte for byte.

    Memory: the result, and a few frames beside it. Raises nothing but MemoryError.
    """
    try:
        return _compressed(data_set, transfer_syntax_uid, identity, source)
    except _Kept as kept:
        reason = str(kept)
    except MemoryError:
        raise
    except ArchiveError as error:
        reason = type(error).__name__
    except Exception as error:  # codecs raise whatever they like; the instance is safe as received
        reason = f"failed: {type(error).__name__}"
    meta = file_meta(identity.sop_class_uid, identity.sop_instance_uid, transfer_syntax_uid, source)
    return Compressed(b"".join([meta, memoryview(data_set)]), transfer_syntax_uid, None, -1, "as received", reason)


def _compressed(data: Buffer, transfer_syntax_uid: str, identity: Identity, source: Source) -> Compressed:
    received = read_data_set(data, transfer_syntax_uid)
    image = describe_image(received)
    if reason := reason_to_keep(received, image, transfer_syntax(transfer_syntax_uid)):
        raise _Kept(reason)
    assert image is not None  # noqa: S101  # reason_to_keep has spoken; this tells the type checker
    view = memoryview(data)
    before = received.elements[PIXEL_DATA].value
    layout = received_layout(bytes(view[:before]), image, transfer_syntax_uid)
    after = before + layout.pixel_bytes(image.number_of_frames)
    if after > len(view) or after > received.elements[PIXEL_DATA].end:
        raise _Kept("pixel data ends early")
    if layout.words and layout.frame_bytes % 2 and image.number_of_frames > 1:
        raise _Kept("unusual pixel format")
    meta = file_meta(identity.sop_class_uid, identity.sop_instance_uid, HTJ2K_LOSSLESS_RPCL, source)
    part10 = _part10(meta, received, image, layout)
    envelope = None
    if not _plain(memoryview(part10)[len(meta) :], view[:before], view[after:]):
        envelope = b"".join([view[:before], view[after:]])
    result = Compressed(part10, HTJ2K_LOSSLESS_RPCL, envelope, before if envelope is not None else -1, "htj2k", "")
    _prove(result, view, transfer_syntax_uid)
    return result


def _part10(meta: bytes, received: DataSet, image: ImageDescription, layout: PixelLayout) -> bytes:
    head, tail = _surroundings(received, image)
    view = memoryview(received.data)
    start = received.elements[PIXEL_DATA].value
    frames = image.number_of_frames
    out = BytesIO()
    out.write(meta + head + _ENCAPSULATED + _ITEM.pack(0xFFFE, 0xE000, 4 * frames))
    table = out.tell()
    out.write(bytes(4 * frames))
    first, offsets = out.tell(), []
    for number in range(frames):
        position = start + number * layout.frame_bytes
        length = layout.pixel_bytes(1) if layout.words else layout.frame_bytes
        codestream = _encoded(view[position : position + length], image, layout)
        offsets.append(out.tell() - first)
        out.write(_ITEM.pack(0xFFFE, 0xE000, len(codestream)))
        out.write(codestream)
    if offsets[-1] > 0xFFFFFFFF:
        raise _Kept("too large for a Basic Offset Table")
    out.write(_DELIMITATION + tail)
    out.seek(table)
    out.write(struct.pack(f"<{frames}I", *offsets))
    return out.getvalue()


def _encoded(frame: memoryview, image: ImageDescription, layout: PixelLayout) -> bytes:
    samples, comments = to_samples(cells_of_frame(frame, layout), image)
    codestream = encode_htj2k(samples, precision=image.bits_stored, rgb=layout.samples == 3, comments=comments)
    return codestream + b"\0" * (len(codestream) % 2)


def _surroundings(received: DataSet, image: ImageDescription) -> tuple[bytes, bytes]:
    """What stands before and behind Pixel Data in the stored data set, which is Explicit VR Little Endian."""
    colour = _RGB_STORED if image.samples_per_pixel == 3 else {}
    pixels = received.elements[PIXEL_DATA]
    if not received.implicit and received.little_endian:
        groups = {tag: b"" for tag in _GROUP_LENGTHS if colour or tag == 0x7FE00000}
        return spliced(received, pixels.start, groups | colour), bytes(memoryview(received.data)[pixels.end :])
    elements = dict(explicit_elements(received, without=PIXEL_DATA)) | colour
    head = b"".join(elements[tag] for tag in sorted(elements) if tag < PIXEL_DATA)
    tail = b"".join(elements[tag] for tag in sorted(elements) if tag > PIXEL_DATA)
    return head, tail


def _plain(stored: memoryview, head: memoryview, tail: memoryview) -> bool:
    """Whether the stored data set alone says what stood around the pixel values, so that no envelope is needed."""
    data_set = read_data_set(stored, HTJ2K_LOSSLESS_RPCL)
    image = describe_image(data_set)
    if image is None or PIXEL_DATA not in data_set.elements:
        raise _Kept("the stored data set cannot be read back")
    plain_head, plain_tail, _ = plain_surroundings(data_set, image)
    return plain_head == head and plain_tail == tail


def _prove(result: Compressed, received: memoryview, transfer_syntax_uid: str) -> None:
    position = 0
    for piece in restored(result.part10, result.envelope, result.before, transfer_syntax_uid):
        if received[position : position + len(piece)] != piece:
            raise _Kept("the restored data set differs")
        position += len(piece)
    if position != len(received):
        raise _Kept("the restored data set differs")
