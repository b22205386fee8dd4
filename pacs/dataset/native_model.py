"""The Native DICOM Model, XML for a DICOM JSON object (PS3.19 A.1, PS3.18 8.7.3.2).

Law: pure; the JSON is the only source, so that both answers say the same. Whatever a sender wrote becomes well-formed
XML: what XML 1.0 cannot hold becomes U+FFFD.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from pydicom.datadict import keyword_for_tag

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 2.2, Char
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_NAME_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")


def native_model(data_set: Mapping[str, Any]) -> bytes:
    """One ``NativeDicomModel`` document in UTF-8."""
    body = "".join(_attributes(data_set))
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="{NAMESPACE}" xml:space="preserve">'
    return f"{head}{body}</NativeDicomModel>\n".encode()


def _attributes(data_set: Mapping[str, Any]) -> Iterator[str]:
    for tag in sorted(data_set):
        attribute = data_set[tag]
        names = f'tag="{tag}" vr={_quoted(attribute["vr"])}'
        keyword = "" if _is_private(tag) else keyword_for_tag(int(tag, 16))
        if keyword:
            names += f' keyword="{keyword}"'
        if creator := _private_creator(data_set, tag):
            names += f" privateCreator={_quoted(creator)}"
        yield f"<DicomAttribute {names}>{''.join(_content(attribute))}</DicomAttribute>"


def _is_private(tag: str) -> bool:
    return int(tag[:4], 16) % 2 == 1


def _private_creator(data_set: Mapping[str, Any], tag: str) -> str:
    """The value of the Private Creator whose block an element is in (PS3.5 7.8.1); "" for all others."""
    if not _is_private(tag) or tag[4:6] == "00":
        return ""
    values = data_set.get(f"{tag[:4]}00{tag[4:6]}", {}).get("Value") or [""]
    return str(values[0] or "")


def _content(attribute: Mapping[str, Any]) -> Iterator[str]:
    if "BulkDataURI" in attribute:
        yield f"<BulkData uri={_quoted(attribute['BulkDataURI'])}/>"
    elif "InlineBinary" in attribute:
        yield f"<InlineBinary>{_text(attribute['InlineBinary'])}</InlineBinary>"
    else:
        for number, value in enumerate(attribute.get("Value", ()), 1):
            yield from _value(attribute["vr"], number, value)


def _value(vr: str, number: int, value: Any) -> Iterator[str]:
    if vr == "SQ":
        yield f'<Item number="{number}">{"".join(_attributes(value or {}))}</Item>'
    elif value is None:
        return  # an empty one of several values has its number only, PS3.19 Table A.1.5-2
    elif vr == "PN":
        yield f'<PersonName number="{number}">{"".join(_name(value))}</PersonName>'
    else:
        yield f'<Value number="{number}">{_text(value)}</Value>'


def _name(value: Any) -> Iterator[str]:
    groups = value if isinstance(value, Mapping) else {"Alphabetic": value}
    for group in _NAME_GROUPS:
        if text := groups.get(group):
            components = zip(_NAME_COMPONENTS, str(text).split("^", len(_NAME_COMPONENTS) - 1), strict=False)
            parts = "".join(f"<{name}>{_text(part)}</{name}>" for name, part in components if part)
            yield f"<{group}>{parts}</{group}>"


def _text(value: Any) -> str:
    return escape(_NOT_XML.sub("\ufffd", str(value)), {"\r": "&#13;"})  # a parser would make a line feed of it


def _quoted(value: Any) -> str:
    return quoteattr(_NOT_XML.sub("\ufffd", str(value)))
