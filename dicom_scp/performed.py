"""Modality Performed Procedure Step as SCP (PS3.4 F.7): what a modality says it does, kept whole.

Law: which requests are refused is decided in `pacs.performed`; here they are read, written down and answered.
"""

import json
from typing import Any

from pynetdicom import evt
from pynetdicom.events import Event

from dicom_scp.normalized import Answer, NormalizedStatus, answer, answering, data_set_of
from dicom_scp.services import Caller, Service
from pacs.dataset.json import instance_json
from pacs.modalities import Right
from pacs.performed import Refusal, changed, check_created
from storage.index import Index
from storage.index.performed import Attributes, add_step, change_step

MODALITY_PERFORMED_PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"


def performed_service(index: Index) -> Service:
    """Modality Performed Procedure Step on ``index``."""

    @answering
    def create(event: Event, caller: Caller) -> Answer:
        asked: Any = event.request
        uid = str(asked.AffectedSOPInstanceUID or "")
        if not uid:
            return answer(NormalizedStatus.INVALID_SOP_INSTANCE, "no Affected SOP Instance UID")
        attributes = _attributes(event, asked.AttributeList)
        try:
            check_created(attributes)
        except Refusal as refusal:
            return _refused(refusal)
        added = add_step(index, caller.hospital, uid, caller.calling, attributes)
        return answer(NormalizedStatus.SUCCESS if added else NormalizedStatus.DUPLICATE_SOP_INSTANCE)

    @answering
    def change(event: Event, caller: Caller) -> Answer:
        asked: Any = event.request
        changes = _attributes(event, asked.ModificationList)
        fixed: tuple[str, ...] = ()

        def apply(before: Attributes) -> Attributes:
            nonlocal fixed
            after, fixed = changed(before, changes)
            return after

        try:
            change_step(index, caller.hospital, str(asked.RequestedSOPInstanceUID), apply)
        except Refusal as refusal:
            return _refused(refusal)
        if fixed:
            return answer(NormalizedStatus.ATTRIBUTE_LIST_ERROR, f"not changed: {', '.join(fixed)}")
        return answer(NormalizedStatus.SUCCESS)

    return Service(Right.MPPS, (MODALITY_PERFORMED_PROCEDURE_STEP,), {evt.EVT_N_CREATE: create, evt.EVT_N_SET: change})


def _attributes(event: Event, sent: Any) -> Attributes:
    """A request's data set as DICOM JSON."""
    found: Attributes = json.loads(instance_json(data_set_of(event, sent), bulk_data_root=""))
    return found


def _refused(refusal: Refusal) -> Answer:
    comment = f"{refusal.comment} {', '.join(refusal.tags)}".strip()
    return answer(refusal.status, comment, error_id=refusal.error_id)
