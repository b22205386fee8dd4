import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pynetdicom.pdu_primitives import P_DATA

from dicom_scp.limits import Limits
from dicom_scp.sender import send
from dicom_scp.services import Service
from pacs.errors import NotAllowed, Unavailable
from pacs.file_meta import read_file_meta
from pacs.modalities import Admitted, Right, Roster

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
PRIVATE = "1.2.840.113619.4.26"
CT_SMALL = "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"


def elements(path: Path) -> dict[str, Any]:
    """All elements but trailing padding and group lengths, which DCMTK changes when it encodes the data set anew."""
    dataset = pydicom.dcmread(path)
    return {str(element.tag): element.value for element in dataset if element.tag != 0xFFFCFFFC and element.tag.element}


def test_echo_is_answered(receiver: Any, dcmtk: Any) -> None:
    """An installer's C-ECHO with the right AE title succeeds."""
    assert dcmtk("echoscu", "-aec", "PACS", "127.0.0.1", receiver.port).returncode == 0


def test_success_means_it_is_there(receiver: Any, store: Any, pydicom_file: Any, data_set_of: Any) -> None:
    """The data set lies in the spool byte for byte when the response comes."""
    data = data_set_of(pydicom_file("CT_small.dcm"))
    response = store(receiver.associate(), data, sop_class=CT, sop_instance=CT_SMALL)
    assert receiver.data_sets() == [data]
    assert (response.Status, response.MessageIDBeingRespondedTo) == (0x0000, 7)
    assert (response.AffectedSOPClassUID, response.AffectedSOPInstanceUID) == (CT, CT_SMALL)


def test_file_meta_says_where_it_came_from(receiver: Any, dcmtk: Any, pydicom_file: Any) -> None:
    """An independent sender's instance is kept with its titles and address (PS3.10 7.1)."""
    path = pydicom_file("CT_small.dcm")
    sent = dcmtk("storescu", "-aec", "PACS", "-aet", "CT1", "127.0.0.1", receiver.port, path)
    assert sent.returncode == 0, sent.stderr
    [stored] = receiver.instances()
    assert elements(stored) == elements(path)
    meta = read_file_meta(stored.read_bytes())
    assert (meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax_uid) == (CT, CT_SMALL, EXPLICIT_LE)
    assert meta.source.source_application_entity_title == "CT1"
    assert meta.source.receiving_application_entity_title == "PACS"
    assert meta.source.source_presentation_address == "dicom://127.0.0.1"
    assert receiver.half_received() == []


COMPRESSED = ["JPEG2000.dcm", "SC_rgb_jpeg_gdcm.dcm", "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_rle.dcm"]


@pytest.mark.parametrize("name", COMPRESSED)
def test_dcmtk_need_not_decompress(receiver: Any, dcmtk: Any, name: str, pydicom_file: Any) -> None:
    """DCMTK proposes each file's own syntax first, and that is the one that is taken."""
    path = pydicom_file(name)
    sent = dcmtk("dcmsend", "--decompress-never", "-aec", "PACS", "127.0.0.1", receiver.port, path)
    assert sent.returncode == 0, sent.stderr
    [stored] = receiver.instances()
    assert pydicom.dcmread(stored).file_meta.TransferSyntaxUID == pydicom.dcmread(path).file_meta.TransferSyntaxUID
    assert elements(stored) == elements(path)


@pytest.mark.parametrize("name", [*COMPRESSED, "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "image_dfl.dcm"])
def test_every_syntax_is_kept_byte_for_byte(receiver: Any, name: str, pydicom_file: Any, data_set_of: Any) -> None:
    """Big Endian, deflated and compressed data sets are stored as they came over the wire."""
    path = pydicom_file(name)
    assert [one.status for one in send([path], host="127.0.0.1", port=receiver.port, calling="T", called="PACS")] == [0]
    data_set = data_set_of(path)
    assert receiver.data_sets() == [data_set + b"\0" * (len(data_set) % 2)]  # PS3.5 A.5: a sender pads what is deflated


def test_requestors_order_is_kept_for_each_context(receiver: Any) -> None:
    """Two contexts of one SOP class with opposite orders get two different transfer syntaxes."""
    peer = receiver.associate((CT, [IMPLICIT_LE, EXPLICIT_LE]), (CT, [EXPLICIT_LE, IMPLICIT_LE]))
    assert [cx.transfer_syntax[0] for cx in peer.accepted_contexts] == [IMPLICIT_LE, EXPLICIT_LE]


def test_contexts_that_are_no_storage_are_refused(receiver: Any) -> None:
    """Query and unknown transfer syntaxes are refused one by one, and the rest of the association works."""
    study_root_find = "1.2.840.10008.5.1.4.1.2.2.1"
    peer = receiver.associate(
        (study_root_find, [EXPLICIT_LE]), (CT, ["1.2.999.1"]), (CT, [EXPLICIT_LE]), (PRIVATE, [IMPLICIT_LE])
    )
    assert [cx.result for cx in peer.rejected_contexts] == [3, 4]
    assert [cx.abstract_syntax for cx in peer.accepted_contexts] == [CT, PRIVATE]


def test_private_sop_class_is_stored(receiver: Any, store: Any, pydicom_file: Any, data_set_of: Any) -> None:
    """An instance of a class that no dictionary knows is kept like any other."""
    original = CT.encode() + b"\0"
    private = PRIVATE.encode().ljust(len(original), b"\0")
    encoded = data_set_of(pydicom_file("CT_small.dcm")).replace(original, private)
    response = store(receiver.associate((PRIVATE, [EXPLICIT_LE])), encoded, sop_class=PRIVATE, sop_instance=CT_SMALL)
    assert response.Status == 0x0000
    assert receiver.data_sets() == [encoded]


@pytest.mark.parametrize("announced", [("1.2.840.10008.5.1.4.1.1.4", CT_SMALL), (CT, "1.2.3.4")])
def test_contradiction_is_0xa900_and_kept_aside(
    receiver: Any, store: Any, pydicom_file: Any, data_set_of: Any, announced: tuple[str, str]
) -> None:
    """Command set and data set must name one instance; else the bytes wait in quarantine for a person."""
    sop_class, sop_instance = announced
    peer = receiver.associate((sop_class, [EXPLICIT_LE]))
    response = store(peer, data_set_of(pydicom_file("CT_small.dcm")), sop_class=sop_class, sop_instance=sop_instance)
    assert response.Status == 0xA900
    assert 0 < len(response.ErrorComment) <= 64
    assert (response.AffectedSOPClassUID, response.AffectedSOPInstanceUID) == (sop_class, sop_instance)
    assert (receiver.instances(), receiver.half_received(), len(receiver.quarantined())) == ([], [], 1)


@pytest.mark.parametrize("garbage", [bytes(1000), b"<html>not DICOM at all</html>" * 40])
def test_garbage_is_0xc000_and_kept_aside(receiver: Any, store: Any, garbage: bytes) -> None:
    """What cannot be parsed is not lost either, and the association goes on."""
    peer = receiver.associate()
    assert store(peer, garbage, sop_class=CT, sop_instance="1.2.3").Status == 0xC000
    assert (receiver.instances(), receiver.half_received(), len(receiver.quarantined())) == ([], [], 1)
    assert peer.is_established


def test_full_spool_is_0xa700_and_nothing_is_written(
    start: Any, store: Any, pydicom_file: Any, data_set_of: Any
) -> None:
    """Below the free-space floor the fragments are swallowed, and the modality keeps the instance in its queue."""
    receiver = start(free_floor=1 << 60)
    peer = receiver.associate()
    data = data_set_of(pydicom_file("CT_small.dcm"))
    for _ in range(2):
        assert store(peer, data, sop_class=CT, sop_instance=CT_SMALL).Status == 0xA700
    assert [path for path in receiver.folder.rglob("*") if path.is_file()] == []


def test_class_that_is_not_storage_is_0x0122(receiver: Any, store: Any) -> None:
    """A C-STORE of a query class on a storage context is answered, not stored."""
    find = "1.2.840.10008.5.1.4.1.2.2.1"
    assert store(receiver.associate(), b"\0" * 64, sop_class=find, sop_instance="1.2.3").Status == 0x0122


def test_same_instance_twice_is_one_file(receiver: Any, store: Any, pydicom_file: Any, data_set_of: Any) -> None:
    """A modality that repeats itself is answered success, and nothing is stored twice."""
    peer, data = receiver.associate(), data_set_of(pydicom_file("CT_small.dcm"))
    assert [store(peer, data, sop_class=CT, sop_instance=CT_SMALL).Status for _ in range(3)] == [0, 0, 0]
    assert receiver.data_sets() == [data]


def send_fragment(peer: Any, context_id: int, fragment: bytes) -> None:
    primitive = P_DATA()
    primitive.presentation_data_value_list.append((context_id, fragment))
    peer.dul.send_pdu(primitive)


STORE_RQ = b"".join(
    [
        bytes.fromhex("0000 0200 1a000000") + CT.encode() + b"\0",
        bytes.fromhex("0000 0001 02000000 0100 0000 1001 02000000 0700 0000 0008 02000000 0000"),
        bytes.fromhex("0000 0010 06000000") + b"1.2.3\0",
    ]
)


def test_store_without_data_set_is_answered(receiver: Any) -> None:
    """The request says that nothing follows: waiting for a data set would hang the association."""
    peer = receiver.associate()
    peer._reactor_checkpoint.clear()
    send_fragment(
        peer, 1, b"\x03" + STORE_RQ.replace(bytes.fromhex("0008 02000000 0000"), bytes.fromhex("0008 02000000 0101"))
    )
    assert peer.dimse.get_msg(block=True)[1].Status == 0xC000
    peer._reactor_checkpoint.set()


@pytest.mark.parametrize("size", [1000, 10 * 1024 * 1024])
def test_abort_in_mid_data_set_leaves_nothing(receiver: Any, wait_until: Any, size: int) -> None:
    """Half an instance is no instance, whether it is still in memory or already a file."""
    peer = receiver.associate()
    send_fragment(peer, 1, b"\x03" + STORE_RQ)
    for _ in range(max(size // 100_000, 1)):
        send_fragment(peer, 1, b"\x00" + bytes(min(size, 100_000)))
    if size > 1000:
        wait_until(receiver.half_received)
    peer.abort()
    receiver.end()
    assert (receiver.instances(), receiver.half_received(), receiver.quarantined()) == ([], [], [])


def test_connection_lost_in_mid_data_set_leaves_nothing(receiver: Any, wait_until: Any) -> None:
    """A pulled cable is an abort without the word."""
    peer = receiver.associate()
    send_fragment(peer, 1, b"\x03" + STORE_RQ)
    for _ in range(100):
        send_fragment(peer, 1, b"\x00" + bytes(100_000))
    wait_until(receiver.half_received)
    with peer.dul.socket.socket as cable:
        cable.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: not receiver.half_received())
    assert receiver.instances() == []


@pytest.mark.parametrize(
    "fragments",
    [[b""], [b"\x03nonsense"], [b"\x03" + STORE_RQ, b"\x03" + STORE_RQ], [b"\x01" + bytes(40_000)] * 3],
    ids=["empty", "no command set", "command in a data set", "endless command set"],
)
def test_message_without_sense_is_aborted(receiver: Any, wait_until: Any, dcmtk: Any, fragments: list[bytes]) -> None:
    """A peer that breaks the protocol loses its association; the receiver goes on."""
    peer = receiver.associate()
    for fragment in fragments:
        send_fragment(peer, 1, fragment)
    wait_until(lambda: peer.is_aborted)
    assert dcmtk("echoscu", "-aec", "PACS", "127.0.0.1", receiver.port).returncode == 0
    assert receiver.half_received() == []


def test_context_that_was_refused_is_aborted(receiver: Any, wait_until: Any) -> None:
    """Nothing may come over a presentation context that was not accepted."""
    peer = receiver.associate((CT, [EXPLICIT_LE]), (CT, ["1.2.999.1"]))
    send_fragment(peer, 3, b"\x03" + STORE_RQ)
    wait_until(lambda: peer.is_aborted)


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\n\r\n", b"\x01\x00\xff\xff\xff\xff", b""])
def test_noise_on_the_port_does_no_harm(receiver: Any, dcmtk: Any, noise: bytes) -> None:
    """Health checks, port scans and forged lengths are hung up on, and not waited for."""
    with socket.create_connection(("127.0.0.1", receiver.port), 5) as connection:
        connection.sendall(noise)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(10)
        while connection.recv(1024):
            pass
    assert dcmtk("echoscu", "-aec", "PACS", "127.0.0.1", receiver.port).returncode == 0


def rejected(peer: Any) -> tuple[int, int, int]:
    assert peer.is_rejected
    answer = peer.acceptor.primitive
    return answer.result, answer.result_source, answer.diagnostic


def test_wrong_called_title_is_rejected(receiver: Any) -> None:
    """Reason 7 tells the installer which of the two titles is wrong."""
    assert rejected(receiver.associate(called="OTHER")) == (1, 1, 7)


def test_rejections_of_the_registry(start: Any) -> None:
    """Unknown calling titles and a registry that is away are told apart: the second is worth another try."""

    def admit(calling: str, called: str, address: str) -> Admitted:
        assert (called, address) == ("PACS", "127.0.0.1")
        if calling == "DOWN":
            raise Unavailable
        raise NotAllowed(calling)

    receiver = start(admit=admit)
    assert rejected(receiver.associate(calling="NOBODY")) == (1, 1, 3)
    assert rejected(receiver.associate(calling="DOWN")) == (2, 3, 1)


def test_who_may_not_store_is_told_so(start: Any, store: Any, pydicom_file: Any, data_set_of: Any) -> None:
    """A workstation without the right gets 0x0124 for its instance, which is not kept; the association goes on."""
    receiver = start(admit=lambda *_: Admitted("default", frozenset({Right.QUERY})))
    peer = receiver.associate((CT, [EXPLICIT_LE]), (VERIFICATION, [EXPLICIT_LE]))
    response = store(peer, data_set_of(pydicom_file("CT_small.dcm")), sop_class=CT, sop_instance=CT_SMALL)
    assert response.Status == 0x0124
    assert receiver.instances() == receiver.half_received() == []
    assert peer.send_c_echo().Status == 0


def test_services_without_the_right_are_rejected(start: Any) -> None:
    """A presentation context of a service that the caller may not use is rejected by the user, not called unknown."""
    worklist, find = "1.2.840.10008.5.1.4.31", "1.2.840.10008.5.1.4.1.2.2.1"
    services = [Service(Right.WORKLIST, (worklist,), {}), Service(Right.QUERY, (find,), {})]
    receiver = start(admit=lambda *_: Admitted("default", frozenset({Right.QUERY})), services=services)
    peer = receiver.associate((worklist, [EXPLICIT_LE]), (find, [EXPLICIT_LE]))
    assert [cx.abstract_syntax for cx in peer.accepted_contexts] == [find]
    assert [(cx.abstract_syntax, cx.result) for cx in peer.rejected_contexts] == [(worklist, 1)]


def test_beyond_the_limit_is_transient(start: Any) -> None:
    """Local limit exceeded: come again; and when there is room again, one is let in."""
    receiver = start(limits=Limits(associations=2))
    first, second = receiver.associate(), receiver.associate()
    assert first.is_established
    assert second.is_established
    assert rejected(receiver.associate()) == (2, 3, 2)
    first.release()
    assert receiver.associate().is_established


def test_stop_lets_a_sender_finish(start: Any, store: Any, pydicom_file: Any, data_set_of: Any) -> None:
    """Stopping refuses new associations, not the instances of running ones."""
    receiver = start(grace=10.0)
    peer = receiver.associate()
    receiver.stop.set()
    assert store(peer, data_set_of(pydicom_file("CT_small.dcm")), sop_class=CT, sop_instance=CT_SMALL).Status == 0
    peer.release()
    receiver.thread.join(3)
    assert not receiver.thread.is_alive()


def test_stop_ends_an_association_that_does_not_end(start: Any, wait_until: Any) -> None:
    """After the grace the peer gets an abort, and the process can go."""
    receiver = start(grace=0.2)
    peer = receiver.associate()
    with socket.create_connection(("127.0.0.1", receiver.port), 5):
        receiver.stop.set()
        wait_until(lambda: peer.is_aborted)
        receiver.thread.join(5)
        assert not receiver.thread.is_alive()


def test_128_contexts_are_negotiated_at_once(receiver: Any) -> None:
    """Workstations propose all they know."""
    classes = [f"1.2.840.113619.4.{n}" for n in range(128)]
    peer = receiver.associate(*[(uid, [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE]) for uid in classes])
    assert len(peer.accepted_contexts) == 128


def test_other_hospital_has_its_own_spool(
    start: Any, store: Any, pydicom_file: Any, data_set_of: Any, tmp_path: Path
) -> None:
    """The called AE title decides whose instance it is."""
    receiver = start(admit=partial(Roster({"PACS": "default", "TINH2": "tinh2"}).admit, trust_local=True))
    peer = receiver.associate(called="TINH2")
    assert store(peer, data_set_of(pydicom_file("CT_small.dcm")), sop_class=CT, sop_instance=CT_SMALL).Status == 0
    assert receiver.instances() == []
    receiver.hospital = "tinh2"
    assert len(receiver.instances()) == 1


def test_new_syntaxes_are_kept(receiver: Any, corpus_files: Callable[[str], list[Path]], data_set_of: Any) -> None:
    """JPEG XL and video are kept although most software does not know them."""
    files = [path for name in ("jpeg-xl-*", "made-video-*") for path in corpus_files(f"syntaxes/{name}")]
    if not files:
        pytest.skip("the corpus is absent")
    sent = send(files, host="127.0.0.1", port=receiver.port, calling="T", called="PACS")
    assert [one.status for one in sent] == [0] * len(files)
    assert sorted(receiver.data_sets()) == sorted(map(data_set_of, files))


def test_dcmtk_peer_with_many_files(
    receiver: Any, dcmtk: Any, corpus_files: Callable[[str], list[Path]], pydicom_file: Any
) -> None:
    """A whole series over one association arrives whole."""
    files = corpus_files("ct/ge-hispeed-head-*")[:20] or [pydicom_file("CT_small.dcm")]
    sent = dcmtk("dcmsend", "--decompress-never", "-aec", "PACS", "127.0.0.1", receiver.port, *files)
    assert sent.returncode == 0, sent.stderr
    assert len(receiver.instances()) == len(files)
