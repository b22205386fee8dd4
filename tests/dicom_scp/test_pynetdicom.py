"""What `dicom_scp.transport` and `dicom_scp.association` rely on of pynetdicom's inside."""

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from pynetdicom import fsm
from pynetdicom.acse import ACSE
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import AssociationSocket

# When one of these fails, read the changed function, see whether ours still fits, and only then write the new digest.
RELIED_ON = {
    Association.run_reactor: "ed8bbbe3b3d6ddae",
    Association._run_reactor: "f28838c5559e462a",
    Association.kill: "8f9713666a7f4cff",
    Association._serve_request: "2f24c1759cdf6c8c",
    Association._abort_blocking: "10b43ef8c63c6764",
    ACSE.negotiate_association: "a6f771214fa494c1",
    ACSE._negotiate_as_acceptor: "fffd360957c42a8e",
    ACSE.is_aborted: "ad2eb3f545a9ed05",
    ACSE.send_accept: "c03855deabefe975",
    ACSE.send_reject: "700998293bbcb6c9",
    DIMSEServiceProvider.receive_primitive: "5f99c86b14a15cef",
    DIMSEServiceProvider.get_msg: "890e3e04283f5aeb",
    DIMSEServiceProvider.send_msg: "a839cf2fb46976d9",
    DULServiceProvider.run_reactor: "e3a10eb3a0931e48",
    DULServiceProvider._read_pdu_data: "19f2d4e38c13c835",
    DULServiceProvider._is_transport_event: "8725ed03bb8fbdef",
    DULServiceProvider._process_recv_primitive: "4c0ebbb3e646e35e",
    DULServiceProvider.stop_dul: "28a7e0be126e7b30",
    DULServiceProvider.kill_dul: "5ceccf8dd01c2072",
    DULServiceProvider.receive_pdu: "fa67339834ca998c",
    AssociationSocket.__init__: "1f0325fdef2cc353",
    AssociationSocket.close: "c726c8db53813d55",
    AssociationSocket._shutdown_socket: "e2b2628faa81a578",
    fsm.DT_1: "82e5c5d4114534fa",
    fsm.DT_2: "9ec543394e0b49eb",
    fsm.AA_2: "a58069d8299198e0",
    fsm.AA_3: "de64452e828d09da",
    fsm.AA_4: "de72d40c80b07e3e",
    fsm.AA_8: "06c83317f08831fd",
}


@pytest.mark.parametrize(
    ("function", "digest"), RELIED_ON.items(), ids=lambda value: getattr(value, "__qualname__", "")
)
def test_pynetdicom_is_the_one_we_have_read(function: Callable[..., Any], digest: str) -> None:
    """A changed function of pynetdicom under our replacements is noticed here, and not by a hospital."""
    assert hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16] == digest
