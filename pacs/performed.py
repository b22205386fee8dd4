"""Modality Performed Procedure Step: what a step must say, and what it refers to (PS3.4 F.7.2, PS3.3 B.17.2).

Law: pure, on DICOM JSON. A step in progress may change; one that ended may not. Of the attributes
of Table F.7.2-1 only those without which a step means nothing are demanded: modalities of every age must be able to
report.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Attributes = Mapping[str, Any]  # one DICOM JSON object

STATUS = "00400252"
STUDY = "0020000D"
SCHEDULED_STEPS = "00400270"
PERFORMED_SERIES = "00400340"
_INSTANCES = ("00081140", "00400220")  # Referenced Image, Referenced Non-Image Composite SOP Instance Sequence
_UID = "00081155"

IN_PROGRESS, COMPLETED, DISCONTINUED = "IN PROGRESS", "COMPLETED", "DISCONTINUED"

# Type 1 of N-CREATE (PS3.4 Table F.7.2-1)
_ON_CREATE = ("00400253", "00400241", "00400244", "00400245", STATUS, "00080060", SCHEDULED_STEPS)
# What must stand there once the step has ended (the same table, final state)
_AT_THE_END = ("00400250", "00400251")
# What N-SET may not change (the same table, "Not allowed")
_FIXED = frozenset(
    {
        SCHEDULED_STEPS,
        "00100010", "00100020", "00100021", "00101002", "00100030", "00100040", "00081120",
        "00400253", "00400241", "00400242", "00400243", "00400244", "00400245", "00080060", "00200010",
    }
)  # fmt: skip


class Refusal(Exception):  # a value for one edge, which answers with it; nobody reads its text
    """Why a request is not carried out (PS3.7 Annex C), with the tags that it is about."""

    def __init__(self, status: int, comment: str, tags: tuple[str, ...] = (), error_id: int = 0) -> None:
        super().__init__(comment)
        self.status, self.comment, self.tags, self.error_id = status, comment, tags, error_id


MISSING_ATTRIBUTE = 0x0120
MISSING_ATTRIBUTE_VALUE = 0x0121
INVALID_ATTRIBUTE_VALUE = 0x0106
PROCESSING_FAILURE = 0x0110
NO_LONGER_UPDATED = 0xA506  # Error ID (PS3.4 Table F.7.2-2)


def check_created(attributes: Attributes) -> None:
    """See that a new step says what it must; raises Refusal."""
    _demand(attributes, _ON_CREATE)
    if status_of(attributes) != IN_PROGRESS:
        raise Refusal(INVALID_ATTRIBUTE_VALUE, "a step begins IN PROGRESS", (STATUS,))
    steps = attributes[SCHEDULED_STEPS]["Value"]
    if not all(any(_values(step, STUDY)) for step in steps):
        raise Refusal(MISSING_ATTRIBUTE, "no Study Instance UID", (STUDY,))


def changed(before: Attributes, changes: Attributes) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The step after an N-SET, and the tags that it may not change, which stay as they were; raises Refusal."""
    if status_of(before) != IN_PROGRESS:
        raise Refusal(PROCESSING_FAILURE, "the step may no longer be updated", error_id=NO_LONGER_UPDATED)
    fixed = tuple(sorted(tag for tag in changes if tag in _FIXED and changes[tag] != before.get(tag)))
    after = {**before, **{tag: value for tag, value in changes.items() if tag not in _FIXED}}
    status = status_of(after)
    if status not in (IN_PROGRESS, COMPLETED, DISCONTINUED):
        raise Refusal(INVALID_ATTRIBUTE_VALUE, "no such status of a step", (STATUS,))
    if status != IN_PROGRESS:
        _demand(after, _AT_THE_END)
    if status == COMPLETED:
        _demand(after, (PERFORMED_SERIES,))
    return after, fixed


def status_of(attributes: Attributes) -> str:
    """Performed Procedure Step Status."""
    return str(next(_values(attributes, STATUS), ""))


def studies_of(attributes: Attributes) -> frozenset[str]:
    """The studies that a step belongs to."""
    return frozenset(str(uid) for step in _values(attributes, SCHEDULED_STEPS) for uid in _values(step, STUDY))


def references(attributes: Attributes) -> frozenset[str]:
    """SOP Instance UIDs of all instances that a step says it has made."""
    return frozenset(
        str(uid)
        for series in _values(attributes, PERFORMED_SERIES)
        for sequence in _INSTANCES
        for item in _values(series, sequence)
        for uid in _values(item, _UID)
    )


def _values(attributes: Attributes, tag: str) -> Iterator[Any]:
    return (value for value in attributes.get(tag, {}).get("Value", ()) if value)


def _demand(attributes: Attributes, tags: tuple[str, ...]) -> None:
    if absent := tuple(tag for tag in tags if tag not in attributes):
        raise Refusal(MISSING_ATTRIBUTE, "an attribute is missing", absent)
    if empty := tuple(tag for tag in tags if not any(_values(attributes, tag))):
        raise Refusal(MISSING_ATTRIBUTE_VALUE, "an attribute has no value", empty)
