"""Results of Storage Commitment that others report to us, for what we forwarded to them (PS3.4 J.3.3, as SCU).

Law: one handler, on whichever association a report comes: the one that we asked on, or one that the peer opened. What
counts is the Transaction UID, and that it comes from whom we asked.
"""

from typing import Any

from pynetdicom.events import Event

from dicom_scp.normalized import Answer, Handler, NormalizedStatus, answer, answering, data_set_of
from dicom_scp.services import Caller
from pacs.errors import InvalidRequest
from storage.index import Index
from storage.index.confirmations import settle

_TRANSACTION_UID, _REFERENCED, _FAILED = 0x00081195, 0x00081199, 0x00081198
_INSTANCE, _FAILURE_REASON = 0x00081155, 0x00081197
_UNKNOWN_REASON = 0x0110  # Processing failure (PS3.3 C.14.1.1)


def results_taken(index: Index) -> Handler:
    """The handler of N-EVENT-REPORT."""

    @answering
    def take(event: Event, caller: Caller) -> Answer:
        report: Any = event.request
        information = data_set_of(event, report.EventInformation)
        transaction_uid = information.text(_TRANSACTION_UID)
        if not transaction_uid:
            raise InvalidRequest("no Transaction UID")
        failed = {
            item.text(_INSTANCE): item.integer(_FAILURE_REASON) or _UNKNOWN_REASON
            for item in information.items(_FAILED)
        }
        safe = [item.text(_INSTANCE) for item in information.items(_REFERENCED)]
        settle(
            index,
            caller.hospital,
            caller.calling,
            transaction_uid,
            safe=[uid for uid in safe if uid not in failed],
            failed=failed,
        )
        return answer(NormalizedStatus.SUCCESS)

    return take
