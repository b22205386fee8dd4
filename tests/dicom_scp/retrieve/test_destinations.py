"""C-MOVE destinations that hang, refuse, drop and reject; nobody else is harmed, nothing is counted twice."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.presentation import build_context

from dicom_scp import sending
from pacs.transfer_syntaxes import EXPLICIT_LE
from tests.dicom_scp.retrieve.asking import STUDY_ROOT_MOVE, identifier, moved, tally
from tests.dicom_scp.retrieve.conftest import CT, STUDY, Filled, data_sets

WHOLE_STUDY = identifier("STUDY", StudyInstanceUID=STUDY)
MR = "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost associations are opened again at once, or tests would wait."""
    monkeypatch.setattr(sending, "PAUSES", (0.05, 0.05, 0.05))


@pytest.fixture
def scp() -> Iterator[Callable[..., int]]:
    """Starts a storage SCP with a C-STORE handler; its port."""
    started: list[Any] = []

    def begin(handler: Callable[[Any], int], *, sop_class: str = CT, syntax: str = EXPLICIT_LE) -> int:
        entity = ApplicationEntity("SCP")
        entity.supported_contexts = [build_context(sop_class, syntax)]
        started.append(entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, handler)]))
        return int(started[-1].socket.getsockname()[1])

    yield begin
    for server in started:
        server.shutdown()


def test_silent_destination_is_given_up_and_harms_nobody(filled: Filled, storescp: Any, rascal: Any) -> None:
    """It accepts the connection and never says a word: all count as failed, in bounded time, others go on."""
    filled.knows("SILENT", rascal(lambda *_: threading.Event().wait(60)).port)
    port, folder = storescp("+xa")
    filled.knows("STORESCP", port)
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(moved(filled, WHOLE_STUDY, to="SILENT")))
    began = time.monotonic()
    thread.start()
    assert tally(moved(filled, WHOLE_STUDY)[-1][0]) == (0, 12, 0, 0)
    assert time.monotonic() - began < 2
    thread.join(20)
    [[(response, failed)]] = results
    assert tally(response) == (0xA702, 0, 12, 0)
    assert len(failed.FailedSOPInstanceUIDList) == 12
    assert "does not answer" in response.ErrorComment
    assert len(data_sets(folder)) == 12


def test_destination_that_hangs_in_the_middle(filled: Filled, scp: Any) -> None:
    """What it took before counts as completed, all the rest as failed after one wait, not one for each."""
    release, taken = threading.Event(), []

    def hang(event: Any) -> int:
        taken.append(event.request.AffectedSOPInstanceUID)
        if len(taken) == 4:
            release.wait(30)
        return 0

    filled.knows("STORESCP", scp(hang))
    began = time.monotonic()
    response, failed = moved(filled, WHOLE_STUDY)[-1]
    release.set()
    assert time.monotonic() - began < 8
    assert tally(response) == (0xB000, 3, 9, 0)
    assert len(failed.FailedSOPInstanceUIDList) == 9
    assert not set(failed.FailedSOPInstanceUIDList) & set(taken[:3])


def test_destination_that_reads_nothing(filled: Filled, rascal: Any) -> None:
    """It associates, then leaves its buffers full: our send ends too."""

    def associate(connection: socket.socket, _: int) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        header = connection.recv(6, socket.MSG_WAITALL)
        body = connection.recv(int.from_bytes(header[2:], "big"), socket.MSG_WAITALL)
        request = A_ASSOCIATE_RQ()
        request.decode(header + body)
        primitive = request.to_primitive()
        primitive.result = 0
        for context in primitive.presentation_context_definition_list:
            context.result = 0
        primitive.presentation_context_definition_results_list = primitive.presentation_context_definition_list
        connection.sendall(A_ASSOCIATE_AC(primitive).encode())
        time.sleep(60)

    filled.knows("STORESCP", rascal(associate).port)
    assert tally(moved(filled, WHOLE_STUDY)[-1][0]) == (0xA702, 0, 12, 0)


def test_nobody_listens(filled: Filled) -> None:
    """A closed port is said at once."""
    filled.knows("STORESCP", 9)
    [(response, _)] = moved(filled, WHOLE_STUDY)
    assert tally(response) == (0xA702, 0, 12, 0)
    assert "does not answer" in response.ErrorComment


def test_destination_that_rejects_us(filled: Filled, storescp: Any) -> None:
    """A rejected association is told to the requestor, not hidden."""
    port, _ = storescp("--refuse")
    filled.knows("STORESCP", port)
    [(response, _)] = moved(filled, WHOLE_STUDY)
    assert tally(response) == (0xA702, 0, 12, 0)
    assert "rejects us" in response.ErrorComment


@pytest.mark.parametrize(("sop_class", "syntax"), [(MR, EXPLICIT_LE), (CT, "1.2.840.10008.1.2.4.50")])
def test_no_presentation_context_in_common(filled: Filled, scp: Any, sop_class: str, syntax: str) -> None:
    """Neither class nor transfer syntax taken: every instance is named as failed, none is lost."""
    filled.knows("STORESCP", scp(lambda _: 0, sop_class=sop_class, syntax=syntax))
    response, failed = moved(filled, WHOLE_STUDY)[-1]
    assert tally(response) == (0xA702, 0, 12, 0)
    assert len(failed.FailedSOPInstanceUIDList) == 12


def test_association_that_drops_is_opened_again_where_it_stopped(filled: Filled, scp: Any) -> None:
    """Every third instance costs the association; all arrive, each is completed once."""
    taken: list[str] = []

    def drop(event: Any) -> int:
        taken.append(str(event.request.AffectedSOPInstanceUID))
        if len(taken) % 4 == 3:
            event.assoc.abort()
        return 0

    filled.knows("STORESCP", scp(drop))
    responses = moved(filled, WHOLE_STUDY)
    assert tally(responses[-1][0]) == (0, 12, 0, 0)
    assert [one.NumberOfCompletedSuboperations for one, _ in responses[:-1]] == list(range(1, 13))
    assert len(set(taken)) == 12
    assert max(map(taken.count, taken)) == 2


def test_instance_that_always_breaks_the_association_is_left_out(filled: Filled, scp: Any) -> None:
    """A destination that crashes over one instance gets all the others."""
    crashing = "1.2.3.4.1.1.5"

    def crash(event: Any) -> int:
        if event.request.AffectedSOPInstanceUID == crashing:
            event.assoc.abort()
        return 0

    filled.knows("STORESCP", scp(crash))
    response, failed = moved(filled, WHOLE_STUDY)[-1]
    assert tally(response) == (0xB000, 11, 1, 0)
    assert failed.FailedSOPInstanceUIDList == crashing


def test_destination_that_dies_is_not_tried_for_ever(filled: Filled, rascal: Any) -> None:
    """Connections that end at once: a bounded number of them, then all is counted as failed."""
    dying = rascal(lambda connection, _: connection.close())
    filled.knows("STORESCP", dying.port)
    assert tally(moved(filled, WHOLE_STUDY)[-1][0]) == (0xA702, 0, 12, 0)
    assert dying.visits <= 1 + len(sending.PAUSES)


def test_order_is_passed_on(filled: Filled, scp: Any) -> None:
    """Priority, and who asked with which message, stand in every C-STORE (PS3.7 9.3.1.1)."""
    seen = set()

    def look(event: Any) -> int:
        request = event.request
        seen.add((request.Priority, request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID))
        return 0

    filled.knows("STORESCP", scp(look))
    assert tally(moved(filled, WHOLE_STUDY, priority=1)[-1][0]) == (0, 12, 0, 0)
    assert seen == {(1, "TEST", 77)}


def test_statuses_of_the_destination_are_counted(filled: Filled, scp: Any) -> None:
    """Warnings and failures of the destination are told apart from what was completed."""
    statuses = [0xB000, 0xA700, 0x0122]
    filled.knows("STORESCP", scp(lambda _: statuses.pop() if statuses else 0))
    response, failed = moved(filled, WHOLE_STUDY)[-1]
    assert tally(response) == (0xB000, 9, 2, 1)
    assert len(failed.FailedSOPInstanceUIDList) == 2


def test_cancel_in_the_middle(filled: Filled, scp: Any) -> None:
    """A C-CANCEL ends the move between two instances; the response says how many remain."""
    taken: list[str] = []

    def slow(event: Any) -> int:
        taken.append(event.request.AffectedSOPInstanceUID)
        time.sleep(0.1)
        return 0

    filled.knows("STORESCP", scp(slow))
    entity = ApplicationEntity("TEST")
    entity.add_requested_context(STUDY_ROOT_MOVE)
    association = entity.associate("127.0.0.1", filled.port, ae_title="PACS")
    responses = []
    for response, _ in association.send_c_move(WHOLE_STUDY, "STORESCP", STUDY_ROOT_MOVE, msg_id=5):
        responses.append(response)
        if len(responses) == 2:
            association.send_c_cancel(5, query_model=STUDY_ROOT_MOVE)
    association.release()
    status, completed, failed, _ = tally(responses[-1])
    assert (status, failed) == (0xFE00, 0)
    assert completed == len(taken) < 12
    assert responses[-1].NumberOfRemainingSuboperations == 12 - completed


def test_cancel_while_the_destination_hangs(filled: Filled, scp: Any) -> None:
    """Who cancels does not wait for a destination that no longer answers; what it never took remains."""
    release, taken = threading.Event(), []

    def hang(event: Any) -> int:
        taken.append(event.request.AffectedSOPInstanceUID)
        if len(taken) == 3:
            release.wait(30)
        return 0

    filled.knows("STORESCP", scp(hang))
    entity = ApplicationEntity("TEST")
    entity.add_requested_context(STUDY_ROOT_MOVE)
    association = entity.associate("127.0.0.1", filled.port, ae_title="PACS")
    responses = []
    for response, _ in association.send_c_move(WHOLE_STUDY, "STORESCP", STUDY_ROOT_MOVE, msg_id=5):
        responses.append(response)
        if len(responses) == 2:
            association.send_c_cancel(5, query_model=STUDY_ROOT_MOVE)
    release.set()
    association.release()
    assert tally(responses[-1]) == (0xFE00, 2, 0, 0)
    assert responses[-1].NumberOfRemainingSuboperations == 10


def test_requestor_that_vanishes_ends_the_move(filled: Filled, scp: Any) -> None:
    """Nobody waits for the answer any more: the destination gets no more than was on its way."""
    taken: list[str] = []

    def slow(event: Any) -> int:
        taken.append(event.request.AffectedSOPInstanceUID)
        time.sleep(0.1)
        return 0

    filled.knows("STORESCP", scp(slow))
    entity = ApplicationEntity("TEST")
    entity.add_requested_context(STUDY_ROOT_MOVE)
    association = entity.associate("127.0.0.1", filled.port, ae_title="PACS")
    responses = association.send_c_move(WHOLE_STUDY, "STORESCP", STUDY_ROOT_MOVE)
    next(responses)
    association.abort()
    time.sleep(1.5)
    assert len(taken) < 8
