"""Peers that do what no peer should, and many at once: nothing is stuck, nothing leaks, the others are unharmed."""

import random
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pynetdicom.ae import ApplicationEntity
from pynetdicom.presentation import build_context

from dicom_scp.limits import Limits, Places
from dicom_scp.proposals import Proposal
from dicom_scp.requestor import Patience, Peer, Requestor
from dicom_scp.upper_layer import associate_request
from pacs.file_meta import read_file_meta

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
VERIFICATION = "1.2.840.10008.1.1"
REQUEST = associate_request(calling="SLOW", called="PACS", contexts=[Proposal(CT, EXPLICIT_LE)], maximum_length=16384)


@pytest.fixture
def modality(pydicom_file: Any) -> Callable[[int, str], int]:
    """Sends one instance over an association of its own to a port, as an AE title; the response's status."""
    data = pydicom_file("CT_small.dcm").read_bytes()
    meta = read_file_meta(data)
    data_set = memoryview(data)[meta.data_set_offset :]
    request = store_request(meta.sop_class_uid, meta.sop_instance_uid)

    def send(port: int, calling: str) -> int:
        peer = Peer("PACS", calling, "127.0.0.1", port)
        context = Proposal(meta.sop_class_uid, meta.transfer_syntax_uid)
        with Requestor(peer, [context], patience=Patience()) as association:
            return association.store(association.contexts[context], request, data_set, 1)[0]

    return send


def store_request(sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """The command set of a C-STORE-RQ with message ID 1."""

    def element(number: int, value: bytes) -> bytes:
        return bytes(2) + number.to_bytes(2, "little") + len(value).to_bytes(4, "little") + value

    def uid(text: str) -> bytes:
        return text.encode() + b"\0" * (len(text) % 2)

    elements = b"".join(
        (
            element(0x0002, uid(sop_class_uid)),
            element(0x0100, b"\x01\x00"),
            element(0x0110, b"\x01\x00"),
            element(0x0700, b"\x00\x00"),
            element(0x0800, b"\x00\x00"),
            element(0x1000, uid(sop_instance_uid)),
        )
    )
    return element(0x0000, len(elements).to_bytes(4, "little")) + elements


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def silent(port: int, count: int, said: bytes = b"") -> list[socket.socket]:
    """Connections that say only the beginning of something."""
    connections = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(count)]
    for connection in connections:
        connection.sendall(said)
    return connections


def test_one_instance_associations_leave_nothing_behind(
    receiver: Any, modality: Callable[[int, str], int], wait_until: Any
) -> None:
    """A thousand associations with one instance each: no thread and no descriptor stays."""
    quiet = threading.active_count()
    assert modality(receiver.port, "FIRST") == 0
    wait_until(lambda: threading.active_count() <= quiet)
    before = descriptors()
    assert {modality(receiver.port, "CT1") for _ in range(1000)} == {0}
    wait_until(lambda: threading.active_count() <= quiet)
    assert descriptors() <= before
    assert receiver.half_received() == []


def test_64_associations_at_once(start: Any, modality: Callable[[int, str], int]) -> None:
    """All are let in and answered, whatever the others do."""
    receiver = start(limits=Limits(associations=64))
    statuses: list[int] = []
    peers = [threading.Thread(target=lambda n=n: statuses.append(modality(receiver.port, f"CT{n}"))) for n in range(64)]
    for peer in peers:
        peer.start()
    for peer in peers:
        peer.join(60)
    assert statuses == [0] * 64


@pytest.mark.parametrize("said", [b"", REQUEST[:1], REQUEST[:60]], ids=["nothing", "a byte", "half a request"])
def test_silent_connections_yield_to_modalities(
    start: Any, modality: Callable[[int, str], int], said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections that fill the process without asking for an association go when somebody else wants in."""
    monkeypatch.setattr("dicom_scp.receiver._MANNERS", 0.1)
    receiver = start(limits=Limits(associations=4))
    connections = silent(receiver.port, 4, said)
    time.sleep(0.3)
    assert [modality(receiver.port, "CT1") for _ in range(3)] == [0, 0, 0]
    for connection in connections:
        connection.close()


def test_a_request_that_never_ends_is_ended(start: Any, wait_until: Any) -> None:
    """Byte by byte a peer could hold its thread for ever; it has the time of ARTIM for its request, and no more."""
    receiver = start(limits=Limits(association_timeout=1.0))
    quiet = threading.active_count()
    [connection] = silent(receiver.port, 1, REQUEST[:20])
    began = time.monotonic()
    with connection:
        for number in range(20, len(REQUEST)):
            try:
                connection.sendall(REQUEST[number : number + 1])
            except OSError:  # cut off
                break
            time.sleep(0.1)
    assert time.monotonic() - began < 5
    wait_until(lambda: threading.active_count() <= quiet)


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(512),
        b"\x01\x00\xff\xff\xff\xff" + bytes(64),
        b"\x04\x00\x00\x00\x00\x0a" + bytes(10),
        b"\x00" * 4096,
        REQUEST[:6] + bytes(len(REQUEST) - 6),
        random.Random(1).randbytes(8192),  # noqa: S311  # any bytes, the same each time
    ],
    ids=["HTTP", "TLS", "4 GiB announced", "data first", "zeros", "an empty request", "noise"],
)
def test_garbage_ends_its_own_connection_only(
    receiver: Any, modality: Callable[[int, str], int], garbage: bytes, wait_until: Any
) -> None:
    """Port scanners, browsers and broken devices are cut off at once or answered with an abort."""
    quiet = threading.active_count()
    with socket.create_connection(("127.0.0.1", receiver.port), 5) as connection:
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(5)
        answer = b""
        try:
            while piece := connection.recv(4096):
                answer += piece
        except ConnectionResetError:  # cut off before it had read everything
            pass
    assert answer[:1] in {b"", b"\x03", b"\x07"}  # nothing, A-ASSOCIATE-RJ, A-ABORT
    assert modality(receiver.port, "CT1") == 0
    wait_until(lambda: threading.active_count() <= quiet)


def test_128_contexts_with_many_syntaxes(receiver: Any, modality: Callable[[int, str], int]) -> None:
    """A large A-ASSOCIATE-RQ is answered in full, and a second one beside it."""
    syntaxes = [EXPLICIT_LE, *(f"1.2.840.113619.5.{n}" for n in range(40))]
    peers = [receiver.associate(*((f"1.2.840.113619.4.{n}", syntaxes) for n in range(128))) for _ in range(2)]
    assert [len(peer.accepted_contexts) for peer in peers] == [128, 128]
    assert modality(receiver.port, "CT1") == 0


def test_one_ae_title_has_its_share(start: Any, tmp_path: Path, wait_until: Any) -> None:
    """Beyond its limit a calling AE title is told to come again; others come in, and so does it after an end."""
    receiver = start(places=Places(tmp_path / "associations.lock", 2))
    first, _second = receiver.associate(calling="CT1"), receiver.associate(calling="CT1")
    third = receiver.associate(calling="CT1")
    answer = third.acceptor.primitive
    assert (answer.result, answer.result_source, answer.diagnostic) == (2, 3, 2)
    assert receiver.associate(calling="CT2").is_established
    first.release()
    wait_until(lambda: receiver.associate(calling="CT1").is_established)


def test_places_are_counted_over_processes_and_survive_their_death(tmp_path: Path) -> None:
    """Receiver processes share the count by locks, which the kernel gives back when one is killed."""
    file = tmp_path / "associations.lock"
    holding = "import sys, time; from pathlib import Path; from dicom_scp.limits import Places; "
    holding += "print(Places(Path(sys.argv[1]), 2).take('default', 'CT1') is not None, flush=True); time.sleep(60)"
    places = Places(file, 2)
    own = places.take("default", "CT1")
    assert own is not None
    with subprocess.Popen([sys.executable, "-c", holding, file], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert places.take("default", "CT1") is None
        other_title = places.take("default", "CT2")
        assert other_title is not None
        other.kill()
    again = places.take("default", "CT1")
    assert again is not None
    for place in (own, other_title, again):
        places.give_back(place)
    assert file.stat().st_size == 0


@pytest.mark.parametrize("length", [4096, 1024 * 1024])
def test_small_and_large_pdus(start: Any, length: int) -> None:
    """An instance of several MiB arrives whole in P-DATA-TFs of 4 KiB and of 1 MiB."""
    receiver = start(limits=Limits(maximum_length=length))
    uids = {0x00080016: CT, 0x00080018: "1.2.3.4", 0x0020000D: "1.2.3", 0x0020000E: "1.2.3.5"}
    data_set = b""
    for tag, uid in uids.items():
        value = uid.encode() + b"\0" * (len(uid) % 2)
        data_set += struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, b"UI", len(value)) + value
    pixels = random.Random(2).randbytes(3 * 1024 * 1024)  # noqa: S311  # any bytes, the same each time
    data_set += struct.pack("<HH2s2xL", 0x7FE0, 0x0010, b"OW", len(pixels)) + pixels
    context = Proposal(CT, EXPLICIT_LE)
    with Requestor(Peer("PACS", "CT1", "127.0.0.1", receiver.port), [context], patience=Patience()) as association:
        request = store_request(CT, "1.2.3.4")
        assert association.store(association.contexts[context], request, memoryview(data_set), 1)[0] == 0
    assert receiver.data_sets() == [data_set]


def test_an_abort_in_the_middle_of_a_data_set_leaves_nothing(receiver: Any, wait_until: Any) -> None:
    """Half an instance is no instance; the spool is clean and the next association comes in."""
    quiet = threading.active_count()
    for _ in range(20):
        entity = ApplicationEntity("CT1")
        peer = entity.associate("127.0.0.1", receiver.port, [build_context(CT, [EXPLICIT_LE])], ae_title="PACS")
        command = store_request(CT, "1.2.3")
        item = (len(command) + 2).to_bytes(4, "big") + b"\x01\x03" + command
        part = (1002).to_bytes(4, "big") + b"\x01\x00" + bytes(1000)
        assert peer.dul.socket is not None
        assert peer.dul.socket.socket is not None
        peer.dul.socket.socket.sendall(b"\x04\x00" + len(item + part).to_bytes(4, "big") + item + part)
        peer.abort()
    wait_until(lambda: threading.active_count() <= quiet)
    assert receiver.instances() == receiver.half_received() == receiver.quarantined() == []
