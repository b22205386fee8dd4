"""Results of Storage Commitment on associations of our own, with the roles reversed (PS3.4 J.3.3, PS3.7 D.3.3.4).

Law: a result counts as reported when the requestor said so. One that it refuses does not keep the others.
"""

from collections.abc import Sequence

from pynetdicom.presentation import build_context, build_role

from dicom_scp.commitment import STORAGE_COMMITMENT, report
from dicom_scp.outgoing import Outgoing
from pacs.errors import Unavailable
from storage.index import Index
from storage.index.commitments import due_reports, give_up, reported, result_of, waiting_requestors
from storage.registry import Registry


class Reports:
    """The errand of reporting to one requestor."""

    def __init__(self, index: Index, registry: Registry, outgoing: Outgoing) -> None:
        self._index, self._registry, self._outgoing = index, registry, outgoing

    def waiting(self, hospital: str) -> Sequence[str]:
        """Requestors that wait."""
        return waiting_requestors(self._index, hospital)

    def give_up(self, hospital: str, destination: str) -> None:
        """Forget what has waited for too many days."""
        give_up(self._index, hospital, destination)

    def run(self, hospital: str, destination: str) -> float | None:
        """Report what is decided; raises NotFound, Unavailable."""
        due = due_reports(self._index, hospital, destination)
        ready = [key for key, seconds in due if seconds <= 0]
        if ready:
            self._report(hospital, destination, ready)
        return min((seconds for _, seconds in due if seconds > 0), default=None)

    def _report(self, hospital: str, destination: str, ready: Sequence[int]) -> None:
        reach = self._registry.reach(hospital, destination)
        role = build_role(STORAGE_COMMITMENT, scp_role=True)
        association = self._outgoing.associate(reach, [build_context(STORAGE_COMMITMENT)], ext_neg=[role])
        refused = 0
        try:
            for number, key in enumerate(ready, 1):
                result = result_of(self._index, hospital, key)
                if result is None:  # reported meanwhile, or asked for again
                    continue
                if not association.is_established:
                    raise Unavailable(f"{destination} ended the association")
                if report(association, result, number):
                    reported(self._index, hospital, key)
                else:
                    refused += 1
        finally:
            if association.is_established:
                association.release()
        if refused:
            raise Unavailable(f"{destination} did not take {refused} of {len(ready)} results")
