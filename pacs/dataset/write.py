"""From DICOM JSON to encoded elements, for what we answer ourselves: matches of a query, items of a worklist.

Law: pure, and never for an instance: instances are kept and sent as the bytes they are. Values that JSON holds as a
reference (BulkDataURI) come out empty, as do those too long for their VR.
"""

import struct
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pacs.dataset.elements import CHARACTER_SET_VRS, ITEM, LONG_VRS, NUMBER_FORMATS
from pacs.dataset.write_text import encode

_LONGEST_SHORT = 0xFFFE  # bytes of a value whose length has 16 bits (PS3.5 7.1.2)
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


class EncodedElement(NamedTuple):
    """An element whose ``value`` is encoded and padded to even length."""

    tag: int
    vr: str
    value: bytes


class JsonEncoder:
    """Encodes DICOM JSON in one character set (the bytes of (0008,0005)) and one transfer syntax."""

    def __init__(self, character_set: bytes, *, explicit_vr: bool, little_endian: bool) -> None:
        self._character_set, self._explicit = character_set, explicit_vr
        self._order = "<" if little_endian else ">"

    def elements(self, item: Mapping[str, Any]) -> list[EncodedElement]:
        """The elements of a JSON object by ascending tag; raises UnicodeEncodeError when a text does not fit."""
        return [
            EncodedElement(int(tag, 16), attribute["vr"], self._value(attribute))
            for tag, attribute in sorted(item.items())
        ]

    def data_set(self, item: Mapping[str, Any]) -> bytes:
        """The same as one data set."""
        return b"".join(self._header(tag, vr, len(value)) + value for tag, vr, value in self.elements(item))

    def _value(self, attribute: Mapping[str, Any]) -> bytes:
        vr, values = attribute["vr"], attribute.get("Value", [])
        if vr == "SQ":
            return b"".join(self._item(one or {}) for one in values)
        if "InlineBinary" in attribute:
            return _even(b64decode(attribute["InlineBinary"]), b"\0")
        if vr in NUMBER_FORMATS:
            return struct.pack(f"{self._order}{len(values)}{NUMBER_FORMATS[vr]}", *values)
        if vr == "AT":
            return b"".join(struct.pack(f"{self._order}HH", int(tag[:4], 16), int(tag[4:], 16)) for tag in values)
        text: Callable[[Any], str] = _name if vr == "PN" else _text
        joined = "\\".join(text(value) for value in values)
        raw = encode(joined, self._character_set) if vr in CHARACTER_SET_VRS else joined.encode("ascii", "replace")
        if len(raw) > _LONGEST_SHORT and vr not in LONG_VRS:
            return b""
        return _even(raw, b"\0" if vr == "UI" else b" ")

    def _item(self, item: Mapping[str, Any]) -> bytes:
        content = self.data_set(item)
        return struct.pack(f"{self._order}HHL", ITEM >> 16, ITEM & 0xFFFF, len(content)) + content

    def _header(self, tag: int, vr: str, length: int) -> bytes:
        group, number = tag >> 16, tag & 0xFFFF
        if not self._explicit:
            return struct.pack(f"{self._order}HHL", group, number, length)
        form = "HH2sxxL" if vr in LONG_VRS else "HH2sH"
        return struct.pack(f"{self._order}{form}", group, number, vr.encode(), length)


def _even(value: bytes, padding: bytes) -> bytes:
    return value + padding * (len(value) % 2)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _name(value: Any) -> str:
    """A person name's groups as DICOM joins them."""
    if not isinstance(value, Mapping):
        return _text(value)
    return "=".join(str(value.get(group) or "") for group in _NAME_GROUPS).rstrip("=")
