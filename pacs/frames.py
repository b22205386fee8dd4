"""Where the frames of an instance are, so that one can be read without the others (PS3.5 A.4, Annex A.4 tables).

Law: offsets only, no pixel is decoded. An offset table is believed when it points at fragments; otherwise the fragments
themselves decide. What is not there is left out: a frame list may be shorter than Number of Frames, never longer.
"""

import struct
from collections.abc import Sequence

from pacs.codecs.native import frame_bits
from pacs.dataset import DataSet, Element
from pacs.dataset.elements import PIXELS
from pacs.errors import NotFound, NotRenderable
from pacs.model import ImageDescription
from pacs.transfer_syntaxes import TRANSFER_SYNTAXES

Frames = tuple[tuple[int, int], ...]

_EXTENDED_OFFSET_TABLE = 0x7FE00001
_ITEM = struct.Struct("<HHI")
_ITEM_TAG = (0xFFFE, 0xE000)
# How a frame's codestream begins: JPEG and JPEG-LS, JPEG 2000, JP2 and JPEG XL boxes, JPEG XL codestream.
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ", b"\0\0\0\x0cJXL ", b"\xff\x0a")


def locate_frames(
    data_set: DataSet, image: ImageDescription | None, transfer_syntax_uid: str, *, data_set_offset: int
) -> Frames:
    """Offset and length of each frame, from the start of the Part 10 file whose data set begins at `data_set_offset`.

    An encapsulated frame reaches from the item header of its first fragment to the end of its last (`join_fragments`);
    a native one is its bytes. Video, and single-bit frames that share bytes, are one entry for all frames. Places
    in a deflated data set are those of the inflated one.
    """
    syntax = TRANSFER_SYNTAXES.get(transfer_syntax_uid)
    pixels = next((data_set.elements[tag] for tag in sorted(PIXELS & data_set.elements.keys())), None)
    if image is None or pixels is None:
        return ()
    if not pixels.fragments:
        spans = _native(pixels, image)
    elif syntax and syntax.media_type.startswith("video/"):
        spans = _spans(pixels.fragments[1:], [0])
    else:
        spans = _spans(pixels.fragments[1:], _first_fragments(data_set, pixels, image.number_of_frames))
    return tuple((data_set_offset + offset, length) for offset, length in spans)


def _native(pixels: Element, image: ImageDescription) -> list[tuple[int, int]]:
    bits = frame_bits(image)
    if bits % 8:
        size = min(-(-bits * image.number_of_frames // 8), pixels.length)
        return [(pixels.value, size)] if size else []
    size = bits // 8
    there = min(image.number_of_frames, -(-pixels.length // size))
    return [(pixels.value + at * size, min(size, pixels.length - at * size)) for at in range(there)]


def _first_fragments(data_set: DataSet, pixels: Element, frames: int) -> list[int]:
    """For each frame the number of its first fragment."""
    fragments = pixels.fragments[1:]
    if frames == 1:
        return [0]
    if len(fragments) == frames:
        return list(range(frames))
    by_offset = {offset - fragments[0][0]: number for number, (offset, _) in enumerate(fragments)} if fragments else {}
    for table in _offset_tables(data_set, pixels):
        numbers = [by_offset[offset] for offset in table if offset in by_offset]
        if len(numbers) == len(table) == frames and numbers == sorted(set(numbers)) and numbers[0] == 0:
            return numbers
    view = memoryview(data_set.data)
    begun = [n for n, (offset, _) in enumerate(fragments) if bytes(view[offset + 8 : offset + 20]).startswith(_STARTS)]
    if begun and begun[0] == 0 and len(begun) <= frames:
        return begun
    return list(range(min(frames, len(fragments))))


def _offset_tables(data_set: DataSet, pixels: Element) -> list[tuple[int, ...]]:
    extended = bytes(data_set.bytes_of(_EXTENDED_OFFSET_TABLE))
    offset, length = pixels.fragments[0]
    basic = bytes(memoryview(data_set.data)[offset + 8 : offset + 8 + length])
    return [
        struct.unpack_from(f"<{len(extended) // 8}Q", extended),
        struct.unpack_from(f"<{len(basic) // 4}I", basic),
    ]


def _spans(fragments: Sequence[tuple[int, int]], firsts: list[int]) -> list[tuple[int, int]]:
    if not fragments:
        return []
    spans = []
    for first, following in zip(firsts, [*firsts[1:], len(fragments)], strict=True):
        start = fragments[first][0]
        offset, length = fragments[following - 1]
        spans.append((start, offset + 8 + length - start))
    return spans


def frame_span(frames: Frames, number: int, *, number_of_frames: int) -> tuple[int, int]:
    """Offset and length that hold frame `number`, counted from 1; raises NotFound when there is no such frame.

    A single entry for several frames (video, frames that share bytes) holds each of them.
    """
    if len(frames) == 1 and 1 <= number <= max(number_of_frames, 1):
        return frames[0]
    if not 1 <= number <= len(frames):
        raise NotFound(f"frame {number} of {len(frames)}")
    return frames[number - 1]


def join_fragments(segment: bytes) -> bytes:
    """The codestream in a run of fragments; a segment that was read in part gives what is there of it.

    Raises NotRenderable when it does not consist of fragments.
    """
    pieces, position = [], 0
    while position + _ITEM.size <= len(segment):
        group, element, length = _ITEM.unpack_from(segment, position)
        if (group, element) != _ITEM_TAG:
            raise NotRenderable("a frame does not begin with an item")
        position += _ITEM.size
        pieces.append(segment[position : position + length])
        position += length
    return b"".join(pieces)


def pack_frames(frames: Frames) -> bytes:
    """Pairs of offset and length as little-endian 64-bit numbers, for the index."""
    return struct.pack(f"<{2 * len(frames)}Q", *(number for pair in frames for number in pair))


def unpack_frames(packed: bytes) -> Frames:
    """The inverse of `pack_frames`."""
    numbers = struct.unpack(f"<{len(packed) // 8}Q", packed)
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))
