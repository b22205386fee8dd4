"""The DICOMDIR of a set of files: what is on a medium, by patient, study, series and instance (PS3.3 F, PS3.10 8).

Law: made from DICOM JSON, in UTF-8, pure. Keys of type 1 that an instance lacks are made up, because a medium with a
gap in its directory is worth more than none.
"""

import hashlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from pacs.dataset.write import JsonEncoder
from pacs.file_meta import file_meta
from pacs.model import Source
from pacs.transfer_syntaxes import EXPLICIT_LE

Json = Mapping[str, Any]

_DIRECTORY = "1.2.840.10008.1.3.10"  # Media Storage Directory Storage
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_ENCODER = JsonEncoder(b"ISO_IR 192", explicit_vr=True, little_endian=True)
_FOLDER = 10_000  # files in one folder at most: old file systems and viewers stumble over more

# Record types of PS3.3 Table F.4-1 by SOP class; what has rows and is not here is an IMAGE, the rest RAW DATA.
_TYPES = {
    **dict.fromkeys(("88.11", "88.22", "88.33", "88.34", "88.35", "88.40", "88.50", "88.65", "88.67"), "SR DOCUMENT"),
    **dict.fromkeys(("88.68", "88.69", "88.70", "88.71", "88.72", "88.73", "88.74", "88.75"), "SR DOCUMENT"),
    "88.59": "KEY OBJECT DOC",
    **dict.fromkeys(("11.1", "11.2", "11.3", "11.4", "11.5", "11.6", "11.7", "11.8"), "PRESENTATION"),
    **dict.fromkeys(("104.1", "104.2", "104.3", "104.4", "104.5"), "ENCAP DOC"),
    "481.2": "RT DOSE",
    "481.3": "RT STRUCTURE SET",
    **dict.fromkeys(("481.5", "481.8"), "RT PLAN"),
    **dict.fromkeys(("481.4", "481.6", "481.7", "481.9"), "RT TREAT RECORD"),
    **dict.fromkeys(("66.1", "66.3"), "REGISTRATION"),
    "66.2": "FIDUCIAL",
    "66.5": "SURFACE",
    "67": "VALUE MAP",
    "4.2": "SPECTROSCOPY",
}
_PATIENT = {"00100010": "PN", "00100020": "LO"}
_STUDY = {"00080020": "DA", "00080030": "TM", "00080050": "SH", "00081030": "LO", "0020000D": "UI", "00200010": "SH"}
_SERIES = {"00080060": "CS", "0020000E": "UI", "00200011": "IS"}
_LEVELS = (("PATIENT", "00100020", _PATIENT), ("STUDY", "0020000D", _STUDY), ("SERIES", "0020000E", _SERIES))
# The keys of all kinds of instances (PS3.3 F.5): a record takes those that its instance has.
_INSTANCE = (
    "00080008", "00080023", "00080033", "00200013", "0040A043", "0040A491", "0040A493", "0040A030", "00420010",
    "00420012", "00700080", "00700081", "00700082", "00700083", "00700084", "30060002", "30060008", "30060009",
    "300A0002", "300A0006", "300A0007", "30080250", "30080251",
)  # fmt: skip
_ROWS = "00280010"
_MADE_UP = {"00100020": "UNKNOWN", "00200010": "1", "00200011": 0, "00080060": "OT", "00200013": 0}


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """One file: `directory_keys` of its instance, its File ID, and what its File Meta says."""

    metadata: Json
    file_id: tuple[str, ...]
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


@dataclass(slots=True)
class _Record:
    kind: str
    keys: dict[str, Any]
    lower: dict[tuple[Any, ...], "_Record"] = field(default_factory=dict)
    offset: int = 0

    def encoded(self, following: int) -> bytes:
        first = next(iter(self.lower.values())).offset if self.lower else 0
        links = {"00041400": _ul(following), "00041410": _us(0xFFFF), "00041420": _ul(first)}
        content = _ENCODER.data_set({**links, "00041430": _cs(self.kind), **self.keys})
        return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


def file_id(number: int) -> tuple[str, ...]:
    """The File ID of the n-th file, counted from 1: components of at most eight capitals and digits (PS3.10 8.2)."""
    return "DICOM", f"DIR{(number - 1) // _FOLDER:05d}", f"IM{number:06d}"


def directory_keys(metadata: Json) -> Json:
    """What a directory takes of the DICOM JSON of an instance, so that the rest need not be held."""
    wanted = {*_PATIENT, *_STUDY, *_SERIES, *_INSTANCE, _ROWS}
    return {tag: attribute for tag, attribute in metadata.items() if tag in wanted}


def dicomdir(entries: Sequence[DirectoryEntry]) -> bytes:
    """The file DICOMDIR, in Explicit VR Little Endian, for these files."""
    uids = "\0".join(entry.sop_instance_uid for entry in entries).encode()
    uid = f"2.25.{int.from_bytes(hashlib.sha256(uids).digest()[:16], 'big')}"
    meta = file_meta(_DIRECTORY, uid, EXPLICIT_LE, Source())
    roots = _tree(entries)
    header_size = len(meta + _head(0, 0)) + 12
    position = header_size
    for record, _ in _in_order(roots):  # places first: links have a fixed size, so sizes do not depend on them
        record.offset = position
        position += len(record.encoded(0))
    offsets = [record.offset for record in roots.values()]
    body = b"".join(record.encoded(following) for record, following in _in_order(roots))
    sequence = struct.pack("<HH2sHI", 0x0004, 0x1220, b"SQ", 0, len(body))
    return meta + _head(offsets[0] if offsets else 0, offsets[-1] if offsets else 0) + sequence + body


def _head(first: int, last: int) -> bytes:
    consistent = {"00041200": _ul(first), "00041202": _ul(last), "00041212": _us(0)}
    return _ENCODER.data_set({"00041130": _cs("PACS"), **consistent})


def _tree(entries: Sequence[DirectoryEntry]) -> dict[tuple[Any, ...], _Record]:
    roots: dict[tuple[Any, ...], _Record] = {}
    for number, entry in enumerate(entries, 1):
        level = roots
        for kind, unique, keys in _LEVELS:
            record = _Record(kind, _keys(entry.metadata, keys))
            level = level.setdefault((kind, str(record.keys[unique])), record).lower
        level["file", number] = _Record(_kind(entry), _file(entry))
    return roots


def _kind(entry: DirectoryEntry) -> str:
    known = _TYPES.get(entry.sop_class_uid.removeprefix(_STORAGE))
    if entry.sop_class_uid.startswith(f"{_STORAGE}9."):
        return "WAVEFORM"
    return known or ("IMAGE" if _ROWS in entry.metadata else "RAW DATA")


def _keys(metadata: Json, wanted: Mapping[str, str]) -> dict[str, Any]:
    keys: dict[str, Any] = {"00080005": _cs("ISO_IR 192")}
    for tag, vr in wanted.items():
        there = metadata.get(tag, {"vr": vr})
        empty = "Value" not in there
        keys[tag] = {"vr": vr, "Value": [_MADE_UP[tag]]} if empty and tag in _MADE_UP else there
    return keys


def _file(entry: DirectoryEntry) -> dict[str, Any]:
    keys: dict[str, Any] = {
        "00041500": {"vr": "CS", "Value": list(entry.file_id)},
        "00041510": _ui(entry.sop_class_uid),
        "00041511": _ui(entry.sop_instance_uid),
        "00041512": _ui(entry.transfer_syntax_uid),
    }
    keys |= _keys(entry.metadata, {"00200013": "IS"})
    return keys | {tag: entry.metadata[tag] for tag in _INSTANCE if "Value" in entry.metadata.get(tag, {})}


def _in_order(level: Mapping[tuple[Any, ...], _Record]) -> Iterator[tuple[_Record, int]]:
    """Each record with the offset of its next sibling, every record before those below it."""
    records = list(level.values())
    for record, following in zip_longest(records, records[1:]):
        yield record, following.offset if following else 0
        yield from _in_order(record.lower)


def _ul(value: int) -> Json:
    return {"vr": "UL", "Value": [value]}


def _us(value: int) -> Json:
    return {"vr": "US", "Value": [value]}


def _cs(value: str) -> Json:
    return {"vr": "CS", "Value": [value]}


def _ui(value: str) -> Json:
    return {"vr": "UI", "Value": [value]}
