"""The PDUs of an association that we open, as bytes (PS3.8 9.3, PS3.7 D.3.3).

Law: nothing but bytes and values; no sockets. The tests hold it to pynetdicom's own encoder and decoder.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dicom_scp.proposals import Proposal
from pacs.errors import Unreadable
from pacs.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA_TF, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)  # PDU types
PDU_HEADER = struct.Struct(">BxI")
PDV_HEADER = struct.Struct(">IBB")

RELEASE_REQUEST = PDU_HEADER.pack(RELEASE_RQ, 4) + bytes(4)
RELEASE_RESPONSE = PDU_HEADER.pack(RELEASE_RP, 4) + bytes(4)
ABORT_REQUEST = PDU_HEADER.pack(ABORT, 4) + bytes(4)

_APPLICATION_CONTEXT_NAME = b"1.2.840.10008.3.1.1.1"
_ITEM = struct.Struct(">BxH")
_FIXED = struct.Struct(">HH16s16s32x")
_TRANSIENT = 2
_REASONS = {  # (source, reason): PS3.8 Table 9-21
    (1, 2): "Application context name not supported",
    (1, 3): "Calling AE title not recognised",
    (1, 7): "Called AE title not recognised",
    (2, 2): "Protocol version not supported",
    (3, 1): "Temporary congestion",
    (3, 2): "Local limit exceeded",
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """What an A-ASSOCIATE-AC grants: IDs of presentation contexts, and the longest P-DATA-TF (0: any)."""

    context_ids: frozenset[int]
    maximum_length: int


def _item(kind: int, content: bytes) -> bytes:
    return _ITEM.pack(kind, len(content)) + content


def _title(ae_title: str) -> bytes:
    return ae_title.encode("ascii", "replace").ljust(16)[:16]


def associate_request(*, calling: str, called: str, contexts: Sequence[Proposal], maximum_length: int) -> bytes:
    """An A-ASSOCIATE-RQ; the n-th context has the ID 2n + 1 (PS3.8 Table 9-11)."""
    items = [_item(0x10, _APPLICATION_CONTEXT_NAME)]
    for number, context in enumerate(contexts):
        abstract = _item(0x30, context.sop_class_uid.encode("ascii"))
        syntax = _item(0x40, context.transfer_syntax_uid.encode("ascii"))
        items.append(_item(0x20, struct.pack(">B3x", 2 * number + 1) + abstract + syntax))
    user_information = (
        _item(0x51, struct.pack(">I", maximum_length)),
        _item(0x52, IMPLEMENTATION_CLASS_UID.encode("ascii")),
        _item(0x55, IMPLEMENTATION_VERSION_NAME.encode("ascii")),
    )
    items.append(_item(0x50, b"".join(user_information)))
    body = _FIXED.pack(1, 0, _title(called), _title(calling)) + b"".join(items)
    return PDU_HEADER.pack(ASSOCIATE_RQ, len(body)) + body


def associate_accept(body: bytes) -> Accepted:
    """What the A-ASSOCIATE-AC of this body grants; raises Unreadable."""
    context_ids = set()
    maximum_length = 0
    for kind, content in _items(body[_FIXED.size :]):
        if kind == 0x21 and len(content) >= 4 and content[2] == 0:
            context_ids.add(content[0])
        elif kind == 0x50:
            lengths = [value for kind, value in _items(content) if kind == 0x51 and len(value) == 4]
            maximum_length = int.from_bytes(lengths[0], "big") if lengths else 0
    return Accepted(frozenset(context_ids), maximum_length)


def rejection(body: bytes) -> tuple[bool, str]:
    """Whether an A-ASSOCIATE-RJ is transient, and its reason in words (PS3.8 Table 9-21)."""
    result, source, reason = body[1:4].ljust(3, b"\0")
    return result == _TRANSIENT, _REASONS.get((source, reason), f"no reason given ({source}/{reason})")


def presentation_data_values(body: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Presentation context ID, message control header and fragment of each item; raises Unreadable."""
    at = 0
    while at < len(body):
        if at + PDV_HEADER.size > len(body):
            raise Unreadable("a P-DATA-TF is cut off")
        length, context_id, control = PDV_HEADER.unpack_from(body, at)
        end = at + 4 + length
        if length < 2 or end > len(body):
            raise Unreadable("a P-DATA-TF is cut off")
        yield context_id, control, body[at + PDV_HEADER.size : end]
        at = end


def data_transfer(context_id: int, control: int, fragment: memoryview) -> bytes:
    """A P-DATA-TF with one item, in one piece: a header alone would be a packet of its own."""
    header = PDU_HEADER.pack(P_DATA_TF, len(fragment) + PDV_HEADER.size)
    return b"".join((header, PDV_HEADER.pack(len(fragment) + 2, context_id, control), fragment))


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        if at + _ITEM.size > len(data):
            raise Unreadable("an item of a PDU is cut off")
        kind, length = _ITEM.unpack_from(data, at)
        at += _ITEM.size + length
        if at > len(data):
            raise Unreadable("an item of a PDU is cut off")
        yield kind, data[at - length : at]
