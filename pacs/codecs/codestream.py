"""The main header of a JPEG 2000 codestream (ISO/IEC 15444-1 Annex A): read, and the two changes we make to it.

Law: bytes in, values out; no decoder is called. What is read here decides how much of a frame is fetched and whether
a decoder may be started at all, so a damaged header ends in NotRenderable, never in a wild allocation.
"""

import struct
from dataclasses import dataclass

from pacs.errors import NotRenderable

HEADER_BYTES = 2048
"""How much of a codestream is enough to hold its main header, for whoever reads a frame piece by piece."""

_SIZ, _COD, _QCD, _TLM, _COM, _SOT = 0xFF51, 0xFF52, 0xFF5C, 0xFF55, 0xFF64, 0xFF90
_RESOLUTION_FIRST = (1, 2)  # RLCP and RPCL: every smaller size is a prefix (Table A.16)
_SIGNED = 0x80


@dataclass(frozen=True, slots=True)
class CodestreamHeader:
    """What SIZ, COD, TLM and COM say."""

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool
    tiles: int
    decompositions: int
    resolution_first: bool
    colour_transform: bool  # RCT or ICT: three components come out of a decoder as RGB
    tile_parts: tuple[int, ...]  # lengths in bytes, in the order of the stream; empty without TLM
    length: int  # of the main header: where the first tile-part starts
    comments: tuple[bytes, ...]


def codestream_start(data: bytes) -> int:
    """Where the codestream begins: 0, or past the boxes of a JP2 file that a modality put into a fragment."""
    if data[:2] == b"\xff\x4f":
        return 0
    start = data.find(b"\xff\x4f\xff\x51")
    if start < 0:
        raise NotRenderable("no JPEG 2000 codestream")
    return start


def read_header(data: bytes) -> CodestreamHeader:
    """Read the main header at the start of `data` (a prefix is enough); raises NotRenderable when it is damaged."""
    start = codestream_start(data)
    try:
        return _read(data, start)
    except (struct.error, IndexError, KeyError, ZeroDivisionError) as error:
        raise NotRenderable("damaged JPEG 2000 header") from error


def _read(data: bytes, start: int) -> CodestreamHeader:
    segments: dict[int, bytes] = {}
    comments: list[bytes] = []
    tile_parts: list[int] = []
    at = start + 2
    while (marker := struct.unpack_from(">H", data, at)[0]) != _SOT:
        length = struct.unpack_from(">H", data, at + 2)[0]
        body = data[at + 4 : at + 2 + length]
        if length < 2 or len(body) != length - 2:
            raise NotRenderable("JPEG 2000 header ends early")
        if marker == _COM:
            comments.append(body[2:])
        elif marker == _TLM:
            tile_parts += _tile_part_lengths(body)
        else:
            segments[marker] = body
        at += 2 + length
    x1, y1, x0, y0, tile_width, tile_height, tile_x0, tile_y0, components = struct.unpack_from(
        ">8IH", segments[_SIZ], 2
    )
    sampling = segments[_SIZ][37 : 36 + 3 * components : 3] + segments[_SIZ][38 : 36 + 3 * components : 3]
    placed = tile_x0 <= x0 < min(x1, tile_x0 + tile_width) and tile_y0 <= y0 < min(y1, tile_y0 + tile_height)
    reversible, unquantized = segments[_COD][9] == 1, segments[_QCD][0] & 0x1F == 0
    whole = len(segments[_SIZ]) == 36 + 3 * components and reversible == unquantized
    if not placed or not whole or sampling.strip(b"\1"):
        raise NotRenderable("damaged JPEG 2000 header")  # decoders hang or crash on such (B.3, A.6.4)
    return CodestreamHeader(
        rows=y1 - y0,
        columns=x1 - x0,
        components=components,
        precision=(segments[_SIZ][36] & 0x7F) + 1,
        signed=bool(segments[_SIZ][36] & _SIGNED),
        tiles=-(-(x1 - tile_x0) // tile_width) * -(-(y1 - tile_y0) // tile_height),
        decompositions=segments[_COD][5],
        resolution_first=segments[_COD][1] in _RESOLUTION_FIRST,
        colour_transform=bool(segments[_COD][4]),
        tile_parts=tuple(tile_parts),
        length=at - start,
        comments=tuple(comments),
    )


def _tile_part_lengths(body: bytes) -> list[int]:
    index_size = (body[1] >> 4) & 0x03
    length_format = ">I" if body[1] & 0x40 else ">H"
    step = index_size + struct.calcsize(length_format)
    return [struct.unpack_from(length_format, body, at + index_size)[0] for at in range(2, len(body) - step + 1, step)]


def has_all_tiles(data: bytes, header: CodestreamHeader) -> bool:
    """Whether the codestream holds a tile-part of every tile; a decoder may crash over a tile that is missing."""
    at = codestream_start(data) + header.length
    found = set()
    while at + 12 <= len(data) and data[at : at + 2] == b"\xff\x90":
        tile, length = struct.unpack_from(">HI", data, at + 4)
        found.add(tile)
        at = len(data) if length < 14 else at + length  # 0: the rest of the codestream (A.4.2)
    return found == set(range(header.tiles))


def with_precision(codestream: bytes, *, precision: int, signed: bool) -> bytes:
    """The same codestream whose SIZ says `precision` bits, so that it agrees with Bits Stored (PS3.5 8.2.4).

    Sound for reversible coding only: coefficients stay, and a decoder adds 2**(precision - 1) to unsigned samples.
    """
    changed = bytearray(codestream)
    components = struct.unpack_from(">H", changed, 40)[0]
    for component in range(components):
        changed[42 + 3 * component] = (precision - 1) | (_SIGNED if signed else 0)
    return bytes(changed)


def with_comment(codestream: bytes, comment: bytes) -> bytes:
    """The same codestream with one more COM segment at the end of its main header."""
    end = read_header(codestream).length
    segment = struct.pack(">HHH", _COM, len(comment) + 4, 1) + comment
    return codestream[:end] + segment + codestream[end:]
