import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from pacs.errors import InvalidRequest
from pacs.orders import EMPTY_SEQUENCES, KEYWORDS, REQUIRED, STEP, STEP_KEYWORDS, read_order, worklist_item

ORDER = {
    "PatientID": "P1",
    "PatientName": "NGUYỄN^VĂN A",
    "AccessionNumber": "A1",
    "Modality": "ct",
    "ScheduledProcedureStepStartDate": "2024-01-31",
    "ScheduledProcedureStepStartTime": "08:30",
}
# PS3.4 Table K.6-1: return keys of type 1 and 2
TYPE_1_AND_2 = {
    "AccessionNumber", "RequestingPhysician", "ReferringPhysicianName", "AdmissionID", "CurrentPatientLocation",
    "ReferencedPatientSequence", "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientWeight",
    "ConfidentialityConstraintOnPatientDataDescription", "PatientState", "PregnancyStatus", "MedicalAlerts",
    "Allergies", "SpecialNeeds", "RequestedProcedureID", "RequestedProcedureDescription",
    "RequestedProcedureCodeSequence", "StudyInstanceUID", "ReferencedStudySequence", "RequestedProcedurePriority",
    "PatientTransportArrangements",
}  # fmt: skip
TYPE_1_AND_2_OF_THE_STEP = {
    "ScheduledStationAETitle", "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime", "Modality",
    "ScheduledPerformingPhysicianName", "ScheduledProcedureStepDescription", "ScheduledStationName",
    "ScheduledProcedureStepLocation", "ScheduledProtocolCodeSequence", "PreMedication", "ScheduledProcedureStepID",
    "RequestedContrastAgent",
}  # fmt: skip


def item_of(values: dict[str, str]) -> Dataset:
    order = read_order(values)
    item = worklist_item(order.attributes, study_instance_uid="1.2.3", status="SCHEDULED", station="CT1")
    return Dataset.from_json(item)


def test_every_return_key_of_type_1_and_2_is_there() -> None:
    """A modality that must get an attribute gets it, empty when the order says nothing."""
    assert {*KEYWORDS, *EMPTY_SEQUENCES} >= TYPE_1_AND_2
    assert set(STEP_KEYWORDS) >= TYPE_1_AND_2_OF_THE_STEP
    item = item_of(ORDER)
    assert all(keyword in item for keyword in TYPE_1_AND_2)
    assert all(keyword in item[STEP].value[0] for keyword in TYPE_1_AND_2_OF_THE_STEP)


def test_every_keyword_is_one() -> None:
    """A typing error in the table would make an attribute of nothing."""
    assert all(tag_for_keyword(keyword) for keyword in (*KEYWORDS, *STEP_KEYWORDS, *EMPTY_SEQUENCES, *REQUIRED))


def test_what_is_left_out_is_the_accession_number() -> None:
    """Small clinics have one number for everything; type 1 attributes must have a value all the same."""
    item = item_of(ORDER)
    assert item.RequestedProcedureID == item[STEP].value[0].ScheduledProcedureStepID == "A1"
    assert item[STEP].value[0].ScheduledStationAETitle == "CT1"  # no station was named: whoever asks
    named = item_of({**ORDER, "ScheduledStationAETitle": "CT7", "RequestedProcedureID": "R1"})
    assert named[STEP].value[0].ScheduledStationAETitle == "CT7"
    assert named[STEP].value[0].ScheduledProcedureStepID == "R1"


def test_values_are_written_as_dicom_wants_them() -> None:
    """Dates, times, codes, names of several groups and several values come out in their VR."""
    item = item_of(
        {
            **ORDER,
            "PatientName": "Yamada^Tarou=山田^太郎",
            "PatientWeight": "62.5",
            "PregnancyStatus": "4",
            "Allergies": "Penicillin\\Iodine",
            "RequestedProcedureCodeSequence": "CTABD^99LOCAL^CT of the abdomen",
        }
    )
    step = item[STEP].value[0]
    assert (step.Modality, step.ScheduledProcedureStepStartDate, step.ScheduledProcedureStepStartTime) == (
        "CT",
        "20240131",
        "083000",
    )
    assert str(item.PatientName) == "Yamada^Tarou=山田^太郎"
    assert (item.PatientWeight, item.PregnancyStatus, list(item.Allergies)) == (62.5, 4, ["Penicillin", "Iodine"])
    assert item.RequestedProcedureCodeSequence[0].CodeMeaning == "CT of the abdomen"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"PatientID": ""}, "PatientID is missing"),
        ({"Patient": "x"}, "no column Patient"),
        ({"ScheduledProcedureStepStartDate": "31/01/2024"}, "ScheduledProcedureStepStartDate is a date"),
        ({"ScheduledProcedureStepStartTime": "25:00"}, "ScheduledProcedureStepStartTime is a time"),
        ({"AccessionNumber": "x" * 17}, "AccessionNumber has more than 16 characters"),
        ({"StudyInstanceUID": "1.2.x"}, "StudyInstanceUID is a UID"),
        ({"Modality": "C/T"}, "Modality has other characters"),
        ({"PatientWeight": "heavy"}, "PatientWeight is a number"),
        ({"PregnancyStatus": "7"}, "PregnancyStatus is a number from 1 to 4"),
        ({"ScheduledStationAETitle": "MÁY1"}, "ScheduledStationAETitle is an AE title"),
        ({"RequestedProcedureCodeSequence": "CT"}, "RequestedProcedureCodeSequence is a code"),
        ({"ScheduledProcedureStepStatus": "SOON"}, "ScheduledProcedureStepStatus is one of"),
        ({"PatientName": "a=b=c=d"}, "PatientName has more than three"),
        ({"PatientName": "A\tB"}, "PatientName has a control character"),
    ],
)
def test_bad_value_is_refused_with_its_column(change: dict[str, str], said: str) -> None:
    """Whoever typed it must find the cell."""
    with pytest.raises(InvalidRequest, match=said):
        read_order({**ORDER, **change})
