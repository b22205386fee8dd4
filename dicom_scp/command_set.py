"""Command sets of C-STORE, and of responses to C-FIND, C-GET and C-MOVE, as bytes (PS3.7 9.3; 6.3.1: Implicit VR).

Law: nothing but bytes and values. pynetdicom takes a third of its time to build each nearly constant response through
a data set; the tests hold this writer to the same bytes.
"""

import struct
from dataclasses import dataclass

from pacs.errors import Unreadable

C_STORE_RQ = 0x0001
C_STORE_RSP = 0x8001
C_GET_RSP = 0x8010
C_FIND_RSP = 0x8020
C_MOVE_RSP = 0x8021
NO_DATA_SET = 0x0101  # Command Data Set Type (0000,0800)
WITH_DATA_SET = 0x0001

_AFFECTED_SOP_CLASS_UID = 0x0002
_COMMAND_FIELD = 0x0100
_MESSAGE_ID = 0x0110
_MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
_PRIORITY = 0x0700
_COMMAND_DATA_SET_TYPE = 0x0800
_STATUS = 0x0900
_ERROR_COMMENT = 0x0902
_AFFECTED_SOP_INSTANCE_UID = 0x1000
_NUMBERS_OF_SUB_OPERATIONS = (0x1020, 0x1021, 0x1022, 0x1023)  # remaining, completed, failed, warning
_MOVE_ORIGINATOR_AE_TITLE = 0x1030
_MOVE_ORIGINATOR_MESSAGE_ID = 0x1031
_MOST = 0xFFFF  # what a US can count to

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
    return _command_set(elements)


@dataclass(frozen=True, slots=True)
class Order:
    """Why an instance is sent: Priority (0000,0700), and the C-MOVE request that asked for it, if one did."""

    priority: int = 0  # MEDIUM
    move_originator: str = ""
    move_message_id: int = 0


def store_order(message_id: int, sop_class_uid: str, sop_instance_uid: str, order: Order) -> bytes:
    """The encoded command set of a C-STORE request of our own (PS3.7 Table 9.3-1)."""
    elements = [
        _element(_AFFECTED_SOP_CLASS_UID, sop_class_uid.encode("ascii", "replace"), b"\0"),
        _element(_COMMAND_FIELD, _US.pack(C_STORE_RQ), b""),
        _element(_MESSAGE_ID, _US.pack(message_id), b""),
        _element(_PRIORITY, _US.pack(order.priority), b""),
        _element(_COMMAND_DATA_SET_TYPE, _US.pack(WITH_DATA_SET), b""),
        _element(_AFFECTED_SOP_INSTANCE_UID, sop_instance_uid.encode("ascii", "replace"), b"\0"),
    ]
    if order.move_originator:
        elements += [
            _element(_MOVE_ORIGINATOR_AE_TITLE, order.move_originator.encode("ascii", "replace"), b" "),
            _element(_MOVE_ORIGINATOR_MESSAGE_ID, _US.pack(order.move_message_id), b""),
        ]
    return _command_set(elements)


def store_answer(elements: dict[int, bytes], message_id: int) -> tuple[int, str]:
    """Status and Error Comment of the C-STORE response to ``message_id``; raises Unreadable for anything else."""
    found = _unsigned(elements, _COMMAND_FIELD), _unsigned(elements, _MESSAGE_ID_BEING_RESPONDED_TO)
    status = _unsigned(elements, _STATUS)
    if found != (C_STORE_RSP, message_id) or status < 0:
        raise Unreadable("this is not the response to the instance sent")
    return status, elements.get(_ERROR_COMMENT, b"").decode("ascii", "replace").strip("\0 ")


def retrieve_response(
    command_field: int,
    sop_class_uid: str,
    message_id: int,
    status: int,
    *,
    numbers: tuple[int | None, ...] = (),
    comment: str = "",
    with_identifier: bool = False,
) -> bytes:
    """The encoded command set of a C-FIND, C-GET or C-MOVE response (PS3.7 Tables 9.3-4, 9.3-7, 9.3-10).

    ``numbers``: of sub-operations remaining, completed, failed and with a warning; None leaves one out.
    """
    elements = [
        _element(_AFFECTED_SOP_CLASS_UID, sop_class_uid.encode("ascii", "replace"), b"\0"),
        _element(_COMMAND_FIELD, _US.pack(command_field), b""),
        _element(_MESSAGE_ID_BEING_RESPONDED_TO, _US.pack(message_id), b""),
        _element(_COMMAND_DATA_SET_TYPE, _US.pack(WITH_DATA_SET if with_identifier else NO_DATA_SET), b""),
        _element(_STATUS, _US.pack(status), b""),
        _element(_ERROR_COMMENT, comment.encode("ascii", "replace"), b" ") if comment else b"",
    ]
    for element, number in zip(_NUMBERS_OF_SUB_OPERATIONS, numbers, strict=False):
        if number is not None:
            elements.append(_element(element, _US.pack(min(number, _MOST)), b""))
    return _command_set(elements)


def _command_set(elements: list[bytes]) -> bytes:
    body = b"".join(elements)
    return _HEADER.pack(0, 0, 4) + struct.pack("<L", len(body)) + body
