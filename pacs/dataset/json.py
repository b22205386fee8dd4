"""The DICOM JSON Model of a data set (PS3.18 Annex F), always valid, made once per instance at ingest.

Law: what cannot be said in JSON is said in the next best way and never stops an instance: a number that is none stays
text, bytes that mean nothing become U+FFFD. NUL is dropped everywhere, because PostgreSQL stores no such text. Values
too large to send with every study become references, which `pacs.dataset.bulk_data` resolves.
"""

import json
import math
import struct
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

from pacs.dataset.bulk_data import binary_value
from pacs.dataset.data_set import DataSet
from pacs.dataset.elements import (
    AT_BYTES,
    BINARY_VRS,
    CHARACTER_SET_VRS,
    NUMBER_BYTES,
    PIXELS,
    SPECIFIC_CHARACTER_SET,
    STRING_VRS,
    Element,
)
from pacs.dataset.private import meant_element

MAX_INLINE_BINARY = 1024
MAX_INLINE_VALUE = 65536  # lookup tables and long reports are not worth sending with every study
_MAX_DECIMAL = 32  # characters; Python would read thousands of digits
_NOT_ATTRIBUTES = {0x0000, 0x0002, 0xFFFE}  # command set and File Meta that strayed here, delimiters
_UTF_8 = {"vr": "CS", "Value": ["ISO_IR 192"]}  # whatever the data set has: JSON is UTF-8, PS3.18 F.2.1
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_write = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode


def instance_json(ds: DataSet, *, bulk_data_root: str) -> bytes:
    """One JSON object in UTF-8, sorted by tag, without group 0002 and group lengths.

    Pixel Data and binary values of more than 1024 bytes are ``BulkDataURI``: ``bulk_data_root``, a slash, and a path
    such as ``7FE00010`` or ``00291010/1/00291020`` (sequence, item counted from 1, element).
    """
    return _write(json_object(ds, bulk_data_root=bulk_data_root)).encode("utf-8", "replace")


def json_object(ds: DataSet, *, bulk_data_root: str) -> dict[str, Any]:
    """The same as a Python object."""
    found = {}
    for tag in sorted(ds.elements):
        group, number = tag >> 16, tag & 0xFFFF
        if number == 0 or group in _NOT_ATTRIBUTES:
            continue
        if tag == SPECIFIC_CHARACTER_SET:
            found["00080005"] = _UTF_8
            continue
        element = ds.elements[tag]
        if element.vr == "UN":
            element = meant_element(ds, element)
        found[f"{tag:08X}"] = _attribute(ds, element, bulk_data_root)
    return found


def _attribute(ds: DataSet, element: Element, root: str) -> dict[str, Any]:
    vr, length = element.vr, element.length
    if vr == "SQ":
        path = f"{root}/{element.tag:08X}"
        items = [json_object(item, bulk_data_root=f"{path}/{n}") for n, item in enumerate(element.items, 1)]
        return {"vr": vr, "Value": items} if items else {"vr": vr}
    if length == 0:
        return {"vr": vr}
    if element.tag in PIXELS or length > (MAX_INLINE_BINARY if vr in BINARY_VRS else MAX_INLINE_VALUE):
        return {"vr": vr, "BulkDataURI": f"{root}/{element.tag:08X}"}
    if vr in BINARY_VRS:
        return {"vr": vr, "InlineBinary": b64encode(binary_value(ds, element)).decode("ascii")}
    values = _VALUES[vr](ds, element)
    return {"vr": vr, "Value": values} if any(value is not None for value in values) else {"vr": vr}


def _texts(ds: DataSet, element: Element) -> list[Any]:
    return [value.rstrip(" \0").replace("\0", "") or None for value in ds.strings(element)]


def _codes(ds: DataSet, element: Element) -> list[Any]:
    return [value.strip(" \0").replace("\0", "") or None for value in ds.strings(element)]


def _names(ds: DataSet, element: Element) -> list[Any]:
    return [_name(value.replace("\0", "")) for value in ds.strings(element)]


def _name(value: str) -> dict[str, str] | None:
    """Component groups of a Person Name (PS3.5 6.2.1); what stands behind a third ``=`` stays with the third."""
    groups = [group.strip(" ") for group in value.split("=", 2)]
    return {key: group for key, group in zip(_NAME_GROUPS, groups, strict=False) if group} or None


def _decimals(ds: DataSet, element: Element) -> list[Any]:
    return [_decimal(text) if text else None for text in _codes(ds, element)]


def _decimal(text: str) -> int | float | str:
    """IS and DS as a number; text that is none, or no finite one, stays text (PS3.18 F.2.3.1 allows both)."""
    if len(text) > _MAX_DECIMAL or "_" in text:
        return text
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _numbers(ds: DataSet, element: Element) -> list[Any]:
    return [number if math.isfinite(number) else _not_finite(number) for number in ds.unpacked(element)]


def _not_finite(number: float) -> str:
    """As JavaScript spells it, whose viewers read this."""
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def _tags(ds: DataSet, element: Element) -> list[Any]:
    count = element.length // AT_BYTES * 2
    words = struct.unpack_from(f"{'<' if ds.little_endian else '>'}{count}H", ds.data, element.value)
    return [f"{group:04X}{number:04X}" for group, number in zip(words[::2], words[1::2], strict=True)]


_VALUES: Mapping[str, Callable[[DataSet, Element], list[Any]]] = {
    **dict.fromkeys(STRING_VRS, _codes),
    **dict.fromkeys(CHARACTER_SET_VRS | {"UR"}, _texts),
    **dict.fromkeys(NUMBER_BYTES, _numbers),
    "AT": _tags,
    "DS": _decimals,
    "IS": _decimals,
    "PN": _names,
}
