"""The Native DICOM Model that somebody sends (PS3.19 A.1), as a DICOM JSON object; the way back of `native_model`.

Law: pure. XML is parsed without document types and entities, so that it can neither grow nor reach for files; depth
and counts are bounded. What values mean is decided by whoever composes the instance.
"""

from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from pacs.errors import Unreadable

_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_MAX_DEPTH = 200
_MAX_NUMBER = 1_000_000


class _Tree(TreeBuilder):
    """A tree without namespaces, of bounded depth."""

    depth = 0

    def start(self, tag: Any, attrs: Any, /) -> Element:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise Unreadable(f"XML nests deeper than {_MAX_DEPTH}")
        return super().start(tag.rpartition("}")[2], attrs)

    def end(self, tag: Any, /) -> Element:
        self.depth -= 1
        return super().end(tag.rpartition("}")[2])


def read_native_model(data: bytes) -> dict[str, Any]:
    """One ``NativeDicomModel`` in UTF-8 as a DICOM JSON object, numbers still text. Raises Unreadable."""
    # an entity can be declared in a document type only; the encoding is fixed, so that these bytes cannot hide one
    if b"<!DOCTYPE" in data:
        raise Unreadable("XML with a document type")
    parser = XMLParser(target=_Tree(), encoding="utf-8")  # noqa: S314  # see above
    try:
        parser.feed(data)
        root: Element = parser.close()
    except (ParseError, ValueError, LookupError) as error:
        raise Unreadable("metadata that is no XML") from error
    if root.tag != "NativeDicomModel":
        raise Unreadable("XML that is no NativeDicomModel")
    return _object(root)


def _object(parent: Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for child in parent:
        tag = child.get("tag", "").upper()
        creator = child.get("privateCreator")
        if creator and len(tag) == 8:
            tag = _private(found, tag, creator)
        found[tag] = _attribute(child)
    return found


def _private(found: dict[str, Any], tag: str, creator: str) -> str:
    """The tag in its creator's block, which is entered when the XML only names the creator (PS3.19 A.1.5)."""
    taken = {key[6:]: one for key, one in found.items() if key.startswith(f"{tag[:4]}00")}
    own = next((block for block, one in taken.items() if one.get("Value") == [creator]), None)
    free = (f"{number:02X}" for number in range(0x10, 0x100))
    block = own or (tag[4:6] if tag[4:6] >= "10" and tag[4:6] not in taken else next(b for b in free if b not in taken))
    found.setdefault(f"{tag[:4]}00{block}", {"vr": "LO", "Value": [creator]})
    return f"{tag[:4]}{block}{tag[6:]}"


def _attribute(element: Element) -> dict[str, Any]:
    attribute: dict[str, Any] = {"vr": element.get("vr", "")}
    values: dict[int, Any] = {}
    for position, child in enumerate(element, 1):
        if child.tag == "BulkData":
            attribute["BulkDataURI"] = child.get("uri") or child.get("uuid") or ""
        elif child.tag == "InlineBinary":
            attribute["InlineBinary"] = "".join((child.text or "").split())
        elif child.tag in {"Value", "PersonName", "Item"}:
            number = child.get("number", str(position))
            if not number.isdecimal() or not 1 <= int(number) <= _MAX_NUMBER:
                raise Unreadable("a value without a number")
            values[int(number)] = _value(child)
    if values:
        if max(values) > len(element) + _MAX_DEPTH:
            raise Unreadable("values with gaps between them")
        attribute["Value"] = [values.get(number) for number in range(1, max(values) + 1)]
    return attribute


def _value(child: Element) -> Any:
    if child.tag == "Item":
        return _object(child)
    if child.tag == "Value":
        return child.text or None
    groups = {}
    for group in child:
        parts = [next((part.text or "" for part in group if part.tag == name), "") for name in _COMPONENTS]
        groups[group.tag] = "^".join(parts).rstrip("^")
    return groups
