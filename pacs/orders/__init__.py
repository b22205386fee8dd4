"""Orders: scheduled procedure steps as a worklist item, read from the words of a table (PS3.4 Table K.6-1).

Law: pure. An order that a modality could not use is refused with a sentence that names the column; nothing is guessed
but what an ordering system often leaves out: the numbers of procedure and step, which then are the accession number's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from pydicom.datadict import dictionary_VR

from pacs.errors import InvalidRequest
from pacs.keywords import snake_case
from pacs.levels import Attribute, Matching
from pacs.names import fold
from pacs.orders.values import attribute, tag_of

STEP = "ScheduledProcedureStepSequence"
# What the answer holds of the scheduled procedure step, and of everything above it; each is there even when empty.
STEP_KEYWORDS = (
    "Modality",
    "ScheduledStationAETitle",
    "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartTime",
    "ScheduledPerformingPhysicianName",
    "ScheduledProcedureStepDescription",
    "ScheduledProtocolCodeSequence",
    "ScheduledProcedureStepID",
    "ScheduledStationName",
    "ScheduledProcedureStepLocation",
    "PreMedication",
    "ScheduledProcedureStepStatus",
    "RequestedContrastAgent",
    "CommentsOnTheScheduledProcedureStep",
)
KEYWORDS = (
    "AccessionNumber",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientWeight",
    "PatientSize",
    "MedicalAlerts",
    "Allergies",
    "AdditionalPatientHistory",
    "PregnancyStatus",
    "StudyInstanceUID",
    "RequestingPhysician",
    "RequestingService",
    "RequestedProcedureDescription",
    "RequestedProcedureCodeSequence",
    "AdmissionID",
    "SpecialNeeds",
    "CurrentPatientLocation",
    "PatientState",
    "RequestedProcedureID",
    "ReasonForTheRequestedProcedure",
    "RequestedProcedurePriority",
    "PatientTransportArrangements",
    "ConfidentialityConstraintOnPatientDataDescription",
)
EMPTY_SEQUENCES = ("ReferencedStudySequence", "ReferencedPatientSequence")  # type 2: there, and unknown to a table
REQUIRED = (
    "PatientID",
    "PatientName",
    "AccessionNumber",
    "Modality",
    "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartTime",
)
SCHEDULED, OPEN, CLOSED = (
    "SCHEDULED",
    ("SCHEDULED", "ARRIVED", "READY", "STARTED", "DEPARTED"),  # PS3.3 C.4.10
    ("COMPLETED", "DISCONTINUED", "CANCELLED"),  # ours: not in any worklist unless asked for
)
_STATUS, _STATIONS = tag_of("ScheduledProcedureStepStatus"), tag_of("ScheduledStationAETitle")


@dataclass(frozen=True, slots=True)
class Order:
    """A scheduled procedure step; "" where the table said nothing and the index has its own way.

    ``attributes`` is the item of a worklist as DICOM JSON without status and Study Instance UID, which the index keeps.
    """

    accession_number: str
    scheduled_procedure_step_id: str
    scheduled_procedure_step_status: str
    scheduled_procedure_step_start_date: str
    scheduled_procedure_step_start_time: str
    modality: str
    scheduled_station_ae_title: tuple[str, ...]
    scheduled_performing_physician_name_folded: str
    requested_procedure_id: str
    study_instance_uid: str
    patient_id: str
    patient_name_folded: str
    attributes: dict[str, Any]


def read_order(values: Mapping[str, str]) -> Order:
    """The order in ``values``, texts by keyword; raises InvalidRequest naming the column.

    Several values are parted by backslashes, a code is ``code^scheme^meaning``.
    """
    given = {keyword.strip(): text.strip() for keyword, text in values.items() if keyword.strip() and text.strip()}
    if unknown := sorted(set(given) - set(STEP_KEYWORDS) - set(KEYWORDS)):
        raise InvalidRequest(f"there is no column {unknown[0][:64]}")
    if missing := [keyword for keyword in REQUIRED if keyword not in given]:
        raise InvalidRequest(f"{missing[0]} is missing")
    given.setdefault("RequestedProcedureID", given["AccessionNumber"])
    given.setdefault("ScheduledProcedureStepID", given["RequestedProcedureID"])
    item = {tag_of(keyword): attribute(keyword, given.get(keyword, "")) for keyword in KEYWORDS}
    step = {tag_of(keyword): attribute(keyword, given.get(keyword, "")) for keyword in STEP_KEYWORDS}
    item |= {tag_of(keyword): {"vr": "SQ"} for keyword in EMPTY_SEQUENCES}
    item[tag_of(STEP)] = {"vr": "SQ", "Value": [step]}
    return Order(
        accession_number=given["AccessionNumber"],
        scheduled_procedure_step_id=given["ScheduledProcedureStepID"],
        scheduled_procedure_step_status=_status(given.get("ScheduledProcedureStepStatus", "")),
        scheduled_procedure_step_start_date=step[tag_of("ScheduledProcedureStepStartDate")]["Value"][0],
        scheduled_procedure_step_start_time=step[tag_of("ScheduledProcedureStepStartTime")]["Value"][0],
        modality=step[tag_of("Modality")]["Value"][0],
        scheduled_station_ae_title=tuple(step[tag_of("ScheduledStationAETitle")].get("Value", ())),
        scheduled_performing_physician_name_folded=fold(given.get("ScheduledPerformingPhysicianName", "")),
        requested_procedure_id=given["RequestedProcedureID"],
        study_instance_uid=given.get("StudyInstanceUID", ""),
        patient_id=given["PatientID"],
        patient_name_folded=fold(given["PatientName"]),
        attributes=item,
    )


def worklist_item(
    attributes: Mapping[str, Any], *, study_instance_uid: str, status: str, station: str
) -> dict[str, Any]:
    """The item as a modality gets it; a step of no named station is that of whoever asks, ``station``."""
    step = {**attributes[tag_of(STEP)]["Value"][0], _STATUS: {"vr": "CS", "Value": [status]}}
    if "Value" not in step[_STATIONS]:
        step[_STATIONS] = {"vr": "AE", "Value": [station]}
    return {
        **attributes,
        tag_of("StudyInstanceUID"): {"vr": "UI", "Value": [study_instance_uid]},
        tag_of(STEP): {"vr": "SQ", "Value": [step]},
    }


def _status(text: str) -> str:
    if text and text.upper() not in OPEN + CLOSED:
        raise InvalidRequest(f"ScheduledProcedureStepStatus is one of {', '.join(OPEN + CLOSED)}")
    return text.upper()


_MATCHING: Mapping[str, Matching] = {
    "PN": "name",
    "UI": "uid",
    "DA": "date",
    "TM": "time",
    "SQ": "",
    "DS": "",
    "US": "",
}
_COLUMNS = frozenset(field.name.removesuffix("_folded") for field in fields(Order)) - {"attributes"}


def _key(*path: str) -> Attribute:
    """A key of the worklist; of its levels it has none, so the word for that means nothing."""
    tags = tuple(int(tag_of(keyword), 16) for keyword in path)
    vr, column = dictionary_VR(tags[-1]), snake_case(path[-1])
    column = column if column in _COLUMNS else ""
    matching = "" if vr == "PN" and not column else _MATCHING.get(vr, "text")
    return Attribute(path[-1], tags, vr, "study", matching, column)


# What a modality may ask by; all else is answered when it is asked for.
KEYS: Mapping[tuple[int, ...], Attribute] = {
    key.path: key
    for key in (*(_key(keyword) for keyword in KEYWORDS), *(_key(STEP, keyword) for keyword in STEP_KEYWORDS))
}
