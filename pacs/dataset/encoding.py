"""Which encoding a data set really has, element by element when it must be.

Law: the declared transfer syntax is believed until the bytes say otherwise. The questions here are asked only at the
first element and where a header makes no sense, so they may be slow, but each looks at a fixed number of bytes.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from pacs.dataset.data_set import Buffer
from pacs.dataset.elements import EXPLICIT_HEADERS, ITEM, SEQUENCE_DELIMITATION, UNDEFINED, dictionary_vr, is_known

_HEADER_BYTES = 12
_FIRST_GROUPS = 0x00FF  # no data set begins with a later group


@dataclass(frozen=True, slots=True)
class Encoding:
    """Byte order and VR encoding, with the header layouts that follow from them."""

    implicit: bool
    little_endian: bool
    explicit_header: struct.Struct  # group, element, VR, 16-bit length, 32-bit length
    implicit_header: struct.Struct  # group, element, 32-bit length

    def __str__(self) -> str:
        return f"{'Implicit' if self.implicit else 'Explicit'} VR {'Little' if self.little_endian else 'Big'} Endian"


@dataclass(frozen=True, slots=True)
class Header:
    """One way to read an element's header: ``length`` may be UNDEFINED, ``explicit`` says that the VR is spelled."""

    tag: int
    vr: str
    value: int
    length: int
    explicit: bool
    mangled: bool = False  # the reserved bytes of a long header are not zero: perhaps a short one


def _encoding(*, implicit: bool, little_endian: bool) -> Encoding:
    order = "<" if little_endian else ">"
    return Encoding(implicit, little_endian, struct.Struct(f"{order}HH2sHI"), struct.Struct(f"{order}HHI"))


EXPLICIT_LITTLE = _encoding(implicit=False, little_endian=True)
IMPLICIT_LITTLE = _encoding(implicit=True, little_endian=True)
EXPLICIT_BIG = _encoding(implicit=False, little_endian=False)
_IMPLICIT_BIG = _encoding(implicit=True, little_endian=False)
_ENCODINGS = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG, _IMPLICIT_BIG)


def encoding_of(*, explicit_vr: bool, little_endian: bool) -> Encoding:
    """The encoding with these two properties."""
    return next(e for e in _ENCODINGS if e.implicit is not explicit_vr and e.little_endian is little_endian)


def header_bytes(data: Buffer, position: int) -> bytes:
    """Twelve bytes at ``position``, padded with NUL, so that the last header of a buffer can be read like any other."""
    return bytes(data[position : position + _HEADER_BYTES]).ljust(_HEADER_BYTES, b"\0")


def actual_encoding(data: Buffer, start: int, limit: int, declared: Encoding) -> Encoding:
    """The encoding that the first element of a data set shows; ``declared`` when none fits better."""
    if limit - start < 8:
        return declared
    for encoding in (declared, *_ENCODINGS[:3]):
        if _may_begin(data, start, limit, encoding):
            return encoding
    return declared


def may_be_data_set(data: Buffer, start: int, limit: int, encoding: Encoding) -> bool:
    """Whether a data set in ``encoding`` plausibly begins at ``start``: used when nothing declares the encoding."""
    group, number = encoding.implicit_header.unpack_from(header_bytes(data, start))[:2]
    return _may_begin(data, start, limit, encoding) and is_known(group << 16 | number)


def _may_begin(data: Buffer, start: int, limit: int, encoding: Encoding) -> bool:
    head = header_bytes(data, start)
    group, number, code, _, _ = encoding.explicit_header.unpack(head)
    if group > _FIRST_GROUPS:
        return False
    if not encoding.implicit:
        return code in EXPLICIT_HEADERS
    length = encoding.implicit_header.unpack_from(head)[2]
    return length == UNDEFINED or (
        code not in EXPLICIT_HEADERS and _followed(data, group << 16 | number, start + 8 + length, limit, encoding)
    )


def header_at(data: Buffer, position: int, encoding: Encoding) -> Header:
    """The header at ``position`` as ``encoding`` says; an explicit one without a known VR comes back as implicit."""
    head = header_bytes(data, position)
    group, number, code, short, long = encoding.explicit_header.unpack(head)
    tag = group << 16 | number
    if encoding.implicit or code not in EXPLICIT_HEADERS:
        length = encoding.implicit_header.unpack_from(head)[2]
        return Header(tag, dictionary_vr(tag), position + 8, length, explicit=False)
    vr, has_long = EXPLICIT_HEADERS[code]
    if not has_long:
        return Header(tag, vr, position + 8, short, explicit=True)
    return Header(tag, vr, position + 12, long, explicit=True, mangled=short != 0)


def _candidates(data: Buffer, position: int, encoding: Encoding) -> Iterator[Header]:
    """The ways to read the header at ``position``, the likeliest first: explicit where two letters stand."""
    head = header_bytes(data, position)
    group, number, code, short, long = encoding.explicit_header.unpack(head)
    tag = group << 16 | number
    meant = dictionary_vr(tag)
    vr, has_long = EXPLICIT_HEADERS.get(code, (meant, None))
    explicit = []
    if has_long or (has_long is None and short == 0):  # the length follows two reserved bytes
        explicit.append(Header(tag, vr, position + 12, long, explicit=True))
    if not has_long or short != 0:
        explicit.append(Header(tag, vr, position + 8, short, explicit=True))
    implicit = Header(tag, meant, position + 8, encoding.implicit_header.unpack_from(head)[2], explicit=False)
    if has_long is None and encoding.implicit:
        explicit = []
    yield from (*explicit, implicit) if code.isalpha() else (implicit, *explicit)


def plausible_header(data: Buffer, position: int, limit: int, encoding: Encoding) -> Header | None:
    """The first way to read the header at ``position`` that leads to another sensible element, or to the end."""
    for header in _candidates(data, position, encoding):
        if header.length == UNDEFINED:
            if first_tag(data, header.value, encoding) in {ITEM, SEQUENCE_DELIMITATION}:
                return header
        elif _followed(data, header.tag, header.value + header.length, limit, encoding):
            return header
    return None


def first_tag(data: Buffer, position: int, encoding: Encoding) -> int:
    """The tag at ``position``; 0 behind the end of the buffer."""
    group, number, _ = encoding.implicit_header.unpack_from(header_bytes(data, position))
    return int(group << 16 | number)


def _followed(data: Buffer, tag: int, end: int, limit: int, encoding: Encoding) -> bool:
    """Whether what stands at ``end`` may follow the element ``tag``: nothing, a delimiter, or a later element."""
    if end >= limit:
        return end == limit
    group, number, code, _, _ = encoding.explicit_header.unpack(header_bytes(data, end))
    following = group << 16 | number
    if group == 0xFFFE:
        return True
    if following <= tag:
        return False
    length = encoding.implicit_header.unpack_from(header_bytes(data, end))[2]
    return code in EXPLICIT_HEADERS or (is_known(following) and (length == UNDEFINED or end + 8 + length <= limit))
