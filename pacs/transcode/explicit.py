"""Any data set as Explicit VR Little Endian, and small changes to one that is (PS3.5 7.1 and Annex A.2).

Law: text stays the bytes it was; only headers and byte order change. What the dictionary does not know becomes UN,
whose value is the same in every transfer syntax (PS3.5 6.2.2). Nothing is lost that `restore` needs: the envelope
keeps the received bytes, so this data set is for viewers, not for proof.
"""

import struct
from collections.abc import Iterator, Mapping

import numpy as np

from pacs.dataset import DataSet, Element
from pacs.dataset.elements import LONG_VRS, NUMBER_FORMATS, SHORT_VRS, STRING_VRS

_ITEM = struct.pack("<HH", 0xFFFE, 0xE000)
_UNDEFINED = 0xFFFFFFFF
_LONGEST_SHORT = 0xFFFE
# Bytes that are swapped together in Big Endian (PS3.5 7.3); AT is two 16-bit numbers.
_SWAPPED = {vr: struct.calcsize(form) for vr, form in NUMBER_FORMATS.items()}
_SWAPPED |= {"AT": 2, "OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}


def explicit_element(tag: int, vr: str, value: bytes) -> bytes:
    """One element with a defined length; a value too long for its VR's 16-bit length becomes UN (PS3.5 6.2.2)."""
    if len(value) % 2:
        value += b" " if vr in STRING_VRS and vr != "UI" else b"\0"
    if vr in SHORT_VRS and len(value) <= _LONGEST_SHORT:
        return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(value)) + value
    return _long_header(tag, vr if vr in LONG_VRS else "UN", len(value)) + value


def explicit_elements(data_set: DataSet, *, without: int = 0) -> Iterator[tuple[int, bytes]]:
    """Tag and Explicit VR Little Endian bytes of each element but one.

    Group lengths are left out: they would be wrong now, and are retired (PS3.5 7.2).
    """
    for tag, element in data_set.elements.items():
        if tag & 0xFFFF and tag != without:
            yield tag, _converted(data_set, element)


def _converted(data_set: DataSet, element: Element) -> bytes:
    if element.vr == "SQ":
        items = b"".join(_item(item) for item in element.items)
        return _long_header(element.tag, "SQ", len(items)) + items
    if element.undefined:  # a private sequence (PS3.5 6.2.2 note 2), or encapsulated pixels of an icon
        vr = "OB" if element.fragments else "UN"
        raw = bytes(memoryview(data_set.data)[element.value : element.end])
        return _long_header(element.tag, vr, _UNDEFINED) + raw
    value = bytes(memoryview(data_set.data)[element.value : element.value + element.length])
    width = _SWAPPED.get(element.vr, 1)
    if not data_set.little_endian and width > 1 and len(value) % width == 0:
        value = np.frombuffer(value, f">u{width}").astype(f"<u{width}").tobytes()
    return explicit_element(element.tag, element.vr, value)


def _item(item: DataSet) -> bytes:
    content = b"".join(converted for _, converted in sorted(explicit_elements(item)))
    return _ITEM + struct.pack("<I", len(content)) + content


def _long_header(tag: int, vr: str, length: int) -> bytes:
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode(), 0, length)


def spliced(data_set: DataSet, stop: int, changes: Mapping[int, bytes]) -> bytes:
    """Bytes of an Explicit VR Little Endian data set up to offset `stop`, verbatim but for the elements in `changes`.

    An element becomes the bytes given (b"" drops it) and is put in its place by tag when it was not there.
    """
    cuts = []
    for tag, replacement in changes.items():
        element = data_set.elements.get(tag)
        if element is not None and element.end <= stop:
            cuts.append((element.start, element.end, replacement))
        elif element is None and replacement:
            later = [other.start for other in data_set.elements.values() if other.tag > tag and other.start <= stop]
            cuts.append((min(later, default=stop),) * 2 + (replacement,))
    view = memoryview(data_set.data)
    pieces: list[bytes | memoryview] = []
    position = data_set.start
    for start, end, replacement in sorted(cuts):
        pieces += [view[position:start], replacement]
        position = end
    return b"".join([*pieces, view[position:stop]])
