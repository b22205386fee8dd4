"""Forwarding: instances that wait for a destination, sent over one association (PS3.4 Annex B, as SCU).

Law: an instance is delivered when the destination acknowledged it, and until then it is sent again; so it comes at
least once. What a destination refuses is offered a few times more, after everything else; what it never answered for is
offered for days.
"""

import logging
from collections.abc import Callable, Sequence

from dicom_scp.requestor import Patience, peer_at
from dicom_scp.sendable import Sendable, from_archive
from dicom_scp.sending import Sent, send
from dicom_scp.statuses import Status
from dicom_scp.tls import Tls
from pacs.errors import NotFound, Unavailable
from pacs.forwarding import Sends
from storage.archive import Archive
from storage.index import errands
from storage.registry import Registry

LOG = logging.getLogger(__name__)

AT_ONCE = 500  # instances of one association
AFTER_REFUSALS = 300.0  # seconds
_FOR_EVER = 1_000_000  # refusals: nothing is given up for want of an answer, except by age


class Forwarding:
    """The errand of sending instances to one destination."""

    def __init__(
        self,
        archive: Archive,
        registry: Registry,
        tls: Tls | None,
        *,
        stop: Callable[[], bool],
        patience: Patience | None = None,
    ) -> None:
        self._archive, self._registry, self._tls, self._stop = archive, registry, tls, stop
        self._patience = patience or Patience()

    def waiting(self, hospital: str) -> Sequence[str]:
        """Destinations for which instances wait."""
        return errands.waiting_destinations(self._archive.index, hospital, Sends.INSTANCES)

    def give_up(self, hospital: str, destination: str) -> None:
        """Forget what has waited for too many days."""
        errands.give_up(self._archive.index, hospital, destination)

    def run(self, hospital: str, destination: str) -> float | None:
        """Send what waits, some hundred at once; raises NotFound, NotAllowed, Unavailable."""
        due = errands.due_deliveries(self._archive.index, hospital, destination, limit=AT_ONCE)
        if not due:
            return None
        peer = peer_at(self._registry.destination(hospital, destination), self._tls)
        instances = self._instances(hospital, destination, due)
        delivered = failed = 0
        for sent in send(peer, instances, patience=self._patience, stop=self._stop):
            uid = sent.instance.sop_instance_uid
            if is_delivered(sent):
                errands.acknowledged(self._archive.index, hospital, destination, uid)
                delivered += 1
            else:
                failed += 1
                self._refused(hospital, destination, sent)
        if failed and not delivered:
            raise Unavailable(f"{destination} took none of {failed} instances")
        if not failed:
            return 0.0
        LOG.warning("%s took %d instances and refused %d", destination, delivered, failed)
        return AFTER_REFUSALS

    def _instances(self, hospital: str, destination: str, due: Sequence[str]) -> list[Sendable]:
        found = []
        for uid in due:
            try:
                found.append(from_archive(self._archive, hospital, self._archive.instance(hospital, uid)))
            except NotFound:  # deleted meanwhile
                errands.refused(self._archive.index, hospital, destination, uid, "no longer here", patience=1)
        return found

    def _refused(self, hospital: str, destination: str, sent: Sent) -> None:
        status = "" if sent.status is None else f"status {sent.status:04X} "
        patience = _FOR_EVER if sent.status is None or sent.status >> 8 == _BUSY else errands.REFUSALS
        uid = sent.instance.sop_instance_uid
        reason = f"{status}{sent.comment}".strip()
        errands.refused(self._archive.index, hospital, destination, uid, reason, patience=patience)


_BUSY = Status.OUT_OF_RESOURCES >> 8
_WARNING = 0xB  # first digit (PS3.4 Table B.2-1)


def is_delivered(sent: Sent) -> bool:
    """Whether the destination has the instance: success, or a warning about something in it."""
    return sent.status is not None and (sent.status == Status.SUCCESS or sent.status >> 12 == _WARNING)
