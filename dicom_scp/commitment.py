"""Storage Commitment as SCP (PS3.4 Annex J): requests are written down and answered at once, decided later.

Law: the response to an N-ACTION says that the request is on record, never that an instance is safe. While the
association stays open, its own thread waits a little for the result and reports on it; otherwise, and whenever
that fails, the dispatcher reports (`dicom_scp.reports`).
"""

import logging
import threading
import time
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.events import Event, EventType

from dicom_scp.commitment_results import results_taken
from dicom_scp.normalized import Answer, NormalizedStatus, answer, answering, data_set_of, told
from dicom_scp.services import Caller, Handler, Service
from pacs.dataset import DataSet
from pacs.errors import ArchiveError, InvalidRequest
from pacs.modalities import Right
from storage.index import Index
from storage.index.commitments import Referenced, Result, add_request, release, reported, result_of

LOG = logging.getLogger(__name__)

STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
WELL_KNOWN_INSTANCE = "1.2.840.10008.1.20.1.1"  # PS3.4 J.3.5
REQUEST_STORAGE_COMMITMENT = 1  # Action Type ID (PS3.4 J.3.2)
ALL_SAFE, FAILURES_EXIST = 1, 2  # Event Type IDs (PS3.4 J.3.3)

HOLD = 10.0  # seconds for which a result may still go out on the association of its request
_SETTLED = 1.0  # seconds until a requestor that does not wait has closed: a report would cross its release
_LOOK = 0.2
_MARGIN = 60.0  # seconds that a report on its way may still take
_MOST = 100_000  # instances of one request

_TRANSACTION_UID, _REFERENCED, _FAILED_CLASS, _INSTANCE = 0x00081195, 0x00081199, 0x00081150, 0x00081155


def commitment_service(index: Index, *, hold: float = HOLD) -> Service:
    """Storage Commitment on ``index``; also takes what others report on our own requests."""

    @answering
    def request(event: Event, caller: Caller) -> Answer:
        asked: Any = event.request
        if asked.RequestedSOPInstanceUID != WELL_KNOWN_INSTANCE:
            return answer(NormalizedStatus.NO_SUCH_SOP_INSTANCE)
        if event.action_type != REQUEST_STORAGE_COMMITMENT:
            return answer(NormalizedStatus.NO_SUCH_ACTION)
        transaction_uid, referenced = requested(data_set_of(event, asked.ActionInformation))
        if len(referenced) > _MOST:
            return answer(NormalizedStatus.RESOURCE_LIMITATION, f"more than {_MOST} instances")
        key = add_request(
            index,
            caller.hospital,
            calling_ae_title=caller.calling,
            transaction_uid=transaction_uid,
            referenced=referenced,
            hold=hold + _MARGIN if hold else 0.0,
        )
        if hold:
            arguments = (index, caller, key, event.assoc, hold)
            threading.Thread(target=_report_here, args=arguments, name="commitment", daemon=True).start()
        return answer(NormalizedStatus.SUCCESS)

    handlers: dict[EventType, Handler] = {evt.EVT_N_ACTION: request, evt.EVT_N_EVENT_REPORT: results_taken(index)}
    return Service(Right.COMMIT, (STORAGE_COMMITMENT,), handlers, as_scu=True)


def requested(data_set: DataSet) -> tuple[str, list[Referenced]]:
    """Transaction UID and instances of a request; raises InvalidRequest (PS3.4 Table J.3-1)."""
    transaction_uid = data_set.text(_TRANSACTION_UID)
    referenced = [(item.text(_FAILED_CLASS), item.text(_INSTANCE)) for item in data_set.items(_REFERENCED)]
    if not transaction_uid:
        raise InvalidRequest("no Transaction UID")
    if not referenced or not all(one and uid for one, uid in referenced):
        raise InvalidRequest("no Referenced SOP Sequence, or an item without UIDs")
    return transaction_uid, referenced


def report(association: Association, result: Result, message_id: int = 1) -> bool:
    """Send one result; whether the requestor took it."""
    failures = [one for one in result.instances if one[2]]
    status, _ = association.send_n_event_report(
        event_information(result),
        FAILURES_EXIST if failures else ALL_SAFE,
        STORAGE_COMMITMENT,
        WELL_KNOWN_INSTANCE,
        msg_id=message_id,
    )
    return "Status" in status and status.Status == NormalizedStatus.SUCCESS


def event_information(result: Result) -> Dataset:
    """Event Information of an N-EVENT-REPORT (PS3.4 Table J.3-2)."""
    safe: list[Dataset] = []
    failed: list[Dataset] = []
    for sop_class_uid, sop_instance_uid, reason in result.instances:
        item = told(ReferencedSOPClassUID=sop_class_uid, ReferencedSOPInstanceUID=sop_instance_uid)
        if reason:
            item.FailureReason = reason
        (failed if reason else safe).append(item)
    sequences = {"ReferencedSOPSequence": safe, "FailedSOPSequence": failed}
    filled = {keyword: items for keyword, items in sequences.items() if items}
    return told(TransactionUID=result.transaction_uid, **filled)


def _report_here(index: Index, caller: Caller, key: int, association: Association, hold: float) -> None:
    """Report on the association that the request came by, if the result is there before it closes."""
    deadline = time.monotonic() + hold
    time.sleep(min(_SETTLED, hold))
    try:
        while association.is_established and time.monotonic() < deadline:
            result = result_of(index, caller.hospital, key)
            if result is not None:
                if report(association, result):
                    reported(index, caller.hospital, key)
                    return
                break
            time.sleep(_LOOK)
        release(index, caller.hospital, key, caller.calling)
    except ArchiveError as error:  # the dispatcher reports after `_MARGIN`
        LOG.warning("storage commitment is not reported yet: %s", error)
    except (RuntimeError, ValueError):  # pynetdicom's, when the association ended meanwhile
        release(index, caller.hospital, key, caller.calling)
