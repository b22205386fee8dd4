"""Asking others for Storage Commitment: a destination that keeps some, none, says it late, or was never asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.presentation import build_role
from pynetdicom.sop_class import CTImageStorage  # type: ignore[attr-defined]  # made at import

from dicom_scp.commitment import STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE
from dicom_scp.commitment_requests import CommitmentRequests
from dicom_scp.forwarding import Forwarding
from dicom_scp.normalized import told
from dicom_scp.outgoing import Outgoing
from pacs.errors import InvalidRequest, Unavailable
from pacs.forwarding import ForwardRule, Sends
from storage.index.errands import add_forward_rule, drop_forward_rule
from tests.dicom_scp.later.conftest import HOSPITAL, Whole

NO_SUCH_INSTANCE = 0x0112


class Keeper:
    """A storage and commitment SCP; ``asked``: for what, by Transaction UID, ``lost`` it does not keep."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.asked: dict[str, list[tuple[str, str]]] = {}
        self.lost: set[str] = set()
        self.status = 0x0000
        self.reports_at_once = False

    def store(self, event: Any) -> int:
        """C-STORE."""
        self.received.append(str(event.request.AffectedSOPInstanceUID))
        return 0x0000

    def action(self, event: Any) -> tuple[int, None]:
        """N-ACTION."""
        information = event.action_information
        items = information.ReferencedSOPSequence
        self.asked[information.TransactionUID] = [(i.ReferencedSOPClassUID, i.ReferencedSOPInstanceUID) for i in items]
        if self.reports_at_once:
            arguments = (event.assoc, information.TransactionUID)
            threading.Timer(0.2, self.report_on, arguments).start()
        return self.status, None

    def report_on(self, association: Any, transaction_uid: str) -> int:
        """Report on an association; the status that answers it."""
        sequences: dict[str, list[Dataset]] = {"ReferencedSOPSequence": [], "FailedSOPSequence": []}
        for sop_class, uid in self.asked[transaction_uid]:
            item = told(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=uid)
            if uid in self.lost:
                item.FailureReason = NO_SUCH_INSTANCE
            sequences["FailedSOPSequence" if uid in self.lost else "ReferencedSOPSequence"].append(item)
        information = told(TransactionUID=transaction_uid, **sequences)
        event_type = 2 if sequences["FailedSOPSequence"] else 1
        answered, _ = association.send_n_event_report(information, event_type, STORAGE_COMMITMENT, WELL_KNOWN_INSTANCE)
        return int(answered.Status)

    def report(self, port: int, transaction_uid: str, *, calling: str = "KEEPS") -> int:
        """Report on an association of its own, with the roles reversed."""
        entity = AE(calling)
        entity.add_requested_context(STORAGE_COMMITMENT)
        role = build_role(STORAGE_COMMITMENT, scp_role=True)
        association = entity.associate("127.0.0.1", port, ae_title="PACS", ext_neg=[role])
        assert association.is_established
        try:
            return self.report_on(association, transaction_uid)
        finally:
            association.release()

    @contextmanager
    def listening(self) -> Iterator[int]:
        """Listen; the port."""
        entity = AE("KEEPS")
        entity.add_supported_context(CTImageStorage)
        entity.add_supported_context(STORAGE_COMMITMENT)
        handlers: Any = [(evt.EVT_C_STORE, self.store), (evt.EVT_N_ACTION, self.action)]
        server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        assert server is not None
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@pytest.fixture
def keeper(whole: Whole) -> Iterator[Keeper]:
    """A destination, known, with a rule that asks for commitment."""
    one = Keeper()
    with one.listening() as port:
        whole.know("KEEPS", port)
        key = add_forward_rule(whole.archive.index, HOSPITAL, ForwardRule(destination="KEEPS", to_commit=True))
        yield one
        drop_forward_rule(whole.archive.index, HOSPITAL, key)
    with whole.archive.index.transaction(HOSPITAL) as connection:
        connection.execute("DELETE FROM delivery")


def forward(whole: Whole) -> None:
    """Deliver what waits."""
    Forwarding(whole.archive, whole.registry, None, stop=lambda: False).run(HOSPITAL, "KEEPS")


def ask(whole: Whole) -> CommitmentRequests:
    """Ask for what is not committed."""
    errand = CommitmentRequests(whole.archive.index, whole.registry, Outgoing(), stop=lambda: False, hold=1.5)
    errand.run(HOSPITAL, "KEEPS")
    return errand


def state(whole: Whole) -> dict[object, tuple[object, ...]]:
    """Of each delivery whether it is acknowledged and committed, and why not."""
    query = "SELECT sop_instance_uid, acknowledged_at IS NOT NULL, committed_at IS NOT NULL, reason FROM delivery"
    return {uid: (*flags,) for uid, *flags in whole.rows(query)}


def test_what_is_not_kept_is_delivered_again_until_it_is(whole: Whole, keeper: Keeper) -> None:
    """One of two instances fails, in a late report: it is sent again and asked for again, the other one is not."""
    kept, lost = (whole.filed()[1] for _ in range(2))
    forward(whole)
    keeper.lost = {lost}
    errand = ask(whole)
    (transaction,) = keeper.asked
    assert sorted(uid for _, uid in keeper.asked[transaction]) == sorted([kept, lost])
    assert errand.waiting(HOSPITAL) == []  # asked, and the report may take its time
    assert keeper.report(whole.port, transaction) == 0x0000
    assert state(whole) == {kept: (True, True, ""), lost: (False, False, "not committed: 0112")}
    keeper.lost, keeper.reports_at_once = set(), True
    forward(whole)
    assert keeper.received.count(lost) == 2
    assert keeper.received.count(kept) == 1
    assert errand.waiting(HOSPITAL) == ["KEEPS"]
    ask(whole)
    assert state(whole) == {kept: (True, True, ""), lost: (True, True, "")}
    assert [uid for _, uid in list(keeper.asked.values())[1]] == [lost]


def test_a_report_counts_only_from_whom_was_asked(whole: Whole, keeper: Keeper) -> None:
    """Another AE title cannot say that an instance is kept, nor can anybody under a Transaction UID never used."""
    _, uid = whole.filed()
    forward(whole)
    ask(whole)
    (transaction,) = keeper.asked
    assert keeper.report(whole.port, transaction, calling="OTHER") == NO_SUCH_INSTANCE
    keeper.asked["1.2.3"] = keeper.asked[transaction]
    assert keeper.report(whole.port, "1.2.3") == NO_SUCH_INSTANCE
    assert state(whole) == {uid: (True, False, "")}


def test_a_refused_request_is_made_again(whole: Whole, keeper: Keeper) -> None:
    """A destination that refuses the N-ACTION has promised nothing, and is asked again later."""
    whole.filed()
    forward(whole)
    keeper.status = 0x0213
    with pytest.raises(Unavailable, match="KEEPS answers a request for Storage Commitment with 0x0213"):
        ask(whole)
    keeper.status, keeper.reports_at_once = 0x0000, True
    assert ask(whole).waiting(HOSPITAL) == []
    assert all(committed for _, committed, _ in state(whole).values())


def test_only_instances_can_be_committed(whole: Whole) -> None:
    """Who is only notified has nothing to commit."""
    rule = ForwardRule(destination="RIS", sends=Sends.AVAILABILITY, to_commit=True)
    with pytest.raises(InvalidRequest, match="nothing to commit"):
        add_forward_rule(whole.archive.index, HOSPITAL, rule)
