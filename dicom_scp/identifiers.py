"""Identifiers of C-FIND: read as they came, answered key by key in characters that the requestor reads (PS3.4 C.4.1.1).

Law: what is asked decides what is answered: the keys of the request, no more, each there even when it is empty. Nothing
here knows what is searched.
"""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pacs.dataset import DataSet, read_data_set
from pacs.dataset.elements import CHARACTER_SET_VRS, SPECIFIC_CHARACTER_SET
from pacs.dataset.write import JsonEncoder
from pacs.modalities import FOLDED, UTF_8
from pacs.names import to_ascii
from pacs.transfer_syntaxes import transfer_syntax

_CHARACTER_SET = f"{SPECIFIC_CHARACTER_SET:08X}"


@dataclass(frozen=True, slots=True)
class Asked:
    """An Identifier as it came, in a presentation context with ``transfer_syntax_uid``."""

    data_set: DataSet
    transfer_syntax_uid: str

    @property
    def keys(self) -> dict[int, str]:
        """Tag and VR of every key, in order; group lengths and the character set are none."""
        return keys_of(self.data_set)

    def value(self, tag: int) -> str:
        """The key's value as one text, several values with backslashes between."""
        return "\\".join(self.data_set.texts(tag))

    @property
    def character_set(self) -> str:
        """Specific Character Set as the requestor spelled it."""
        return "\\".join(self.data_set.texts(SPECIFIC_CHARACTER_SET))


def keys_of(data_set: DataSet) -> dict[int, str]:
    """Tag and VR of the keys in an Identifier or one of its items."""
    return {
        tag: element.vr for tag, element in data_set.elements.items() if tag & 0xFFFF and tag != SPECIFIC_CHARACTER_SET
    }


def read_identifier(encoded: bytes, transfer_syntax_uid: str) -> Asked:
    """The Identifier of a request; raises Unreadable."""
    return Asked(read_data_set(encoded, transfer_syntax_uid), transfer_syntax_uid)


def asked_for(asked: DataSet, found: Mapping[str, Any]) -> dict[str, Any]:
    """Of ``found`` (DICOM JSON) the keys that ``asked`` has; a sequence is cut to the keys of the item asked for."""
    answer: dict[str, Any] = {}
    for tag, vr in keys_of(asked).items():
        name = f"{tag:08X}"
        attribute = found.get(name, {"vr": vr})
        items = asked.items(tag)
        if items and keys_of(items[0]) and attribute["vr"] == "SQ":
            attribute = {"vr": "SQ", "Value": [asked_for(items[0], one or {}) for one in attribute.get("Value", [])]}
        answer[name] = attribute
    return answer


def character_sets(requested: str, preferred: str, *, otherwise: str = UTF_8) -> tuple[str, ...]:
    """The sets to try for an answer, first to last; the last always succeeds.

    ``preferred`` is the registry's word, and settles it: it says what a device reads, whatever it writes. Without one
    the requestor's own set goes first, then ``otherwise``.
    """
    return (preferred, FOLDED) if preferred else (requested, otherwise)


def encoded(item: Mapping[str, Any], sets: Iterable[str], transfer_syntax_uid: str) -> bytes:
    """``item`` as a data set in the first of ``sets`` that has all of its characters."""
    for character_set in sets:
        try:
            return _encoded(item, character_set, transfer_syntax_uid)
        except UnicodeEncodeError:
            continue
    raise AssertionError("no set of characters was enough")  # ASCII is, after folding


def _encoded(item: Mapping[str, Any], character_set: str, transfer_syntax_uid: str) -> bytes:
    if character_set == FOLDED:
        item, character_set = _folded(item), ""
    if character_set:
        item = {**item, _CHARACTER_SET: {"vr": "CS", "Value": character_set.split("\\")}}
    else:
        item = {tag: value for tag, value in item.items() if tag != _CHARACTER_SET}
    syntax = transfer_syntax(transfer_syntax_uid)
    encoder = JsonEncoder(character_set.encode(), explicit_vr=syntax.explicit_vr, little_endian=syntax.little_endian)
    data_set = encoder.data_set(item)
    return _deflated(data_set) if syntax.deflated else data_set


def _deflated(data_set: bytes) -> bytes:
    """Without zlib's header, padded to even length (PS3.5 A.5)."""
    deflated = zlib.compress(data_set, wbits=-zlib.MAX_WBITS)
    return deflated + b"\0" * (len(deflated) % 2)


def _folded(item: Mapping[str, Any]) -> dict[str, Any]:
    return {tag: _folded_attribute(attribute) for tag, attribute in item.items()}


def _folded_attribute(attribute: Mapping[str, Any]) -> Mapping[str, Any]:
    vr, values = attribute["vr"], attribute.get("Value")
    if not values or vr not in CHARACTER_SET_VRS | {"SQ"}:
        return attribute
    return {"vr": vr, "Value": [_folded_value(vr, value) for value in values]}


def _folded_value(vr: str, value: Any) -> Any:
    if vr == "SQ":
        return _folded(value or {})
    if isinstance(value, Mapping):  # ideographic and phonetic groups have no letters to fold to
        return {"Alphabetic": to_ascii(str(value.get("Alphabetic") or ""))}
    return to_ascii(value) if isinstance(value, str) else value
