"""C-GET asked for by DCMTK's getscu and pynetdicom."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.presentation import build_context, build_role

from pacs.transfer_syntaxes import EXPLICIT_LE, HTJ2K_LOSSLESS_RPCL, IMPLICIT_LE
from tests.dicom_scp.retrieve.asking import (
    PATIENT_ROOT_GET,
    STUDY_ROOT_GET,
    Responses,
    identifier,
    pixels,
    tally,
)
from tests.dicom_scp.retrieve.conftest import CT, PATIENT, SERIES, STUDY, Filled, data_sets

ONE_SERIES = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES[0]}


class Getter:
    """A requestor that keeps what it gets, as it came; ``answer`` gives the status of each C-STORE."""

    def __init__(self, filled: Filled, *storage: tuple[str, list[str]], model: str, pdu: int, role: bool) -> None:
        self.got: dict[str, tuple[str, bytes]] = {}
        self.priorities: set[int] = set()
        self.statuses: list[int] = []
        self.model = model
        entity = ApplicationEntity("TEST")
        entity.maximum_pdu_size = pdu
        entity.dimse_timeout = 20
        contexts = [build_context(model), *(build_context(abstract, syntaxes) for abstract, syntaxes in storage)]
        roles: list[Any] = [build_role(abstract, scp_role=True) for abstract, _ in storage] if role else []
        self.association: Association = entity.associate(
            "127.0.0.1",
            filled.port,
            contexts,
            ae_title="PACS",
            ext_neg=roles,
            evt_handlers=[(evt.EVT_C_STORE, self._store)],
            max_pdu=pdu,
        )
        assert self.association.is_established

    def get(self, asked: Dataset) -> Responses:
        """All responses."""
        return list(self.association.send_c_get(asked, self.model, msg_id=7, priority=1))

    def _store(self, event: Any) -> int:
        request = event.request
        data_set = request.DataSet.getvalue()
        self.got[str(request.AffectedSOPInstanceUID)] = str(event.context.transfer_syntax), data_set
        self.priorities.add(request.Priority)
        return self.statuses.pop(0) if self.statuses else 0


@pytest.fixture
def getter(filled: Filled, request: Any) -> Any:
    """Opens an association for C-GET; keywords: ``model``, ``pdu``, ``role``."""
    opened: list[Getter] = []

    def begin(
        *storage: tuple[str, list[str]], model: str = STUDY_ROOT_GET, pdu: int = 16382, role: bool = True
    ) -> Getter:
        opened.append(Getter(filled, *storage or ((CT, [EXPLICIT_LE]),), model=model, pdu=pdu, role=role))
        return opened[-1]

    yield begin
    for one in opened:
        if one.association.is_established:
            one.association.release()


def test_dcmtk_gets_everything(filled: Filled, dcmtk: Any, tmp_path: Path, everything: str) -> None:
    """DCMTK takes what is uncompressed only: byte for byte where that is what came, else the same pixels."""
    done = dcmtk(
        "getscu", "-v", "-S", "+B", "-od", tmp_path, "-aec", "PACS", "-k", "QueryRetrieveLevel=STUDY",
        "-k", f"StudyInstanceUID={everything}", "127.0.0.1", filled.port,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    got = data_sets(tmp_path)
    assert got.keys() == filled.originals.keys()
    for uid, (syntax, data_set) in got.items():
        original = filled.originals[uid]
        if original.transfer_syntax_uid == syntax:
            assert data_set == original.data_set
        else:
            before = pixels(original.data_set, original.transfer_syntax_uid)
            assert before is None or np.array_equal(pixels(data_set, syntax), before)


@pytest.mark.parametrize("pdu", [4096, 16382, 1024 * 1024])
def test_data_sets_come_byte_for_byte_whatever_the_pdu(filled: Filled, getter: Any, pdu: int) -> None:
    """PDUs of 4 KiB and of 1 MiB carry the same bytes, and the priority that was asked for."""
    peer = getter(pdu=pdu)
    responses = peer.get(identifier("SERIES", **ONE_SERIES))
    assert tally(responses[-1][0]) == (0, 6, 0, 0)
    assert [one.NumberOfRemainingSuboperations for one, _ in responses[:-1]] == [5, 4, 3, 2, 1, 0]
    assert peer.got == {
        uid: (EXPLICIT_LE, one.data_set) for uid, one in filled.originals.items() if uid.startswith(SERIES[0])
    }
    assert peer.priorities == {1}


def test_stored_frames_are_taken_by_who_wants_them(filled: Filled, getter: Any) -> None:
    """A peer that takes nothing but HTJ2K gets the stored instances."""
    peer = getter((CT, [HTJ2K_LOSSLESS_RPCL]))
    responses = peer.get(identifier("SERIES", **ONE_SERIES))
    assert tally(responses[-1][0]) == (0, 6, 0, 0)
    assert {syntax for syntax, _ in peer.got.values()} == {HTJ2K_LOSSLESS_RPCL}


def test_what_can_be_made_of_anything_wins_a_context(filled: Filled, getter: Any) -> None:
    """Of several syntaxes in one context for retrieval the uncompressed one is taken: all instances fit it."""
    peer = getter((CT, ["1.2.840.10008.1.2.4.50", IMPLICIT_LE, EXPLICIT_LE]))
    assert tally(peer.get(identifier("SERIES", **ONE_SERIES))[-1][0]) == (0, 6, 0, 0)
    assert {syntax for syntax, _ in peer.got.values()} == {EXPLICIT_LE}


@pytest.mark.parametrize(
    ("storage", "role"),
    [
        ((CT, ["1.2.840.10008.1.2.4.50"]), True),
        ((CT, [EXPLICIT_LE]), False),
        (("1.2.840.10008.5.1.4.1.1.4", [EXPLICIT_LE]), True),
    ],
)
def test_nothing_in_common_fails_every_instance(getter: Any, storage: Any, *, role: bool) -> None:
    """No lossless way, no SCP role, no context for the class: all fail, each is named, the association goes on."""
    peer = getter(storage, role=role)
    for _ in range(2):
        *_, (response, failed) = peer.get(identifier("SERIES", **ONE_SERIES))
        assert tally(response) == (0xA702, 0, 6, 0)
        assert sorted(failed.FailedSOPInstanceUIDList) == [f"{SERIES[0]}.{n}" for n in range(6)]
        assert response.ErrorComment
    assert not peer.got


def test_failures_and_warnings_are_counted_and_named(filled: Filled, getter: Any) -> None:
    """The peer's answers make the tally; the final response names the failed ones and no other."""
    peer = getter()
    peer.statuses = [0, 0xA700, 0xB007, 0xC001, 0xB000]
    responses = peer.get(identifier("SERIES", **ONE_SERIES))
    assert tally(responses[-1][0]) == (0xB000, 2, 2, 2)
    assert responses[-1][1].FailedSOPInstanceUIDList == [f"{SERIES[0]}.1", f"{SERIES[0]}.3"]
    assert "NumberOfRemainingSuboperations" not in responses[-1][0]


def test_patient_root(filled: Filled, getter: Any) -> None:
    """A patient's instances by Patient ID."""
    peer = getter(model=PATIENT_ROOT_GET)
    assert tally(peer.get(identifier("PATIENT", PatientID=PATIENT))[-1][0]) == (0, 12, 0, 0)


def test_cancel_ends_between_two_instances(filled: Filled, getter: Any) -> None:
    """After a C-CANCEL nothing more is sent, and what remained is said."""
    peer = getter()
    received = threading.Event()

    def cancel() -> None:
        received.wait(10)
        peer.association.send_c_cancel(7, query_model=STUDY_ROOT_GET)

    def store(event: Any) -> int:
        peer.got[str(event.request.AffectedSOPInstanceUID)] = "", b""
        if len(peer.got) == 2:
            received.set()
            canceller.join()
        return 0

    canceller = threading.Thread(target=cancel)
    canceller.start()
    peer.association.unbind(evt.EVT_C_STORE, peer._store)
    peer.association.bind(evt.EVT_C_STORE, store)
    responses = peer.get(identifier("STUDY", StudyInstanceUID=STUDY))
    status, completed, failed, warning = tally(responses[-1][0])
    assert (status, failed, warning) == (0xFE00, 0, 0)
    assert 2 <= completed < 12
    assert responses[-1][0].NumberOfRemainingSuboperations == 12 - completed
    assert len(peer.got) == completed


def test_peer_that_vanishes_harms_nobody(filled: Filled, getter: Any) -> None:
    """One aborts in the middle of its retrieval; the next association is served as ever."""
    peer = getter()
    peer.association.dimse_timeout = 1
    peer.association.unbind(evt.EVT_C_STORE, peer._store)
    peer.association.bind(evt.EVT_C_STORE, lambda event: event.assoc.abort() or 0)
    peer.get(identifier("STUDY", StudyInstanceUID=STUDY))
    assert tally(getter().get(identifier("SERIES", **ONE_SERIES))[-1][0]) == (0, 6, 0, 0)


def test_many_at_once(filled: Filled, getter: Any) -> None:
    """Dozens of associations side by side each get their own instance, whole."""
    peers = [getter() for _ in range(64)]
    asked = identifier("IMAGE", **ONE_SERIES, SOPInstanceUID=f"{SERIES[0]}.3")
    threads = [threading.Thread(target=peer.get, args=(asked,)) for peer in peers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {f"{SERIES[0]}.3": (EXPLICIT_LE, filled.originals[f"{SERIES[0]}.3"].data_set)}
    assert [peer.got for peer in peers] == [expected] * 64


def test_one_instance_associations_by_the_hundred(filled: Filled, getter: Any) -> None:
    """A client that opens an association for each instance is served to the end, and leaves no thread behind."""
    before = threading.active_count()
    asked = identifier("IMAGE", **ONE_SERIES, SOPInstanceUID=f"{SERIES[0]}.3")
    for _ in range(100):
        peer = getter()
        assert tally(peer.get(asked)[-1][0]) == (0, 1, 0, 0)
        peer.association.release()
    assert threading.active_count() < before + 20
