"""What happens later, with the real command: committed and forwarded over S3, through kill -9 of the dispatcher."""

import os
import queue
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity

from dicom_scp.commitment import STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE
from dicom_scp.sender import send
from tests.acceptance.conftest import RunningArchive

pytestmark = pytest.mark.acceptance

CT = "1.2.840.10008.5.1.4.1.1.2"


def test_a_modality_is_told_and_a_destination_served_though_the_dispatcher_is_killed(
    archive: RunningArchive, pydicom_file: Callable[[str], Path]
) -> None:
    """Commitment is asked for right after C-STORE; the dispatcher dies; both reports come, and the lists show it."""
    received: queue.Queue[Dataset] = queue.Queue()
    told: queue.Queue[tuple[int, Dataset]] = queue.Queue()

    def store(event: Any) -> int:
        received.put(event.dataset)
        return 0x0000

    def hear(event: Any) -> tuple[int, None]:
        told.put((event.event_type, event.event_information))
        return 0x0000, None

    entity = ApplicationEntity("CT1")
    entity.add_requested_context(STORAGE_COMMITMENT)
    entity.add_supported_context(STORAGE_COMMITMENT, scu_role=True, scp_role=True)
    entity.add_supported_context(CT)
    handlers: Any = [(evt.EVT_C_STORE, store), (evt.EVT_N_EVENT_REPORT, hear)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        archive.start()
        port = str(server.server_address[1])
        archive.run("modality", "add", "CT1", "127.0.0.1", "--port", port, "--may", "store,commit")
        archive.run("modality", "add", "OLDPACS", "127.0.0.1", "--port", port, "--may", "destination")
        archive.run("forward", "add", "OLDPACS", "--modality", "CT")
        image = pydicom_file("CT_small.dcm")
        (sent,) = send([image], host="127.0.0.1", port=archive.dicom_port, calling="CT1", called="PACS")
        assert sent.status == 0

        association = entity.associate("127.0.0.1", archive.dicom_port, ae_title="PACS")
        request, item = Dataset(), Dataset()
        item.ReferencedSOPClassUID = CT
        item.ReferencedSOPInstanceUID = pydicom.dcmread(image).SOPInstanceUID
        request.TransactionUID, request.ReferencedSOPSequence = generate_uid(), [item]
        status, _ = association.send_n_action(request, 1, STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE)
        association.release()
        assert status.Status == 0x0000
        (dispatch,) = [pid for pid, words in archive.children().items() if words.strip().endswith("dispatch")]
        os.kill(dispatch, signal.SIGKILL)

        kind, information = told.get(timeout=60)
        assert (kind, information.TransactionUID) == (1, request.TransactionUID)
        assert information.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == item.ReferencedSOPInstanceUID
        assert received.get(timeout=60).SOPInstanceUID == item.ReferencedSOPInstanceUID
        archive.wait_for(lambda: "OLDPACS: 1 sent, 0 waiting, 0 failed" in archive.run("forward", "list"))
        assert "instances" in archive.run("forward", "list")
        assert "missing" in archive.run("mpps", "list")
    finally:
        server.shutdown()
