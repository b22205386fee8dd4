"""Storage Commitment as SCU (PS3.4 Annex J): destinations are asked to keep what was forwarded to them.

Law: a response to the N-ACTION settles nothing; only a report does (`commitment_results`). It is waited for a little on
the association that asked; a later one comes by an association of the destination's own.
"""

import time
from collections.abc import Callable, Sequence

from pydicom.uid import generate_uid
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from dicom_scp.commitment import REQUEST_STORAGE_COMMITMENT, STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE
from dicom_scp.commitment_results import results_taken
from dicom_scp.normalized import NormalizedStatus, told
from dicom_scp.outgoing import Outgoing
from dicom_scp.services import Caller
from pacs.errors import Unavailable
from storage.index import Index, confirmations
from storage.index.confirmations import Referenced
from storage.registry import Registry

AT_ONCE = 500  # instances of one request
HOLD = 10.0  # seconds for which a report may come on the association of its request
_LOOK = 0.25


class CommitmentRequests:
    """The errand of asking one destination."""

    def __init__(
        self, index: Index, registry: Registry, outgoing: Outgoing, *, stop: Callable[[], bool], hold: float = HOLD
    ) -> None:
        self._index, self._registry, self._outgoing = index, registry, outgoing
        self._stop, self._hold = stop, hold

    def waiting(self, hospital: str) -> Sequence[str]:
        """Destinations to ask."""
        return confirmations.uncommitted_destinations(self._index, hospital)

    def give_up(self, hospital: str, destination: str) -> None:
        """Forget what has waited for too many days."""
        confirmations.give_up(self._index, hospital, destination)

    def run(self, hospital: str, destination: str) -> float | None:
        """Ask for some hundred instances; raises NotFound, NotAllowed, Unavailable."""
        self.give_up(hospital, destination)
        due = confirmations.uncommitted(self._index, hospital, destination, limit=AT_ONCE)
        if not due:
            return None
        reach = self._registry.destination(hospital, destination)
        caller = Caller(hospital, destination, reach.calling, reach.modality.address)
        handlers = [(evt.EVT_N_EVENT_REPORT, results_taken(self._index), [caller])]
        contexts = [build_context(STORAGE_COMMITMENT)]
        association = self._outgoing.associate(reach, contexts, evt_handlers=handlers)
        try:
            self._ask(association, hospital, destination, due)
        finally:
            if association.is_established:
                association.release()
        return 0.0 if len(due) == AT_ONCE else None

    def _ask(self, association: Association, hospital: str, destination: str, due: Sequence[Referenced]) -> None:
        transaction_uid = str(generate_uid())
        confirmations.begin(self._index, hospital, destination, transaction_uid, [uid for _, uid in due])
        references = [told(ReferencedSOPClassUID=one, ReferencedSOPInstanceUID=uid) for one, uid in due]
        status, _ = association.send_n_action(
            told(TransactionUID=transaction_uid, ReferencedSOPSequence=references),
            REQUEST_STORAGE_COMMITMENT,
            STORAGE_COMMITMENT,
            WELL_KNOWN_INSTANCE,
        )
        if "Status" not in status:
            raise Unavailable(f"{destination} did not answer a request for Storage Commitment")
        if status.Status != NormalizedStatus.SUCCESS:
            raise Unavailable(f"{destination} answers a request for Storage Commitment with 0x{status.Status:04X}")
        confirmations.asked(self._index, hospital, destination, transaction_uid)
        deadline = time.monotonic() + self._hold
        while association.is_established and time.monotonic() < deadline and not self._stop():
            if not confirmations.awaited(self._index, hospital, destination, transaction_uid):
                return
            time.sleep(_LOOK)
