"""Storage Commitment over real associations: what is promised, when, and to whom it is said."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.presentation import build_role

from dicom_scp.commitment import STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE
from tests.dicom_scp.later.conftest import Whole

CT = "1.2.840.10008.5.1.4.1.1.2"


@dataclass
class Requestor:
    """A modality that asks for commitment, and what it was told."""

    title: str
    whole: Whole
    told: "queue.Queue[tuple[int, Dataset]]" = field(default_factory=queue.Queue)

    def hear(self, event: Any) -> tuple[int, None]:
        """Take an N-EVENT-REPORT."""
        self.told.put((event.event_type, event.event_information))
        return 0x0000, None

    def entity(self) -> ApplicationEntity:
        entity = ApplicationEntity(self.title)
        entity.add_requested_context(STORAGE_COMMITMENT)
        entity.add_supported_context(STORAGE_COMMITMENT, scu_role=True, scp_role=True)
        return entity

    def associate(self) -> Association:
        handlers: Any = [(evt.EVT_N_EVENT_REPORT, self.hear)]
        association = self.entity().associate("127.0.0.1", self.whole.port, evt_handlers=handlers, ae_title="PACS")
        assert association.is_established
        return association

    def ask(self, *references: tuple[str, str], transaction: str = "") -> str:
        """Ask on an association that is closed at once; the Transaction UID."""
        association = self.associate()
        transaction = transaction or generate_uid()
        assert ask(association, transaction, references) == 0x0000
        association.release()
        return transaction

    @contextmanager
    def listening(self, port: int = 0) -> Iterator[int]:
        """Listen for reports; the port."""
        handlers: Any = [(evt.EVT_N_EVENT_REPORT, self.hear)]
        server = self.entity().start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
        assert server is not None
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()

    def result(self, transaction: str) -> tuple[int, dict[str, int]]:
        """Event Type ID, and the Failure Reason of each instance, 0 for those that are safe."""
        kind, told = self.told.get(timeout=20)
        assert told.TransactionUID == transaction
        safe = {item.ReferencedSOPInstanceUID: 0 for item in told.get("ReferencedSOPSequence", [])}
        failed = {item.ReferencedSOPInstanceUID: item.FailureReason for item in told.get("FailedSOPSequence", [])}
        assert all(item.ReferencedSOPClassUID for item in told.get("ReferencedSOPSequence", []))
        return kind, safe | failed


def information(transaction: str, references: tuple[tuple[str, str], ...]) -> Dataset:
    """Action Information of a request."""
    data_set = Dataset()
    if transaction:
        data_set.TransactionUID = transaction
    data_set.ReferencedSOPSequence = []
    for sop_class, uid in references:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
        data_set.ReferencedSOPSequence.append(item)
    return data_set


def ask(association: Association, transaction: str, references: tuple[tuple[str, str], ...], **other: Any) -> int:
    """Send an N-ACTION; its status."""
    action, instance = other.get("action", 1), other.get("instance", WELL_KNOWN_INSTANCE)
    status, _ = association.send_n_action(information(transaction, references), action, STORAGE_COMMITMENT, instance)
    return int(status.Status)


@pytest.fixture
def requestor(whole: Whole) -> Requestor:
    """A modality with a name of its own."""
    return Requestor(f"CT{generate_uid()[-8:]}", whole)


def test_the_result_comes_on_the_same_association_while_it_is_open(dispatching: Whole, requestor: Requestor) -> None:
    """A requestor that keeps its association open hears on it that every instance is safe."""
    references = (dispatching.filed(), dispatching.filed())
    association = requestor.associate()
    transaction = generate_uid()
    assert ask(association, transaction, references) == 0x0000
    assert requestor.result(transaction) == (1, {uid: 0 for _, uid in references})
    association.release()
    reported = f"SELECT FROM commitment WHERE transaction_uid = '{transaction}' AND reported_at IS NOT NULL"
    dispatching.wait(lambda: dispatching.rows(reported))
    with_repeat = requestor.associate()
    assert ask(with_repeat, transaction, references) == 0x0000  # the same again is answered again
    assert requestor.result(transaction) == (1, {uid: 0 for _, uid in references})
    with_repeat.release()


def test_the_result_comes_on_a_new_association_with_reversed_roles(dispatching: Whole, requestor: Requestor) -> None:
    """After the request's association is closed, the archive calls the requestor, with the standard's reasons."""
    safe, other_class = dispatching.filed(), dispatching.filed()
    removed = dispatching.filed()
    key = dispatching.archive.instance("default", removed[1]).location.pack_key
    (dispatching.settings.data / "objects" / "default" / key).unlink()
    unknown = (CT, generate_uid())
    with requestor.listening() as port:
        dispatching.know(requestor.title, port)
        transaction = requestor.ask(safe, ("1.2.840.10008.5.1.4.1.1.4", other_class[1]), removed, unknown)
        assert requestor.result(transaction) == (
            2,
            {safe[1]: 0, other_class[1]: 0x0119, removed[1]: 0x0110, unknown[1]: 0x0112},
        )
        other = requestor.ask(unknown, transaction=transaction)
        assert requestor.result(other) == (2, {unknown[1]: 0x0131})


def test_an_instance_that_was_safe_is_looked_for_again(dispatching: Whole, requestor: Requestor) -> None:
    """That an instance was read back once does not make it safe when its pack is gone since."""
    reference = dispatching.filed()
    with requestor.listening() as port:
        dispatching.know(requestor.title, port)
        assert requestor.result(requestor.ask(reference)) == (1, {reference[1]: 0})
        key = dispatching.archive.instance("default", reference[1]).location.pack_key
        (dispatching.settings.data / "objects" / "default" / key).unlink()
        assert requestor.result(requestor.ask(reference)) == (2, {reference[1]: 0x0110})


def test_a_damaged_pack_is_never_called_safe(dispatching: Whole, requestor: Requestor) -> None:
    """A pack whose bytes changed in the object store fails, whatever the cache says."""
    reference = dispatching.filed()
    location = dispatching.archive.instance("default", reference[1]).location
    path = dispatching.settings.data / "objects" / "default" / location.pack_key
    data = bytearray(path.read_bytes())
    data[location.member_offset + location.member_length // 2] ^= 0xFF
    path.chmod(0o644)
    path.write_bytes(data)
    with requestor.listening() as port:
        dispatching.know(requestor.title, port)
        assert requestor.result(requestor.ask(reference)) == (2, {reference[1]: 0x0110})


def test_what_is_still_in_the_spool_is_waited_for(dispatching: Whole, requestor: Requestor) -> None:
    """An instance that was received but not yet filed is not failed; it is committed once it is filed."""
    reference = dispatching.received()
    with requestor.listening() as port:
        dispatching.know(requestor.title, port)
        transaction = requestor.ask(reference)
        dispatching.wait(  # past the grace that an unknown instance would have
            lambda: dispatching.rows(
                "SELECT FROM commitment WHERE decided_at IS NULL AND requested_at < now() - interval '2 s'"
            )
        )
        assert requestor.told.empty()
        dispatching.drain()
        assert requestor.result(transaction) == (1, {reference[1]: 0})


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # pynetdicom forgets one that is refused
def test_a_request_survives_a_restart_and_a_requestor_that_is_down(whole: Whole, requestor: Requestor) -> None:
    """Asked while no dispatcher runs, reported after one starts and after the requestor answers at last."""
    whole.stop_dispatcher()
    reference = whole.filed()
    with requestor.listening() as port:
        whole.know(requestor.title, port)
    transaction = requestor.ask(reference)
    whole.start_dispatcher()
    whole.wait(lambda: whole.rows("SELECT FROM errand WHERE kind = 'report' AND failures > 1"))
    whole.stop_dispatcher()
    whole.start_dispatcher()
    with requestor.listening(port):
        assert requestor.result(transaction) == (1, {reference[1]: 0})
    whole.wait(lambda: not whole.rows("SELECT FROM errand WHERE kind = 'report'"))


def test_bad_requests_are_refused(whole: Whole, requestor: Requestor) -> None:
    """Another instance, action, or an incomplete data set gets the standard's status, and leaves nothing behind."""
    association = requestor.associate()
    reference, transaction = ((CT, "1.2.3"),), generate_uid()
    assert ask(association, transaction, reference, instance="1.2.3") == 0x0112
    assert ask(association, transaction, reference, action=2) == 0x0123
    assert ask(association, "", reference) == 0x0115
    assert ask(association, transaction, ()) == 0x0115
    association.release()
    assert not whole.rows(f"SELECT FROM commitment WHERE transaction_uid = '{transaction}'")


def test_the_archive_says_that_it_is_scp(whole: Whole, requestor: Requestor) -> None:
    """A requestor that proposes the roles as they are gets them."""
    association = requestor.entity().associate(
        "127.0.0.1", whole.port, ae_title="PACS", ext_neg=[build_role(STORAGE_COMMITMENT, scu_role=True)]
    )
    assert [context.as_scu for context in association.accepted_contexts] == [True]
    association.release()
