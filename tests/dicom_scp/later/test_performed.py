"""Modality Performed Procedure Step over real associations: what is accepted, kept, and compared with what arrived."""

from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association

from dicom_scp.performed import MODALITY_PERFORMED_PROCEDURE_STEP
from storage.index.performed import missing, performed_steps, study_is_complete
from tests.dicom_scp.later.conftest import HOSPITAL, Whole


@pytest.fixture
def modality(whole: Whole) -> Iterator[Association]:
    """An association of a modality that reports its steps."""
    entity = ApplicationEntity("CT1")
    entity.add_requested_context(MODALITY_PERFORMED_PROCEDURE_STEP)
    association = entity.associate("127.0.0.1", whole.port, ae_title="PACS")
    assert association.is_established
    yield association
    association.release()


def begun(study: str) -> Dataset:
    """A step that has begun."""
    data_set = Dataset()
    scheduled = Dataset()
    scheduled.StudyInstanceUID = study
    data_set.ScheduledStepAttributesSequence = [scheduled]
    data_set.PatientName = "Nguyen^An"
    data_set.PerformedProcedureStepID = "P1"
    data_set.PerformedStationAETitle = "CT1"
    data_set.PerformedProcedureStepStartDate, data_set.PerformedProcedureStepStartTime = "20260101", "080000"
    data_set.PerformedProcedureStepStatus = "IN PROGRESS"
    data_set.Modality = "CT"
    data_set.PerformedSeriesSequence = []
    return data_set


def ended(*references: tuple[str, str], status: str = "COMPLETED") -> Dataset:
    """What is said at the end of a step."""
    data_set = Dataset()
    data_set.PerformedProcedureStepStatus = status
    data_set.PerformedProcedureStepEndDate, data_set.PerformedProcedureStepEndTime = "20260101", "081500"
    series = Dataset()
    series.SeriesInstanceUID = generate_uid()
    series.ReferencedImageSequence = []
    for sop_class, uid in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
        series.ReferencedImageSequence.append(item)
    data_set.PerformedSeriesSequence = [series]
    return data_set


def create(association: Association, data_set: Dataset, uid: str) -> Dataset:
    """The status of an N-CREATE."""
    status, _ = association.send_n_create(data_set, MODALITY_PERFORMED_PROCEDURE_STEP, uid)
    return status


def change(association: Association, data_set: Dataset, uid: str) -> Dataset:
    """The status of an N-SET."""
    status, _ = association.send_n_set(data_set, MODALITY_PERFORMED_PROCEDURE_STEP, uid)
    return status


def test_a_completed_step_lists_what_is_missing_until_it_arrives(whole: Whole, modality: Association) -> None:
    """After completion the instances that have not arrived are listed; with the last one the study is complete."""
    study, step = generate_uid(), generate_uid()
    first = whole.filed(StudyInstanceUID=study)
    second = whole.received(StudyInstanceUID=study)
    assert create(modality, begun(study), step).Status == 0x0000
    assert not study_is_complete(whole.archive.index, HOSPITAL, study)
    assert change(modality, ended(first, second), step).Status == 0x0000
    assert missing(whole.archive.index, HOSPITAL, step) == [second[1]]
    assert not study_is_complete(whole.archive.index, HOSPITAL, study)
    whole.drain()
    assert missing(whole.archive.index, HOSPITAL, step) == []
    assert study_is_complete(whole.archive.index, HOSPITAL, study)
    (one,) = [one for one in performed_steps(whole.archive.index, HOSPITAL) if one.sop_instance_uid == step]
    assert (one.status, one.calling_ae_title, one.referenced, one.missing, one.arrived) == (
        "COMPLETED",
        "CT1",
        2,
        0,
        True,
    )
    (kept,) = whole.rows(f"SELECT attributes FROM performed_procedure_step WHERE sop_instance_uid = '{step}'")  # noqa: S608  # our own UID
    assert kept[0]["00100010"]["Value"] == [{"Alphabetic": "Nguyen^An"}]  # type: ignore[index]  # a JSON object


def test_a_step_that_ended_may_not_change(whole: Whole, modality: Association) -> None:
    """After COMPLETED or DISCONTINUED an N-SET fails with the standard's status and Error ID."""
    for status in ("COMPLETED", "DISCONTINUED"):
        step = generate_uid()
        assert create(modality, begun(generate_uid()), step).Status == 0x0000
        assert change(modality, ended(("1.2", "1.2.3"), status=status), step).Status == 0x0000
        refused = change(modality, ended(("1.2", "1.2.3")), step)
        assert (refused.Status, refused.ErrorID) == (0x0110, 0xA506)


def test_a_step_is_created_once_and_in_progress(whole: Whole, modality: Association) -> None:
    """A repeated UID, another first status and a missing attribute are refused, each with its status."""
    step, study = generate_uid(), generate_uid()
    assert create(modality, begun(study), step).Status == 0x0000
    assert create(modality, begun(study), step).Status == 0x0111
    other = begun(study)
    other.PerformedProcedureStepStatus = "COMPLETED"
    assert create(modality, other, generate_uid()).Status == 0x0106
    for keyword, status in (("Modality", 0x0120), ("ScheduledStepAttributesSequence", 0x0120)):
        lacking = begun(study)
        delattr(lacking, keyword)
        assert create(modality, lacking, generate_uid()).Status == status
    empty = begun(study)
    empty.PerformedProcedureStepID = ""
    assert create(modality, empty, generate_uid()).Status == 0x0121


def test_a_change_is_checked_like_a_creation(whole: Whole, modality: Association) -> None:
    """An unknown step, an end without its time and a fixed attribute each get their status; the rest is taken."""
    step = generate_uid()
    assert change(modality, ended(), step).Status == 0x0112
    assert create(modality, begun(generate_uid()), step).Status == 0x0000
    endless = ended(("1.2", "1.2.3"))
    del endless.PerformedProcedureStepEndTime
    assert change(modality, endless, step).Status == 0x0120
    renaming = Dataset()
    renaming.PatientName, renaming.PerformedProcedureStepDescription = "Other^Name", "Head"
    assert change(modality, renaming, step).Status == 0x0107
    (kept,) = whole.rows(f"SELECT attributes FROM performed_procedure_step WHERE sop_instance_uid = '{step}'")  # noqa: S608  # our own UID
    assert kept[0]["00100010"]["Value"] == [{"Alphabetic": "Nguyen^An"}]  # type: ignore[index]  # a JSON object
    assert kept[0]["00400254"]["Value"] == ["Head"]  # type: ignore[index]  # likewise
