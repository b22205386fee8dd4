"""The one sender, towards our own receiver, which takes every class, and towards DCMTK over TLS."""

import gc
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dicom_scp.requestor import Peer, peer_at
from dicom_scp.sendable import Sendable, from_archive
from dicom_scp.sending import send
from dicom_scp.tls import Tls, TlsFiles
from pacs.errors import Damaged, Misconfigured, NotAcceptable, Unavailable
from pacs.modalities import Modality, Roster
from pacs.model import Selection
from pacs.transfer_syntaxes import EXPLICIT_LE
from tests.conftest import _free_ports
from tests.dicom_scp.certificates import Authority
from tests.dicom_scp.retrieve.conftest import QUICK, SERIES, STUDY, Filled, data_sets


def made(number: int, *, encoded: Callable[[str], memoryview] | None = None, padding: int = 0) -> Sendable:
    """An instance of a private SOP class of its own."""
    sop_class, uid = f"1.2.826.0.1.3680043.9.7.{number}", f"1.2.826.0.1.3680043.9.8.{number}"

    def explicit(_: str) -> memoryview:
        values = ((0x00080016, sop_class), (0x00080018, uid), (0x0020000D, "1.2.8"), (0x0020000E, "1.2.8.1"))
        elements = [_element(tag, value) for tag, value in values]
        return memoryview(b"".join(elements) + struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, padding) + bytes(padding))

    return Sendable(sop_class, uid, (EXPLICIT_LE,), encoded or explicit)


def _element(tag: int, value: str) -> bytes:
    data = value.encode() + b"\0" * (len(value) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, b"UI", len(data)) + data


@pytest.fixture
def ourselves(filled: Filled) -> Peer:
    return Peer("PACS", "TEST", "127.0.0.1", filled.port)


def test_more_classes_than_contexts(ourselves: Peer) -> None:
    """Hundred SOP classes need more than 128 presentation contexts: they go over two associations, all of them."""
    results = list(send(ourselves, [made(number) for number in range(100)]))
    assert [sent.status for sent in results] == [0] * 100


def refused(_: str) -> memoryview:
    raise NotAcceptable("video")


def damaged(_: str) -> memoryview:
    raise Damaged("instance 1.2.3")


def crashing(_: str) -> memoryview:
    raise RuntimeError("a patient's name")


@pytest.mark.parametrize("encoded", [refused, damaged, crashing])
def test_instance_that_cannot_be_prepared_does_not_end_the_others(ourselves: Peer, encoded: Any) -> None:
    """It is answered for in its place, with a reason that holds nothing of a patient."""
    results = list(send(ourselves, [made(200), made(201, encoded=encoded), made(202)]))
    assert [sent.status for sent in results] == [0, None, 0]
    assert results[1].comment
    assert "patient" not in results[1].comment


def test_one_instance_is_prepared_ahead_and_no_more(ourselves: Peer) -> None:
    """Memory holds the instance that is sent and the next one, however many wait."""
    prepared: list[int] = []

    def counting(number: int) -> Callable[[str], memoryview]:
        def encoded(uid: str) -> memoryview:
            prepared.append(number)
            return made(number).encoded(uid)

        return encoded

    for done, _ in enumerate(send(ourselves, [made(n, encoded=counting(n)) for n in range(300, 320)]), start=1):
        time.sleep(0.01)
        assert len(prepared) <= done + 1


def test_who_stops_asking_ends_the_association(ourselves: Peer, filled: Filled) -> None:
    """A generator that is dropped leaves neither thread nor socket behind."""
    before = threading.active_count()
    sending = send(ourselves, [made(number) for number in range(400, 420)])
    next(sending)
    del sending
    gc.collect()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert threading.active_count() <= before


def test_large_instance_is_as_fast_as_the_disk_takes_it(ourselves: Peer, filled: Filled) -> None:
    """64 MiB in one instance arrive whole."""
    [sent] = send(ourselves, [made(500, padding=64 * 1024 * 1024)])
    assert sent.status == 0
    _, data_set = filled.spooled()["1.2.826.0.1.3680043.9.8.500"]
    assert data_set == made(500, padding=64 * 1024 * 1024).encoded(EXPLICIT_LE)


def test_nobody_there_is_said_before_anything(ourselves: Peer) -> None:
    """A peer that cannot be reached at all raises, so that a queue knows it is not about the instances."""
    with pytest.raises(Unavailable, match="does not answer"):
        list(send(Peer("X", "PACS", "127.0.0.1", 9), [made(1)], patience=QUICK))


@pytest.fixture
def secure_storescp(tmp_path: Path) -> Iterator[tuple[int, Path, Authority]]:
    """DCMTK's storescp over TLS that wants a certificate of our CA; its port and folder."""
    if shutil.which("storescp") is None:
        pytest.skip("storescp of DCMTK is not installed")
    authority = Authority(tmp_path / "ca")
    pair, folder = authority.issue("storescp"), tmp_path / "got"
    folder.mkdir()
    [port] = _free_ports(1)
    command: list[str | Path] = [
        "storescp",
        "+B",
        "+xa",
        "-od",
        folder,
        "+tls",
        pair.key,
        pair.certificate,
        "+cf",
        authority.ca,
        str(port),
    ]
    process = subprocess.Popen(command, env={"TCP_NODELAY": "1", "PATH": "/usr/bin:/bin"})
    time.sleep(0.5)
    yield port, folder, authority
    process.terminate()
    process.wait(10)


def known(port: int) -> Any:
    """A destination of the registry that wants TLS."""
    modality = Modality(hospital="default", ae_title="STORESCP", address="127.0.0.1", port=port, tls=True)
    return Roster({"PACS": "default"}, (modality,)).reach("default", "STORESCP")


def test_destination_over_tls(filled: Filled, secure_storescp: Any) -> None:
    """With our certificate the instances arrive byte for byte; without one of its CA nothing does."""
    port, folder, authority = secure_storescp
    selection = Selection(study_instance_uids=(STUDY,), series_instance_uids=(SERIES[0],))
    instances = [from_archive(filled.archive, "default", one) for one in filled.archive.select("default", selection)]
    ours = authority.issue("archive")
    tls = Tls(TlsFiles(ours.certificate, ours.key, authority.ca))
    assert {sent.status for sent in send(peer_at(known(port), tls), instances, patience=QUICK)} == {0}
    assert {uid: data for uid, (_, data) in data_sets(folder).items()} == {
        uid: one.data_set for uid, one in filled.originals.items() if uid.startswith(SERIES[0])
    }
    stranger = Authority(folder.parent / "other", name="Another CA")
    foreign = stranger.issue("archive")
    distrusting = Tls(TlsFiles(foreign.certificate, foreign.key, stranger.ca))
    with pytest.raises(Unavailable):
        list(send(peer_at(known(port), distrusting), instances, patience=QUICK))
    with pytest.raises(Misconfigured):
        peer_at(known(port), None)
