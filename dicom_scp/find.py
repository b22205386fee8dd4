"""Query/Retrieve - FIND: patients, studies, series and instances (PS3.4 C.4.1, C.6).

Law: an Identifier becomes the same `Query` that DICOMweb asks, so that both find the same. Without relational queries
agreed, the unique keys of the levels above must be there; keys that we do not know or cannot match are answered empty,
with a warning.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pynetdicom.dimse_primitives import C_FIND

from dicom_scp.finding import Matches, answer_with
from dicom_scp.identifiers import Asked, character_sets, keys_of
from dicom_scp.services import Caller, Service
from pacs.dataset import DataSet
from pacs.errors import Unidentified
from pacs.levels import BY_KEYWORD, BY_PATH, LEVELS, Attribute, Level
from pacs.modalities import Right
from pacs.query import Match, Query, combined, match_of
from pacs.query.moments import LOCAL_OFFSET
from storage.archive import Archive
from storage.index.sop_classes import sop_classes_in_study

# Which levels a root has (PS3.4 C.6.1, C.6.2, and the retired C.6.3)
ROOTS: Mapping[str, tuple[Level, ...]] = {
    "1.2.840.10008.5.1.4.1.2.1.1": ("patient", "study", "series", "instance"),
    "1.2.840.10008.5.1.4.1.2.2.1": ("study", "series", "instance"),
    "1.2.840.10008.5.1.4.1.2.3.1": ("patient", "study"),
}
LEVEL_NAMES: Mapping[str, Level] = {"PATIENT": "patient", "STUDY": "study", "SERIES": "series", "IMAGE": "instance"}
UNIQUE_KEYS: Mapping[Level, str] = {
    "patient": "PatientID",
    "study": "StudyInstanceUID",
    "series": "SeriesInstanceUID",
    "instance": "SOPInstanceUID",
}
# Bytes of Service-class-application-information (PS3.4 C.5.1.1)
RELATIONAL, DATE_TIME, FUZZY, TIMEZONE, MULTI_FRAME, EMPTY_VALUE, MULTIPLE_VALUE = range(7)
UNDERSTOOD = bytes([1, 1, 1, 1, 0, 1, 1])

_LEVEL, _RETRIEVE_AE_TITLE, _AVAILABILITY = 0x00080052, 0x00080054, 0x00080056
_VIEW, _TIMEZONE = 0x00080053, 0x00080201
_ABOUT_THE_QUERY = frozenset({_LEVEL, _VIEW, _RETRIEVE_AE_TITLE, _AVAILABILITY, _TIMEZONE})
_MODALITY = 0x00080060
_SOP_CLASSES = 0x00080062  # in Study: known by the instances alone


@dataclass(frozen=True, slots=True)
class Search:
    """An Identifier, understood; ``sop_classes``: those of which a study must have one, () when that was not asked.

    ``zoned``: the requestor named its time zone, so the answers name theirs.
    """

    query: Query
    warning: bool
    zoned: bool
    sop_classes: tuple[str, ...] = ()


def find_service(archive: Archive) -> Service:
    """Query/Retrieve - FIND on ``archive``."""

    def find(asked: Asked, sop_class_uid: str, caller: Caller) -> Matches:
        search = understand(asked, sop_class_uid, caller.extended.get(sop_class_uid, b""))
        found: Iterator[dict[str, Any]] = archive.find(caller.hospital, search.query)
        if search.query.level == "study" and _SOP_CLASSES in asked.keys:
            found = _with_sop_classes(archive, caller.hospital, found, search.sop_classes)
        return Matches(
            found=found,
            added=_added(asked, caller, zoned=search.zoned),
            warning=search.warning,
            character_sets=character_sets(asked.character_set, caller.character_set),
        )

    return Service(
        right=Right.QUERY,
        abstract_syntaxes=tuple(ROOTS),
        handlers={},
        exchanges={C_FIND: partial(answer_with, find)},
        extended=UNDERSTOOD,
    )


def _added(asked: Asked, caller: Caller, *, zoned: bool) -> dict[str, Any]:
    """What every answer says beside the keys: where a match can be retrieved, and which zone its times are in."""
    zone = {f"{_TIMEZONE:08X}": {"vr": "SH", "Value": [LOCAL_OFFSET]}} if zoned else {}
    return zone | {
        f"{_LEVEL:08X}": {"vr": "CS", "Value": [asked.value(_LEVEL)]},
        f"{_RETRIEVE_AE_TITLE:08X}": {"vr": "AE", "Value": [caller.called]},
        f"{_AVAILABILITY:08X}": {"vr": "CS", "Value": ["ONLINE"]},
    }


def understand(asked: Asked, sop_class_uid: str, agreed: bytes) -> Search:
    """The search that an Identifier asks for; raises Unidentified (does not fit the root), InvalidRequest (a value)."""
    flags = agreed.ljust(len(UNDERSTOOD), b"\0")
    level = _level(asked, ROOTS[sop_class_uid])
    if not flags[RELATIONAL]:
        _check_hierarchy(asked, ROOTS[sop_class_uid], level)
    keys = _Keys(level, fuzzy=bool(flags[FUZZY]), empty=bool(flags[EMPTY_VALUE]))
    keys.take(asked.data_set, ())
    zone = asked.value(_TIMEZONE) if flags[TIMEZONE] else ""
    matches = combined(keys.matches, ranges=keys.ranges if flags[DATE_TIME] else (), offset=zone or LOCAL_OFFSET)
    sop_classes = tuple(filter(None, asked.value(_SOP_CLASSES).split("\\"))) if level == "study" else ()
    query = Query(
        level=level,
        matches=matches,
        includefield=tuple(f"{tag:08X}" for tag in asked.keys),
        include_all=False,
        limit=0,
        offset=0,
        fuzzymatching=bool(flags[FUZZY]),
    )
    return Search(query, keys.unsupported, bool(zone), sop_classes)


def _level(asked: Asked, levels: tuple[Level, ...]) -> Level:
    level = LEVEL_NAMES.get(asked.value(_LEVEL).upper())
    if level not in levels:
        raise Unidentified("Query/Retrieve Level is not one of this model's")
    return level


def _check_hierarchy(asked: Asked, levels: tuple[Level, ...], level: Level) -> None:
    for above in levels[: levels.index(level)]:
        keyword = UNIQUE_KEYS[above]
        if not asked.value(BY_KEYWORD[keyword].path[0]).strip("*"):
            raise Unidentified(f"{keyword} is missing, relational queries were not agreed")


class _Keys:
    """The keys of an Identifier, one after another."""

    def __init__(self, level: Level, *, fuzzy: bool, empty: bool) -> None:
        self._level, self._fuzzy, self._empty = level, fuzzy, empty
        self.matches: list[Match] = []
        self.ranges: set[str] = set()  # keywords with a range for a value
        self.unsupported = False

    def take(self, data_set: DataSet, path: tuple[int, ...]) -> None:
        """Take the keys of an Identifier, or of the item of a sequence at ``path``."""
        for tag in keys_of(data_set):
            if not path and (tag in _ABOUT_THE_QUERY or (tag == _SOP_CLASSES and self._level == "study")):
                continue
            items = data_set.items(tag)
            if items and not path:
                self.take(items[0], (tag,))
            self._take_key((*path, tag), "\\".join(data_set.texts(tag)))

    def _take_key(self, path: tuple[int, ...], value: str) -> None:
        attribute = BY_PATH.get(path)
        if self._level == "study" and path == (_MODALITY,):  # of a study, people mean the modalities in it
            attribute = BY_KEYWORD["ModalitiesInStudy"]
            self.unsupported = True  # a study has no Modality to answer
        if attribute is None or LEVELS.index(attribute.level) > LEVELS.index(self._level):
            # inside a sequence that is known the key is answered when the instances had it
            self.unsupported |= bool(value) or path[:1] not in BY_PATH or len(path) == 1
            return
        match = self._match(attribute, value)
        if match:
            self.matches.append(match)
            self.ranges |= {attribute.keyword} if "-" in value else set()

    def _match(self, attribute: Attribute, value: str) -> Match | None:
        if not value.strip("*"):
            return None
        if not attribute.matching:
            self.unsupported = True
            return None
        return match_of(attribute, value, fuzzy=self._fuzzy, empty=self._empty)


def _with_sop_classes(
    archive: Archive, hospital: str, found: Iterator[dict[str, Any]], wanted: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """Studies with SOP Classes in Study; those without a wanted one are left out."""
    for item in found:
        uids = sop_classes_in_study(archive.index, hospital, item["0020000D"]["Value"][0])
        if not wanted or set(wanted) & set(uids):
            yield {**item, f"{_SOP_CLASSES:08X}": {"vr": "UI", "Value": uids}}
