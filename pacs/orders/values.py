"""From a text in a table to a value in DICOM JSON, checked against its VR (PS3.5 Table 6.2-1).

Law: one function for each VR, in one table. What does not fit raises with the name of its column.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from pacs.dates import date_of, time_of
from pacs.errors import InvalidRequest

_CHARACTERS = {"AE": 16, "CS": 16, "SH": 16, "LO": 64, "PN": 64, "LT": 10240, "ST": 1024, "UI": 64}
_PREGNANCY = ("1", "2", "3", "4")  # PS3.3 C.2.2
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_UID = re.compile(r"^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+$")  # PS3.5 9.1
_Value = str | int | float | dict[str, Any]


def tag_of(keyword: str) -> str:
    """The tag as DICOM JSON spells it."""
    return f"{int(tag_for_keyword(keyword) or 0):08X}"


def attribute(keyword: str, text: str) -> dict[str, Any]:
    """``text`` as DICOM JSON; several values are parted by backslashes. Raises InvalidRequest."""
    vr = dictionary_VR(int(tag_for_keyword(keyword) or 0))
    if not text:
        return {"vr": vr}
    texts = [text] if vr in {"LT", "ST"} else [one.strip() for one in text.split("\\")]
    return {"vr": vr, "Value": [_READERS.get(vr, _text)(keyword, vr, one) for one in texts]}


def _text(keyword: str, vr: str, text: str) -> _Value:
    if len(text) > _CHARACTERS[vr]:
        raise InvalidRequest(f"{keyword} has more than {_CHARACTERS[vr]} characters")
    if any(ord(char) < 32 for char in text) and vr not in {"LT", "ST"}:
        raise InvalidRequest(f"{keyword} has a control character")
    return text


def _code_string(keyword: str, vr: str, text: str) -> _Value:
    if not all(char.isascii() and (char.isalnum() or char in " _") for char in text):
        raise InvalidRequest(f"{keyword} has other characters than A-Z, 0-9, space and underscore")
    return _text(keyword, vr, text.upper())


def _ae_title(keyword: str, vr: str, text: str) -> _Value:
    if not text.isascii():
        raise InvalidRequest(f"{keyword} is an AE title: ASCII alone")
    return _text(keyword, vr, text)


def _name(keyword: str, vr: str, text: str) -> _Value:
    groups = text.split("=")
    if len(groups) > 3:
        raise InvalidRequest(f"{keyword} has more than three component groups")
    return {name: _text(keyword, vr, group) for name, group in zip(_NAME_GROUPS, groups, strict=False) if group}


def _uid(keyword: str, vr: str, text: str) -> _Value:
    if len(text) > _CHARACTERS[vr] or not _UID.match(text):
        raise InvalidRequest(f"{keyword} is a UID: digits and dots, {_CHARACTERS[vr]} at most")
    return text


def _date(keyword: str, _: str, text: str) -> _Value:
    date = date_of(text.replace("-", ""))
    if not date:
        raise InvalidRequest(f"{keyword} is a date such as 20240131 or 2024-01-31")
    return date


def _time(keyword: str, _: str, text: str) -> _Value:
    time = time_of(text)
    if not time:
        raise InvalidRequest(f"{keyword} is a time such as 0830 or 08:30")
    return time


def _decimal(keyword: str, _: str, text: str) -> _Value:
    try:
        number = float(text) if len(text) <= 16 and "_" not in text else None
    except ValueError:
        number = None
    if number is None or not 0 <= number < 1e6:
        raise InvalidRequest(f"{keyword} is a number such as 62.5")
    return number


def _integer(keyword: str, _: str, text: str) -> _Value:
    if text not in _PREGNANCY:
        raise InvalidRequest(f"{keyword} is a number from 1 to 4")
    return int(text)


def _code(keyword: str, _: str, text: str) -> _Value:
    code, scheme, meaning = (*text.split("^", 2), "", "")[:3]
    if not code or not scheme:
        raise InvalidRequest(f"{keyword} is a code such as CTABD^99LOCAL^CT of the abdomen")
    texts = {"CodeValue": code, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning}
    return {tag_of(name): attribute(name, value) for name, value in texts.items() if value}


_READERS: Mapping[str, Callable[[str, str, str], _Value]] = {
    "AE": _ae_title,
    "CS": _code_string,
    "DA": _date,
    "DS": _decimal,
    "PN": _name,
    "SQ": _code,
    "TM": _time,
    "UI": _uid,
    "US": _integer,
}
