"""Data elements in any native encoding: Explicit VR Little and Big Endian, Implicit VR Little Endian (PS3.5 7.1, A).

Law: text stays the bytes it was; only headers and byte order change. What the dictionary does not know becomes UN,
whose value is the same in every transfer syntax (PS3.5 6.2.2). Values are handed in as Little Endian.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pacs.dataset import DataSet, Element
from pacs.dataset.elements import ITEM, LONG_VRS, NUMBER_FORMATS, SHORT_VRS, STRING_VRS, UNDEFINED

_LONGEST_SHORT = 0xFFFE
# Bytes that are swapped together in Big Endian (PS3.5 7.3); AT is two 16-bit numbers.
_SWAPPED = {vr: struct.calcsize(form) for vr, form in NUMBER_FORMATS.items()}
_SWAPPED |= {"AT": 2, "OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}


@dataclass(frozen=True, slots=True)
class ElementWriter:
    """Writes elements in one encoding."""

    explicit: bool
    little_endian: bool

    def element(self, tag: int, vr: str, value: bytes) -> bytes:
        """One element with a defined length; a value too long for its VR's 16-bit length becomes UN (PS3.5 6.2.2)."""
        if len(value) % 2:
            value += b" " if vr in STRING_VRS and vr != "UI" else b"\0"
        return self._header(tag, vr, len(value)) + (value if self.little_endian else swapped(value, vr))

    def elements(self, data_set: DataSet, *, without: int = 0) -> Iterator[tuple[int, bytes]]:
        """Tag and bytes of each element but one.

        Group lengths are left out: they would be wrong now, and are retired (PS3.5 7.2).
        """
        for tag, element in data_set.elements.items():
            if tag & 0xFFFF and tag != without:
                yield tag, self._converted(data_set, element)

    def _converted(self, data_set: DataSet, element: Element) -> bytes:
        if element.vr == "SQ":
            items = b"".join(self._item(item) for item in element.items)
            return self._header(element.tag, "SQ", len(items)) + items
        if element.undefined:  # a private sequence (PS3.5 6.2.2 note 2), or encapsulated pixels of an icon
            vr = "OB" if element.fragments else "UN"
            raw = bytes(memoryview(data_set.data)[element.value : element.end])
            return self._header(element.tag, vr, UNDEFINED) + raw
        value = bytes(memoryview(data_set.data)[element.value : element.value + element.length])
        return self.element(element.tag, element.vr, value if data_set.little_endian else swapped(value, element.vr))

    def _item(self, item: DataSet) -> bytes:
        content = b"".join(converted for _, converted in sorted(self.elements(item)))
        return struct.pack(f"{self._order}HHI", ITEM >> 16, ITEM & 0xFFFF, len(content)) + content

    @property
    def _order(self) -> str:
        return "<" if self.little_endian else ">"

    def _header(self, tag: int, vr: str, length: int) -> bytes:
        group, number = tag >> 16, tag & 0xFFFF
        if not self.explicit:
            return struct.pack(f"{self._order}HHI", group, number, length)
        if vr in SHORT_VRS and length <= _LONGEST_SHORT:
            return struct.pack(f"{self._order}HH2sH", group, number, vr.encode(), length)
        code = (vr if vr in LONG_VRS else "UN").encode()
        return struct.pack(f"{self._order}HH2sHI", group, number, code, 0, length)


def swapped(value: bytes, vr: str) -> bytes:
    """A value in the other byte order, if its VR has one."""
    width = _SWAPPED.get(vr, 1)
    if width == 1 or len(value) % width:
        return value
    return np.frombuffer(value, f">u{width}").astype(f"<u{width}").tobytes()
