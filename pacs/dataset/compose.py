"""An instance's data set from its DICOM JSON object and the bulk data beside it (PS3.18 10.5, F): Explicit VR LE.

Law: pure, and strict: what cannot be encoded as said is Unreadable, because from here on the bytes are the instance.
Bulk data is never touched, only placed: the result is pieces of bytes and the bulk values between them, in order, so
that a value of gigabytes is copied by whoever holds it. Lengths are exact; odd values are padded (PS3.5 7.1.1).
"""

import struct
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from pacs.dataset.elements import (
    CHARACTER_SET_VRS,
    ITEM,
    LONG_VRS,
    NUMBER_FORMATS,
    PIXELS,
    SEQUENCE_DELIMITATION,
    SHORT_VRS,
    SINGLE_VRS,
    SPECIFIC_CHARACTER_SET,
    STRING_VRS,
    UNDEFINED,
    dictionary_vr,
)
from pacs.errors import Unreadable

_LONGEST_SHORT = 0xFFFE
_MAX_DEPTH = 64
_LONGEST_DECIMAL = 16  # characters of a DS (PS3.5 6.2)
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_UTF_8 = b"ISO_IR 192"
_NOT_OF_THE_DATA_SET = {0x0000, 0x0002, 0xFFFE}
_INTEGERS = frozenset("BHIQbhiq")


class Bulk(Protocol):
    """A value that is elsewhere; only its size matters here."""

    @property
    def size(self) -> int:
        """Bytes."""


BulkT = TypeVar("BulkT", bound=Bulk)


@dataclass(frozen=True, slots=True)
class Composed(Generic[BulkT]):
    """The data set in pieces, and whether Specific Character Set had to become another than was said."""

    pieces: tuple[bytes | BulkT, ...]
    coerced: bool


def compose(
    item: Mapping[str, Any], bulk_of: Callable[[str], Sequence[BulkT]], *, encapsulated: bool
) -> Composed[BulkT]:
    """The data set of one JSON object, in UTF-8. ``bulk_of`` gives the values of a BulkDataURI, one after the other.

    With ``encapsulated`` each value of Pixel Data is one fragment, that is one frame. Raises Unreadable.
    """
    said = item.get("00080005", {}) if isinstance(item, Mapping) else {}
    values = said.get("Value") if isinstance(said, Mapping) else None
    coerced = bool(values) and values != ["ISO_IR 192"]
    composer = _Composer(bulk_of, encapsulated=encapsulated)
    pieces = composer.data_set(item, depth=0)
    return Composed(tuple(_joined(pieces)), coerced)


class _Composer(Generic[BulkT]):
    def __init__(self, bulk_of: Callable[[str], Sequence[BulkT]], *, encapsulated: bool) -> None:
        self._bulk_of, self._encapsulated = bulk_of, encapsulated

    def data_set(self, item: Any, *, depth: int) -> list[bytes | BulkT]:
        if not isinstance(item, Mapping) or depth > _MAX_DEPTH:
            raise Unreadable("an item is no object, or sequences nest too deep")
        tagged = sorted((_tag(tag), attribute) for tag, attribute in item.items())
        pieces: list[bytes | BulkT] = []
        for tag, attribute in tagged:
            if tag >> 16 in _NOT_OF_THE_DATA_SET or not tag & 0xFFFF:
                continue  # File Meta is ours, and group lengths are retired (PS3.5 7.2)
            try:
                pieces += self._element(tag, attribute, depth=depth)
            except (ValueError, TypeError, OverflowError, AttributeError, struct.error) as error:
                raise Unreadable(f"attribute {tag:08X} is not as its VR wants it") from error
        return pieces

    def _element(self, tag: int, attribute: Mapping[str, Any], *, depth: int) -> list[bytes | BulkT]:
        vr = attribute.get("vr") or dictionary_vr(tag)
        if vr not in SHORT_VRS and vr not in LONG_VRS:
            raise ValueError(vr)
        if "BulkDataURI" in attribute:
            return self._bulk(tag, vr, str(attribute["BulkDataURI"]))
        if vr == "SQ":
            items: list[bytes | BulkT] = []
            for one in attribute.get("Value") or ():
                inner = self.data_set({} if one is None else one, depth=depth + 1)
                items += [_item_header(_size(inner)), *inner]
            return [_header(tag, vr, _size(items)), *items]
        if tag == SPECIFIC_CHARACTER_SET:
            value = _UTF_8
        elif "InlineBinary" in attribute:
            value = b64decode(attribute["InlineBinary"], validate=True)
        else:
            value = _value(vr, attribute.get("Value") or ())
        value += _padding(vr, len(value))
        return [_header(tag, vr, len(value)) + value]

    def _bulk(self, tag: int, vr: str, uri: str) -> list[bytes | BulkT]:
        parts = self._bulk_of(uri)
        if tag in PIXELS and self._encapsulated:
            pieces: list[bytes | BulkT] = [_header(tag, "OB", UNDEFINED), _item_header(0)]
            for part in parts:
                pieces += [_item_header(part.size + part.size % 2), part, b"\0" * (part.size % 2)]
            return [*pieces, struct.pack("<HHI", SEQUENCE_DELIMITATION >> 16, SEQUENCE_DELIMITATION & 0xFFFF, 0)]
        size = sum(part.size for part in parts)
        padding = _padding(vr, size)
        return [_header(tag, vr, size + len(padding)), *parts, padding]


def _tag(text: str) -> int:
    if len(text) != 8:
        raise Unreadable("a tag does not have 8 hexadecimal digits")
    try:
        return int(text, 16)
    except ValueError:
        raise Unreadable("a tag does not have 8 hexadecimal digits") from None


def _value(vr: str, values: Sequence[Any]) -> bytes:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise TypeError(vr)
    if vr in NUMBER_FORMATS:
        form = NUMBER_FORMATS[vr]
        number = _whole if form in _INTEGERS else float
        return b"".join(struct.pack(f"<{form}", number(one)) for one in values)
    if vr == "AT":
        return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in map(_tag, values))
    if vr not in STRING_VRS:
        if values:
            raise TypeError(vr)
        return b""
    text = _TEXTS.get(vr, _text)
    if vr in SINGLE_VRS and len(values) > 1:
        raise TypeError(vr)
    return "\\".join("" if one is None else text(one) for one in values).encode(
        "utf-8" if vr in CHARACTER_SET_VRS or vr == "UR" else "ascii"
    )


def _whole(value: Any) -> int:
    number = int(value)
    if isinstance(value, float) and value != number:
        raise ValueError(value)
    return number


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(value)
    return str(value)


def _name(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "=".join(_text(value.get(group) or "") for group in _NAME_GROUPS).rstrip("=")


def _decimal(value: Any) -> str:
    """A DS of at most 16 characters, as exact as they allow."""
    text = _text(value)
    if not isinstance(value, float) or len(text) <= _LONGEST_DECIMAL:
        return text
    shorter = (f"{value:.{digits}g}" for digits in range(_LONGEST_DECIMAL, 0, -1))
    return next(one for one in shorter if len(one) <= _LONGEST_DECIMAL)


_TEXTS: Mapping[str, Callable[[Any], str]] = {"PN": _name, "DS": _decimal}


def _padding(vr: str, size: int) -> bytes:
    blank = b" " if vr in STRING_VRS and vr != "UI" else b"\0"
    return blank * (size % 2)


def _header(tag: int, vr: str, length: int) -> bytes:
    if vr in SHORT_VRS and length <= _LONGEST_SHORT:
        return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)
    # too long for 16 bits of length: UN (PS3.5 6.2.2)
    return struct.pack("<HH2sxxI", tag >> 16, tag & 0xFFFF, (vr if vr in LONG_VRS else "UN").encode(), length)


def _item_header(length: int) -> bytes:
    return struct.pack("<HHI", ITEM >> 16, ITEM & 0xFFFF, length)


def _size(pieces: Sequence[bytes | BulkT]) -> int:
    return sum(len(one) if isinstance(one, bytes) else one.size for one in pieces)


def _joined(pieces: Sequence[bytes | BulkT]) -> list[bytes | BulkT]:
    """Neighbouring bytes as one, so that a header of hundreds of elements is written at once."""
    joined: list[bytes | BulkT] = []
    run: list[bytes] = []
    for one in pieces:
        if isinstance(one, bytes):
            run.append(one)
        else:
            joined += [b"".join(run), one]
            run = []
    return [*joined, b"".join(run)]
