"""The pure parts: which instances, which contexts, which syntax, which status."""

import struct

import pytest
from pynetdicom.dimse_messages import C_MOVE_RSP, C_STORE_RQ
from pynetdicom.dimse_primitives import C_MOVE, C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import P_DATA

from dicom_scp.command_set import C_MOVE_RSP as MOVE_RESPONSE
from dicom_scp.command_set import Order, read_command_set, retrieve_response, store_answer, store_order
from dicom_scp.fragments import COMMAND, LAST, fragment_size, fragments
from dicom_scp.proposals import MOST_CONTEXTS, Proposal, choices, proposals, wanted
from dicom_scp.retrieve_keys import PATIENT_ROOT, STUDY_ROOT, selection_of
from dicom_scp.sub_operations import RETRIEVE_STATUSES, RetrieveStatus, SubOperations
from dicom_scp.upper_layer import (
    PDU_HEADER,
    associate_accept,
    associate_request,
    data_transfer,
    presentation_data_values,
    rejection,
)
from pacs.dataset import read_data_set
from pacs.errors import ArchiveError, InvalidRequest, Unreadable
from pacs.file_meta import IMPLEMENTATION_CLASS_UID
from pacs.model import Selection
from pacs.transfer_syntaxes import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, HTJ2K_LOSSLESS_RPCL, IMPLICIT_LE

CT = "1.2.840.10008.5.1.4.1.1.2"
JPEG_BASELINE, JPEG_2000 = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90"


def element(tag: int, value: str) -> bytes:
    data = value.encode() + b"\0" * (len(value) % 2)
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(data)) + data


def test_store_request_is_what_pynetdicom_would_send() -> None:
    """The own writer differs from pynetdicom in speed only, not in a byte."""
    request = C_STORE()
    request.MessageID, request.Priority = 7, 1
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = CT, "1.2.345"
    request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID = "WORKSTATION", 77
    request._dataset_path = "some.dcm"  # type: ignore[assignment]  # its presence is all that counts here
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    theirs = encode(message.command_set, is_implicit_vr=True, is_little_endian=True)
    assert store_order(7, CT, "1.2.345", Order(1, "WORKSTATION", 77)) == theirs


@pytest.mark.parametrize("numbers", [(5, 4, 3, 2), (None, 4, 3, 2)])
def test_retrieve_response_is_what_pynetdicom_would_send(numbers: tuple[int | None, ...]) -> None:
    """So are the responses with their counters."""
    response = C_MOVE()
    response.MessageIDBeingRespondedTo, response.Status = 7, 0xFF00
    response.AffectedSOPClassUID = "1.2.840.10008.5.1.4.1.2.2.2"
    response.NumberOfRemainingSuboperations, response.NumberOfCompletedSuboperations = numbers[:2]
    response.NumberOfFailedSuboperations, response.NumberOfWarningSuboperations = numbers[2:]
    message = C_MOVE_RSP()
    message.primitive_to_message(response)
    theirs = encode(message.command_set, is_implicit_vr=True, is_little_endian=True)
    ours = retrieve_response(MOVE_RESPONSE, "1.2.840.10008.5.1.4.1.2.2.2", 7, 0xFF00, numbers=numbers)
    assert ours == theirs


def test_counters_stop_at_what_they_can_hold() -> None:
    """A patient of more than 65535 instances is still retrieved; the US values say 65535."""
    elements = read_command_set(retrieve_response(MOVE_RESPONSE, CT, 7, 0xFF00, numbers=(70000, 1, 0, 0)))
    assert elements[0x1020] == b"\xff\xff"


def test_answer_to_another_message_is_not_taken() -> None:
    """A response that belongs to nothing we sent ends the association instead of being counted."""
    with pytest.raises(Unreadable):
        store_answer(read_command_set(store_order(7, CT, "1.2.3", Order())), 7)


def test_association_request_is_read_by_pynetdicom() -> None:
    """Titles, contexts and user information arrive as meant."""
    contexts = [Proposal(CT, EXPLICIT_LE), Proposal(CT, HTJ2K_LOSSLESS_RPCL)]
    request = A_ASSOCIATE_RQ()
    request.decode(associate_request(calling="PACS", called="STORESCP", contexts=contexts, maximum_length=16384))
    primitive = request.to_primitive()
    assert (primitive.calling_ae_title, primitive.called_ae_title) == ("PACS", "STORESCP")
    assert [
        (context.context_id, context.abstract_syntax, context.transfer_syntax)
        for context in primitive.presentation_context_definition_list
    ] == [(1, CT, [EXPLICIT_LE]), (3, CT, [HTJ2K_LOSSLESS_RPCL])]
    assert primitive.maximum_length_received == 16384
    assert primitive.implementation_class_uid == IMPLEMENTATION_CLASS_UID


def test_answers_of_pynetdicom_are_read() -> None:
    """What pynetdicom accepts and rejects is understood as it was meant."""
    request = A_ASSOCIATE_RQ()
    contexts = [Proposal(CT, EXPLICIT_LE), Proposal(CT, HTJ2K_LOSSLESS_RPCL)]
    request.decode(associate_request(calling="PACS", called="STORESCP", contexts=contexts, maximum_length=16384))
    primitive = request.to_primitive()
    primitive.result = 0
    first, second = primitive.presentation_context_definition_list
    first.result, second.result = 4, 0
    primitive.presentation_context_definition_results_list = [first, second]
    accepted = associate_accept(A_ASSOCIATE_AC(primitive).encode()[PDU_HEADER.size :])
    assert (set(accepted.context_ids), accepted.maximum_length) == ({3}, 16384)
    primitive.result, primitive.result_source, primitive.diagnostic = 2, 3, 2
    body = A_ASSOCIATE_RJ(primitive).encode()[PDU_HEADER.size :]
    assert rejection(body) == (True, "Local limit exceeded")


def test_data_transfer_is_what_pynetdicom_would_send() -> None:
    """A P-DATA-TF of ours is byte for byte theirs, and is read back."""
    primitive = P_DATA()
    primitive.presentation_data_value_list = [[5, b"\x03" + b"abcd"]]  # type: ignore[list-item]  # it wants lists, and says tuples
    ours = data_transfer(5, COMMAND | LAST, memoryview(b"abcd"))
    assert ours == P_DATA_TF(primitive).encode()
    assert list(presentation_data_values(ours[PDU_HEADER.size :])) == [(5, COMMAND | LAST, b"abcd")]


@pytest.mark.parametrize("body", [b"\0\0\0\x09\1\3ab", b"\0\0\0\1\1\3", b"\0\0\0"])
def test_damaged_data_transfer_is_unreadable(body: bytes) -> None:
    """Lengths that contradict the PDU are no message."""
    with pytest.raises(Unreadable):
        list(presentation_data_values(body))


@pytest.mark.parametrize(
    ("message", "size", "expected"),
    [
        (b"", 4, [(LAST, b"")]),
        (b"abcd", 4, [(LAST, b"abcd")]),
        (b"abcdef", 4, [(0, b"abcd"), (LAST, b"ef")]),
    ],
)
def test_fragments(message: bytes, size: int, expected: list[tuple[int, bytes]]) -> None:
    """The last fragment says so, also when there is none before it and when nothing is in it."""
    assert [(flags, bytes(part)) for flags, part in fragments(message, size, control=0)] == expected


@pytest.mark.parametrize(("announced", "size"), [(4096, 4090), (0, 1 << 17), (1 << 20, 1 << 17), (3, 1)])
def test_fragment_size_follows_the_peer(announced: int, size: int) -> None:
    """A fragment and its header fit what the peer announced; no limit is not unlimited memory."""
    assert fragment_size(announced) == size


@pytest.mark.parametrize(
    ("own", "preferred", "expected"),
    [
        ((EXPLICIT_LE, HTJ2K_LOSSLESS_RPCL), (), (EXPLICIT_LE, HTJ2K_LOSSLESS_RPCL, IMPLICIT_LE)),
        ((JPEG_BASELINE,), (), (JPEG_BASELINE, EXPLICIT_LE, IMPLICIT_LE)),
        ((EXPLICIT_LE,), (JPEG_BASELINE, JPEG_2000), (JPEG_2000, EXPLICIT_LE, IMPLICIT_LE)),
        ((JPEG_BASELINE,), (IMPLICIT_LE, JPEG_BASELINE), (IMPLICIT_LE, JPEG_BASELINE)),
    ],
)
def test_what_is_proposed(own: tuple[str, ...], preferred: tuple[str, ...], expected: tuple[str, ...]) -> None:
    """Preferred, received, stored, what all must take; no loss of our making; a full preference stands alone."""
    assert wanted(own, preferred) == expected


def test_choice_ends_with_what_else_is_exact() -> None:
    """An accepted syntax that nobody asked for is still better than no instance; a lossy one is not."""
    assert choices((EXPLICIT_LE,), (), [JPEG_BASELINE, JPEG_2000]) == [JPEG_2000]
    assert choices((JPEG_BASELINE,), (), [IMPLICIT_LE, JPEG_BASELINE]) == [JPEG_BASELINE, IMPLICIT_LE]


def test_more_than_128_contexts_become_several_associations() -> None:
    """No association proposes more than IDs allow, no SOP class is torn apart, nothing is left out."""
    needs = {f"1.2.{number}": [EXPLICIT_LE, IMPLICIT_LE, HTJ2K_LOSSLESS_RPCL] for number in range(100)}
    associations = proposals(needs)
    assert [len(contexts) for contexts in associations] == [126, 126, 48]
    assert all(len(contexts) <= MOST_CONTEXTS for contexts in associations)
    assert len({context for contexts in associations for context in contexts}) == 300


def test_keys_of_a_patient_are_a_selection() -> None:
    """Padding goes, lists stay, repeated and empty values do not; keys below the level say nothing."""
    encoded = (
        element(0x00080018, "1.9")
        + element(0x00080052, "SERIES ")
        + element(0x00100020, "P1 ")
        + element(0x0020000D, "1.2.3")
        + element(0x0020000E, "1.2.3.4\\1.2.3.5\\1.2.3.4\\")
    )
    asked = read_data_set(encoded, IMPLICIT_LE)
    assert selection_of(asked, PATIENT_ROOT, is_relational=False) == Selection(
        ("P1",), ("1.2.3",), ("1.2.3.4", "1.2.3.5")
    )
    assert selection_of(asked, STUDY_ROOT, is_relational=False).patient_ids == ()


def test_relational_keys_may_be_missing_above() -> None:
    """Only the key of the level itself must be there."""
    asked = read_data_set(element(0x00080018, "1.9\\1.8") + element(0x00080052, "IMAGE"), IMPLICIT_LE)
    assert selection_of(asked, PATIENT_ROOT, is_relational=True).sop_instance_uids == ("1.9", "1.8")
    with pytest.raises(InvalidRequest, match="PatientID is missing"):
        selection_of(asked, PATIENT_ROOT, is_relational=False)


@pytest.mark.parametrize(
    ("statuses", "result"),
    [
        ([], RetrieveStatus.SUCCESS),
        ([0, 0], RetrieveStatus.SUCCESS),
        ([0, 0xB000], RetrieveStatus.SUB_OPERATIONS_COMPLETE_WITH_FAILURES),
        ([0, None], RetrieveStatus.SUB_OPERATIONS_COMPLETE_WITH_FAILURES),
        ([0xA700, None], RetrieveStatus.UNABLE_TO_PERFORM_SUB_OPERATIONS),
    ],
)
def test_tally_decides_the_status(statuses: list[int | None], result: RetrieveStatus) -> None:
    """All, some or none: PS3.4 C.4.2.3.1."""
    tally = SubOperations(len(statuses))
    for number, status in enumerate(statuses):
        tally.count(f"1.2.{number}", status)
    assert tally.remaining == 0
    assert tally.result == result


@pytest.mark.parametrize("syntax", [IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE, DEFLATED_LE])
@pytest.mark.parametrize("count", [0, 3, 5000])
def test_failed_list_is_readable_in_every_syntax(syntax: str, count: int) -> None:
    """Also when it is longer than the 64 KiB that a UI has in Explicit VR (PS3.5 6.2.2)."""
    tally = SubOperations(count)
    uids = [f"1.2.826.0.1.3680043.8.498.{number:020d}" for number in range(count)]
    for uid in uids:
        tally.count(uid, None)
    identifier = tally.identifier(RetrieveStatus.UNABLE_TO_PERFORM_SUB_OPERATIONS, syntax)
    found = bytes(read_data_set(identifier, syntax).bytes_of(0x00080058)).decode().strip("\0")
    assert [uid for uid in found.split("\\") if uid] == uids


def test_every_error_has_a_status() -> None:
    """The table is total over the core's errors: no failure of ours falls through."""

    def all_below(kind: type[ArchiveError]) -> set[type[ArchiveError]]:
        return {kind}.union(*(all_below(one) for one in kind.__subclasses__()))

    ours = {kind for kind in all_below(ArchiveError) if kind.__module__ == "pacs.errors"}
    assert ours == set(RETRIEVE_STATUSES)
