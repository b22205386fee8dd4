"""What Storage Commitment may promise (PS3.4 Annex J): an instance is safe when it was read back from the object store.

Law: "safe" is said of bytes that were read, nothing else. What is still on its way from the spool is waited for; what a
store that does not answer may hold, too. Every other instance gets the standard's reason (PS3.3 C.14.1.1).
"""

import logging
from enum import IntEnum

from pacs.errors import Damaged, NotFound, Unavailable
from storage.archive import Archive
from storage.index import commitments as rows
from storage.spool import Spool

log = logging.getLogger(__name__)

GRACE = 60.0  # seconds for an instance to appear: it may be in a spool that another machine keeps
LONGEST_WAIT = 24 * 3600.0  # seconds for what lies in the spool, or for a store that does not answer
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 600.0


class FailureReason(IntEnum):
    """Failure Reason (0008,1197) of Storage Commitment; 0 is ours, for success."""

    SAFE = 0
    PROCESSING_FAILURE = 0x0110
    NO_SUCH_OBJECT_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119
    DUPLICATE_TRANSACTION_UID = rows.DUPLICATE_TRANSACTION_UID
    RESOURCE_LIMITATION = 0x0213


class Commitments:
    """Decides what was asked for."""

    def __init__(self, archive: Archive, spool: Spool, *, grace: float = GRACE) -> None:
        self._archive, self._spool, self._grace = archive, spool, grace

    def decide(self, hospital: str, key: int) -> None:
        """Find out about every instance of one request that nothing is known of; what must wait is tried again."""
        try:
            self._decide(hospital, key)
        except Unavailable as error:  # the rows say that it is undecided; the next wake-up finds them
            log.warning("storage commitment %d waits: %s", key, error)

    def _decide(self, hospital: str, key: int) -> None:
        request = rows.request_of(self._archive.index, hospital, key)
        if request is None or request.decided:
            return
        for place, sop_class_uid, sop_instance_uid in rows.undecided(self._archive.index, hospital, key):
            reason = self._reason(hospital, sop_class_uid, sop_instance_uid, request.age)
            if reason is not None:
                rows.decide(self._archive.index, hospital, key, place, reason)
        if not rows.close(self._archive.index, hospital, key):
            with self._archive.index.transaction(hospital) as connection:
                rows.schedule(connection, hospital, key, delay=pause(request.age))

    def _reason(self, hospital: str, sop_class_uid: str, sop_instance_uid: str, age: float) -> FailureReason | None:
        """What is true of one instance; None when that is not known yet."""
        try:
            stored = self._archive.instance(hospital, sop_instance_uid)
            if stored.identity.sop_class_uid != sop_class_uid:
                return FailureReason.CLASS_INSTANCE_CONFLICT
            self._archive.read_back(hospital, stored)
        except Damaged as error:
            log.error("storage commitment refused: %s", error)  # noqa: TRY400  # the sentence says it all
            return FailureReason.PROCESSING_FAILURE
        except NotFound:
            return self._absent(hospital, sop_instance_uid, age)
        except Unavailable:
            return None if age < LONGEST_WAIT else FailureReason.RESOURCE_LIMITATION
        return FailureReason.SAFE

    def _absent(self, hospital: str, sop_instance_uid: str, age: float) -> FailureReason | None:
        if self._archive.known(hospital, [sop_instance_uid]).instances:
            log.error("storage commitment refused: the pack of instance %s is gone", sop_instance_uid)
            return FailureReason.PROCESSING_FAILURE
        if age < self._grace:
            return None
        if age < LONGEST_WAIT and self._spool.counts(hospital).oldest > age:  # received before it was asked for
            return None
        return FailureReason.NO_SUCH_OBJECT_INSTANCE


def pause(age: float) -> float:
    """Seconds until a request of this age is looked at again: soon at first, then ever more seldom."""
    return min(max(age / 4, SHORTEST_PAUSE), LONGEST_PAUSE)
