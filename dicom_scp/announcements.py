"""Instance Availability Notification as SCU (PS3.4 Annex R): who asked to know is told what there is of a study.

Law: told when nothing of the study has come for a while, and again when more comes. Only what is filed is told.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from dicom_scp.normalized import NormalizedStatus, told
from dicom_scp.outgoing import Outgoing
from pacs.errors import NotFound, Unavailable
from pacs.forwarding import Sends
from pacs.model import StoredInstance
from storage.archive import Archive
from storage.index import errands
from storage.registry import Registry

INSTANCE_AVAILABILITY = "1.2.840.10008.5.1.4.33"


class Announcements:
    """The errand of telling one destination about studies."""

    def __init__(self, archive: Archive, registry: Registry, outgoing: Outgoing) -> None:
        self._archive, self._registry, self._outgoing = archive, registry, outgoing

    def waiting(self, hospital: str) -> Sequence[str]:
        """Destinations that wait."""
        return errands.waiting_destinations(self._archive.index, hospital, Sends.AVAILABILITY)

    def give_up(self, hospital: str, destination: str) -> None:
        """Forget what has waited for too many days."""
        errands.give_up(self._archive.index, hospital, destination)

    def run(self, hospital: str, destination: str) -> float | None:
        """Tell of the studies that are quiet; raises NotFound, Unavailable."""
        due = errands.due_studies(self._archive.index, hospital, destination)
        ready = [study for study, seconds in due if seconds <= 0]
        if ready:
            self._tell(hospital, destination, ready)
        return min((seconds for _, seconds in due if seconds > 0), default=None)

    def _tell(self, hospital: str, destination: str, studies: Iterable[str]) -> None:
        reach = self._registry.reach(hospital, destination)
        association = self._outgoing.associate(reach, [build_context(INSTANCE_AVAILABILITY)])
        refused = 0
        try:
            for study in studies:
                try:
                    instances = self._archive.instances(hospital, study)
                except NotFound:  # deleted meanwhile
                    instances = []
                if not instances or _tell(association, notification(instances, retrieve_from=reach.calling)):
                    errands.told(self._archive.index, hospital, destination, study)
                else:
                    refused += 1
        finally:
            if association.is_established:
                association.release()
        if refused:
            raise Unavailable(f"{destination} did not take {refused} notifications")


def notification(instances: Sequence[StoredInstance], *, retrieve_from: str) -> Dataset:
    """What an N-CREATE says of the instances of one study (PS3.4 Table R.3.2-1)."""
    series = []
    ordered = sorted(instances, key=lambda one: one.identity.series_instance_uid)
    for uid, members in groupby(ordered, key=lambda one: one.identity.series_instance_uid):
        references = [_reference(one, retrieve_from) for one in members]
        series.append(told(SeriesInstanceUID=uid, ReferencedSOPSequence=references))
    return told(
        ReferencedPerformedProcedureStepSequence=[],
        StudyInstanceUID=instances[0].identity.study_instance_uid,
        ReferencedSeriesSequence=series,
    )


def _reference(one: StoredInstance, retrieve_from: str) -> Dataset:
    return told(
        ReferencedSOPClassUID=one.identity.sop_class_uid,
        ReferencedSOPInstanceUID=one.identity.sop_instance_uid,
        InstanceAvailability="ONLINE",
        RetrieveAETitle=retrieve_from,
    )


def _tell(association: Association, content: Dataset) -> bool:
    if not association.is_established:
        raise Unavailable("the association ended")
    status, _ = association.send_n_create(content, INSTANCE_AVAILABILITY, generate_uid())
    return "Status" in status and status.Status == NormalizedStatus.SUCCESS
