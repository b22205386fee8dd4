"""From rows of a search to DICOM JSON (PS3.18 F).

Law: pure. An answer says what the stored instances say, plus counts that the index keeps; which attributes it holds is
PS3.18 10.6.3.3 as a rule over the table in `pacs.levels`.
"""

from collections.abc import Mapping
from typing import Any

from pacs.levels import BY_KEYWORD, LEVELS, Attribute, Level, attributes_of
from pacs.query import Query

_ONLINE = {BY_KEYWORD["InstanceAvailability"].tag: {"vr": "CS", "Value": ["ONLINE"]}}
_IF_KNOWN = frozenset(
    BY_KEYWORD[keyword].tag
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "TimezoneOffsetFromUTC")
)


def wanted(query: Query) -> frozenset[str]:
    """Tags of the answer: what the standard requires, what was matched, what was asked for.

    Attributes of a level above are left out where the resource named that study or series itself (PS3.18 10.6.3.3).
    """
    above = set(LEVELS[: LEVELS.index(query.level)]) - {*query.named}
    levels = above - ({"patient"} if "study" in query.named else set()) | {query.level}
    tags = {one.tag for one in attributes_of(*levels) if one.required or query.include_all or one.level == "instance"}
    return frozenset(tags | {match.attribute.tag for match in query.matches} | {*query.includefield} | _IF_KNOWN)


def item(level: Level, row: Mapping[str, Any], tags: frozenset[str]) -> dict[str, Any]:
    """One DICOM JSON object with those of ``tags`` that are known, in ascending order."""
    levels: tuple[Level, ...] = LEVELS[: LEVELS.index(level) + 1]
    everything = {**row["study_attributes"], **row.get("series_attributes", {}), **_ONLINE}
    attributes = attributes_of(*levels)
    if level == "patient":  # one study lends its attributes
        everything = {one.tag: everything[one.tag] for one in attributes if one.tag in everything}
    for attribute in attributes:
        if attribute.column in row:
            everything[attribute.tag] = _json(attribute, row[attribute.column])
    return {tag: everything[tag] for tag in sorted(everything) if tag in tags}


def _json(attribute: Attribute, value: Any) -> dict[str, Any]:
    """A column as DICOM JSON (PS3.18 F.2.2); an empty one has no Value, a count of 0 of no picture neither."""
    values = value if isinstance(value, list) else [value]
    there = [
        one for one in values if one or (one == 0 and attribute.vr == "IS" and attribute.keyword != "NumberOfFrames")
    ]
    return {"vr": attribute.vr, "Value": there} if there else {"vr": attribute.vr}
