"""From the DICOM JSON of an instance to the rows of the index.

Law: total and pure: whatever a sender wrote gives rows, with "" or None where a column cannot hold it, and the same
rows when the index is rebuilt from the packs. UIDs are the manifest's, since those were checked. Texts lose NUL, which
PostgreSQL cannot store, and what exceeds any sensible length; the ``attributes`` keep values as they were.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pacs.dates import date_of, time_of
from pacs.levels import Attribute, Level, attributes_of
from pacs.model import ManifestEntry
from pacs.names import fold

_MAX_TEXT = 1024
_MAX_IDENTIFIER = 256  # three of them and a UID must fit into one entry of a B-tree, 2,704 bytes
_MAX_INTEGER = 2**31 - 1
_Convert = Callable[[Attribute, Any], Any]
_COUNTS = ("rows", "columns", "bits_allocated", "number_of_frames")
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


@dataclass(frozen=True, slots=True)
class PatientRow:
    """Columns of a patient; ``unidentified_study`` keeps patients without an ID from becoming one person."""

    patient_id: str
    issuer_of_patient_id: str
    unidentified_study: str
    patient_name: str
    patient_name_folded: str
    patient_birth_date: str
    patient_sex: str


@dataclass(frozen=True, slots=True)
class StudyRow:
    """Columns of a study; ``attributes`` is DICOM JSON of its patient and itself, ready to be served."""

    study_instance_uid: str
    study_date: str
    study_time: str
    accession_number: str
    study_id: str
    study_description: str
    referring_physician_name: str
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """Columns of a series; ``attributes`` is DICOM JSON, ready to be served."""

    series_instance_uid: str
    modality: str
    series_number: int | None
    series_description: str
    body_part_examined: str
    performed_procedure_step_start_date: str
    performed_procedure_step_start_time: str
    station_name: str
    institutional_department_name: str
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class InstanceRow:
    """Columns of an instance; the counts are 0 where there is no picture."""

    sop_instance_uid: str
    sop_class_uid: str
    instance_number: int | None
    rows: int
    columns: int
    number_of_frames: int
    bits_allocated: int
    content_date: str
    content_time: str


@dataclass(frozen=True, slots=True)
class InstanceRows:
    """What one instance says about each level above it."""

    patient: PatientRow
    study: StudyRow
    series: SeriesRow
    instance: InstanceRow


def rows_of(entry: ManifestEntry, metadata: Mapping[str, Any]) -> InstanceRows:
    """The rows of one instance from its manifest entry and its DICOM JSON object."""
    patient = _columns("patient", metadata)
    study = _columns("study", metadata) | {"study_instance_uid": entry.study_instance_uid}
    series = _columns("series", metadata) | {"series_instance_uid": entry.series_instance_uid}
    instance = _columns("instance", metadata) | {"sop_instance_uid": entry.sop_instance_uid}
    counts = {name: max(instance[name] or 0, 0) for name in _COUNTS}
    if counts["rows"]:  # Number of Frames is absent from single-frame images, PS3.3 C.7.6.6
        counts["number_of_frames"] = max(counts["number_of_frames"], 1)
    return InstanceRows(
        patient=PatientRow(
            **patient,
            patient_name_folded=fold(patient["patient_name"]),
            unidentified_study="" if patient["patient_id"] else entry.study_instance_uid,
        ),
        study=StudyRow(**study, attributes=_served(("patient", "study"), metadata, entry)),
        series=SeriesRow(**series, attributes=_served(("series",), metadata, entry)),
        instance=InstanceRow(**instance | counts),
    )


def _columns(level: Level, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Every column of ``level`` that comes from a data set."""
    columns = {}
    for one in attributes_of(level):
        if one.column and not one.computed:
            convert: _Convert = _COLUMNS.get(one.vr, _text)
            columns[one.column] = convert(one, _first(metadata, one))
    return columns


def _first(metadata: Mapping[str, Any], attribute: Attribute) -> Any:
    found = metadata.get(attribute.tag)
    values = found.get("Value") if isinstance(found, Mapping) else None
    return values[0] if isinstance(values, list) and values else None


def _text(attribute: Attribute, value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    limit = _MAX_IDENTIFIER if attribute.column.endswith(("_id", "_uid", "_number")) else _MAX_TEXT
    return str(value).replace("\0", "").strip()[:limit]


def _name(_: Attribute, value: Any) -> str:
    """The name as DICOM writes it, with its component groups; trailing empty groups left out."""
    groups = [value.get(group) for group in _NAME_GROUPS] if isinstance(value, dict) else [value]
    text = "=".join(group.replace("\0", "").strip() if isinstance(group, str) else "" for group in groups)
    return text.rstrip("=")[:_MAX_TEXT]


def _date(_: Attribute, value: Any) -> str:
    return date_of(value.strip()) if isinstance(value, str) else ""


def _time(_: Attribute, value: Any) -> str:
    return time_of(value.strip()) if isinstance(value, str) else ""


def _integer(_: Attribute, value: Any) -> int | None:
    fits = isinstance(value, int | float) and abs(value) <= _MAX_INTEGER and value == int(value)
    return int(value) if fits else None


_COLUMNS: Mapping[str, _Convert] = {
    "DA": _date,
    "IS": _integer,
    "PN": _name,
    "TM": _time,
    "US": _integer,
}


def _served(levels: tuple[Level, ...], metadata: Mapping[str, Any], entry: ManifestEntry) -> dict[str, Any]:
    """The DICOM JSON of these levels; required attributes are there even when empty, bulk data are not."""
    served = {}
    for one in attributes_of(*levels):
        found = metadata.get(one.tag)
        if one.computed:
            continue
        if isinstance(found, Mapping) and "BulkDataURI" not in found:
            served[one.tag] = dict(found)
        elif one.required:
            served[one.tag] = {"vr": one.vr}
    checked = {"0020000D": entry.study_instance_uid, "0020000E": entry.series_instance_uid}
    return served | {tag: {"vr": "UI", "Value": [uid]} for tag, uid in checked.items() if tag in served}
