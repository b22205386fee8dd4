import pytest
from pynetdicom.dimse_messages import C_STORE_RQ, C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode

from dicom_scp.command_set import StoreRequest, read_command_set, store_request, store_response
from pacs.errors import Unreadable

CT = "1.2.840.10008.5.1.4.1.1.2"


def encoded(message: C_STORE_RQ | C_STORE_RSP, primitive: C_STORE) -> bytes:
    message.primitive_to_message(primitive)
    data = encode(message.command_set, is_implicit_vr=True, is_little_endian=True)
    assert data is not None
    return data


@pytest.mark.parametrize("uid", ["1.2.3", "1.2.34", "2.25." + "9" * 30])
@pytest.mark.parametrize(
    ("status", "comment"), [(0, ""), (0xA700, "no room"), (0xC000, "cannot be read"), (0x110, "x" * 64)]
)
def test_response_is_what_pynetdicom_would_send(uid: str, status: int, comment: str) -> None:
    """The own writer differs from pynetdicom in speed only, not in a byte."""
    response = C_STORE()
    response.MessageIDBeingRespondedTo = 65535
    response.AffectedSOPClassUID = CT
    response.AffectedSOPInstanceUID = uid
    response.Status = status
    response.ErrorComment = comment or None  # type: ignore[assignment]  # pynetdicom states no type for it
    ours = store_response(StoreRequest(65535, CT, uid, with_data_set=True), status, comment)
    assert ours == encoded(C_STORE_RSP(), response)


def test_request_is_read_as_pynetdicom_writes_it() -> None:
    """Message ID, both UIDs and the presence of a data set come out as they went in."""
    request = C_STORE()
    request.MessageID = 513
    request.AffectedSOPClassUID = CT
    request.AffectedSOPInstanceUID = "1.2.345"
    request.Priority = 2
    request._dataset_path = "some.dcm"  # type: ignore[assignment]  # its presence is all that counts here
    elements = read_command_set(encoded(C_STORE_RQ(), request))
    assert store_request(elements) == StoreRequest(513, CT, "1.2.345", with_data_set=True)


def test_other_command_is_not_a_store_request() -> None:
    """A C-ECHO (Command Field 0030) is left to others."""
    assert store_request(read_command_set(bytes.fromhex("0000 0001 02000000 3000"))) is None


@pytest.mark.parametrize("damage", ["0000 0001 02000000 01", "0000 0001", "0800 0001 02000000 0100"])
def test_damaged_command_set_is_unreadable(damage: str) -> None:
    """Cut off, or of another group: no guess is made."""
    with pytest.raises(Unreadable):
        read_command_set(bytes.fromhex(damage))


def test_missing_uids_are_empty() -> None:
    """A request without its mandatory UIDs is still answered."""
    request = store_request(read_command_set(bytes.fromhex("0000 0001 02000000 0100 0000 0008 02000000 0101")))
    assert request == StoreRequest(0, "", "", with_data_set=False)
