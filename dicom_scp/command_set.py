"""The two command sets of a C-STORE, read and written as bytes (PS3.7 9.3.1, 6.3.1: Implicit VR Little Endian).

Law: nothing but bytes and values. pynetdicom takes a third of its time to build each nearly constant response through
a data set; the tests hold this writer to the same bytes.
"""

import struct
from dataclasses import dataclass

from pacs.errors import Unreadable

C_STORE_RQ = 0x0001
C_STORE_RSP = 0x8001
NO_DATA_SET = 0x0101  # Command Data Set Type (0000,0800)

_AFFECTED_SOP_CLASS_UID = 0x0002
_COMMAND_FIELD = 0x0100
_MESSAGE_ID = 0x0110
_MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
_COMMAND_DATA_SET_TYPE = 0x0800
_STATUS = 0x0900
_ERROR_COMMENT = 0x0902
_AFFECTED_SOP_INSTANCE_UID = 0x1000

_HEADER = struct.Struct("<HHL")
_US = struct.Struct("<H")


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A C-STORE request as its command set announces it; UIDs are "" when missing."""

    message_id: int
    sop_class_uid: str
    sop_instance_uid: str
    with_data_set: bool


def read_command_set(data: bytes) -> dict[int, bytes]:
    """Elements of group 0000 by element number; raises Unreadable when they do not fill ``data`` exactly."""
    elements = {}
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise Unreadable("the command set is cut off")
        group, element, length = _HEADER.unpack_from(data, at)
        at += 8 + length
        if group or at > len(data):
            raise Unreadable("the command set is not one")
        elements[element] = data[at - length : at]
    return elements


def _unsigned(elements: dict[int, bytes], element: int) -> int:
    value = elements.get(element, b"")
    return int(_US.unpack(value)[0]) if len(value) == _US.size else -1


def _uid(elements: dict[int, bytes], element: int) -> str:
    return elements.get(element, b"").decode("ascii", "replace").strip("\0 ")


def store_request(elements: dict[int, bytes]) -> StoreRequest | None:
    """The C-STORE request in ``elements``, or None when it is another command."""
    if _unsigned(elements, _COMMAND_FIELD) != C_STORE_RQ:
        return None
    return StoreRequest(
        message_id=max(_unsigned(elements, _MESSAGE_ID), 0),
        sop_class_uid=_uid(elements, _AFFECTED_SOP_CLASS_UID),
        sop_instance_uid=_uid(elements, _AFFECTED_SOP_INSTANCE_UID),
        with_data_set=_unsigned(elements, _COMMAND_DATA_SET_TYPE) != NO_DATA_SET,
    )


def _element(element: int, value: bytes, padding: bytes) -> bytes:
    value += padding * (len(value) % 2)
    return _HEADER.pack(0, element, len(value)) + value


def store_response(request: StoreRequest, status: int, comment: str = "") -> bytes:
    """The encoded command set of the C-STORE response to ``request`` (PS3.7 Table 9.3-2), UIDs echoed."""
    elements = [
        _element(_AFFECTED_SOP_CLASS_UID, request.sop_class_uid.encode("ascii", "replace"), b"\0"),
        _element(_COMMAND_FIELD, _US.pack(C_STORE_RSP), b""),
        _element(_MESSAGE_ID_BEING_RESPONDED_TO, _US.pack(request.message_id), b""),
        _element(_COMMAND_DATA_SET_TYPE, _US.pack(NO_DATA_SET), b""),
        _element(_STATUS, _US.pack(status), b""),
        _element(_ERROR_COMMENT, comment.encode("ascii", "replace"), b" ") if comment else b"",
        _element(_AFFECTED_SOP_INSTANCE_UID, request.sop_instance_uid.encode("ascii", "replace"), b"\0"),
    ]
    body = b"".join(elements)
    return _HEADER.pack(0, 0, 4) + struct.pack("<L", len(body)) + body
