"""Elements and their value representations (PS3.5 6.2, 7.1), as the reader finds them.

Law: an element is offsets into a buffer that it does not own; nothing here reads a value. Elements are tuples and not
data classes because a header has hundreds of them and reading one is on the path of every instance received.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VR

if TYPE_CHECKING:
    from pacs.dataset.data_set import DataSet

UNDEFINED = 0xFFFFFFFF
ITEM = 0xFFFEE000
ITEM_DELIMITATION = 0xFFFEE00D
SEQUENCE_DELIMITATION = 0xFFFEE0DD
SPECIFIC_CHARACTER_SET = 0x00080005
PIXEL_REPRESENTATION = 0x00280103
PIXEL_DATA = 0x7FE00010
PIXELS = frozenset({PIXEL_DATA, 0x7FE00008, 0x7FE00009})  # also Float and Double Float Pixel Data

# PS3.5 Table 7.1-2 and 7.1-1: 16 and 32 bits of length.
SHORT_VRS = frozenset(
    {"AE", "AS", "AT", "CS", "DA", "DS", "DT", "FL", "FD", "IS"}
    | {"LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US"}
)
LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})

BINARY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
TEXT_VRS = frozenset({"LT", "ST", "UT"})  # one value each: a backslash is a character
SINGLE_VRS = TEXT_VRS | {"UR"}
CHARACTER_SET_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})  # PS3.5 6.1.2.3
STRING_VRS = CHARACTER_SET_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
NUMBER_FORMATS: Mapping[str, str] = {
    "FD": "d",
    "FL": "f",
    "SL": "i",
    "SS": "h",
    "SV": "q",
    "UL": "I",
    "US": "H",
    "UV": "Q",
}
NUMBER_BYTES: Mapping[str, int] = {"FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}
WORD_BYTES: Mapping[str, int] = {"OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8}
AT_BYTES = 4

# How an explicit header's two bytes are read: (VR, whether the length has 32 bits).
EXPLICIT_HEADERS: Mapping[bytes, tuple[str, bool]] = {
    **{vr.encode(): (vr, False) for vr in SHORT_VRS},
    **{vr.encode(): (vr, True) for vr in LONG_VRS},
}
# The low half of an implicit length that spells a VR: an explicit element in the wrong place, or a large value.
SPELLS_VR = frozenset(int.from_bytes(code, "little") for code in EXPLICIT_HEADERS)

# Ambiguous entries of PS3.6, when the encoding does not say (PS3.5 8.1.2, C.7.6.3.1.4).
_RESOLVED = {"OB or OW": "OW", "US or OW": "OW", "US or SS or OW": "OW", "NONE": "UN"}
_US_OR_SS = "US or SS"
_DICTIONARY = {tag: _RESOLVED.get(entry[0], entry[0]) for tag, entry in DicomDictionary.items()}
UNAMBIGUOUS: Mapping[int, str] = {tag: vr for tag, vr in _DICTIONARY.items() if vr != _US_OR_SS}


class Element(NamedTuple):
    """One data element: offsets in bytes from the start of the buffer, ``end`` behind any delimitation item.

    ``length`` is that of the value as present, not as declared; with ``undefined`` it reaches to the delimitation.
    ``fragments`` are those of encapsulated Pixel Data, the Basic Offset Table first: offset of the fragment's item
    header and length of its value.
    """

    tag: int
    vr: str
    start: int
    value: int
    length: int
    end: int
    undefined: bool = False
    items: tuple["DataSet", ...] = ()
    fragments: tuple[tuple[int, int], ...] = ()


def dictionary_vr(tag: int, *, signed: bool = False) -> str:
    """The VR of ``tag`` in the data dictionary (PS3.6), "UN" when unknown; ``signed`` decides between US and SS."""
    vr = _DICTIONARY.get(tag) or _irregular_vr(tag)
    if vr == _US_OR_SS:
        return "SS" if signed else "US"
    return vr


@lru_cache(maxsize=4096)
def _irregular_vr(tag: int) -> str:
    number = tag & 0xFFFF
    if number == 0:
        return "UL"  # group length, PS3.5 7.2
    if tag & 0x10000:
        return "LO" if 0x10 <= number <= 0xFF else "UN"  # private creator, PS3.5 7.8.1
    try:
        vr = dictionary_VR(tag)  # repeating groups 50xx and 60xx
    except KeyError:
        return "UN"
    return _RESOLVED.get(vr, vr)


def is_known(tag: int) -> bool:
    """Whether a data set may hold ``tag``: the dictionary has it, or it is private or a group length."""
    return dictionary_vr(tag) != "UN" or (tag & 0x10000 != 0 and 0x00090000 <= tag < 0xFFFF0000)


def name_of(tag: int) -> str:
    """The name of an attribute as people say it, ``Pixel Data``, or ``(0029,1010)`` when the dictionary has none."""
    entry = DicomDictionary.get(tag)
    return entry[2] if entry else f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
