"""Long answers: nothing piles up, nothing is held, and a search ends when nobody wants it any more."""

import io
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from pydicom.dataset import Dataset
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_FIND_RQ
from pynetdicom.dimse_primitives import C_FIND
from pynetdicom.dsutils import encode
from pynetdicom.pdu import P_DATA_TF

from dicom_scp.association import StoreAssociation

STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
MANY = 8000
Keys = Callable[..., Dataset]


def associated(port: int) -> Association:
    entity = ApplicationEntity("ASKER")
    entity.add_requested_context(STUDY_ROOT, "1.2.840.10008.1.2.1")
    association = entity.associate("127.0.0.1", port, ae_title="LARGE")
    assert association.is_established
    return association


def serving() -> list[StoreAssociation]:
    return [one for one in threading.enumerate() if isinstance(one, StoreAssociation)]


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_many_matches_come_each_once(peer: Any) -> None:
    """Many pages of the index are one list for the peer."""
    if shutil.which("findscu") is None:
        pytest.skip("findscu of DCMTK is not installed")
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID"]
    command = ["findscu", "-v", "-S", *keys, "-aec", "LARGE", "127.0.0.1", str(peer.port)]
    done = subprocess.run(command, check=True, capture_output=True, timeout=60)
    found = [line for line in (done.stdout + done.stderr).splitlines() if b"[1.2.9." in line]
    assert len(set(found)) == len(found) == MANY


def test_cancel_ends_a_long_search(peer: Any, keys: Keys) -> None:
    """The status of the last response says that the list is not whole."""
    association = associated(peer.port)
    responses = association.send_c_find(keys("STUDY", StudyInstanceUID=""), query_model=STUDY_ROOT, msg_id=3)
    statuses = []
    for status, _ in responses:
        statuses.append(int(status.Status))
        if len(statuses) == 10:
            association.send_c_cancel(3, query_model=STUDY_ROOT)
    association.release()
    assert statuses[-1] == 0xFE00
    assert len(statuses) < MANY


def test_who_does_not_read_holds_nothing_and_ends_when_gone(peer: Any, keys: Keys) -> None:
    """A stalled workstation costs a few messages, no connection to the database; gone, it costs nothing."""
    until(lambda: not serving())
    association = associated(peer.port)
    connection: Any = association.dul.socket.socket  # type: ignore[union-attr]  # it is connected
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    association.dul.kill_dul()  # from here on nobody reads
    association.dul.join()
    wide = keys("STUDY", StudyInstanceUID="", **{f"{name}Time": None for name in ("Study", "PatientBirth")})
    for number in range(200):  # keys that we do not know make every match two kilobytes
        wide.add_new(0x00110000 + 0x1000 + number, "LO", "")
    send_find(connection, wide)
    (served,) = serving()
    until(lambda: served.dul.to_provider_queue.qsize() > 32)
    time.sleep(0.5)
    assert served.dul.to_provider_queue.qsize() < 100
    with psycopg.connect(peer.archive.index.database_url) as asking:
        busy = asking.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state <> 'idle' AND backend_type = 'client backend'"
        ).fetchone()
    assert busy == (1,)  # this question alone
    connection.close()
    until(lambda: not serving())


def send_find(connection: socket.socket, identifier: Dataset) -> None:
    request = C_FIND()
    request.MessageID, request.Priority, request.AffectedSOPClassUID = 1, 2, STUDY_ROOT
    request.Identifier = io.BytesIO(encode(identifier, is_implicit_vr=False, is_little_endian=True) or b"")
    message = C_FIND_RQ()
    message.primitive_to_message(request)
    for primitive in message.encode_msg(1, 16384):
        pdu = P_DATA_TF()
        pdu.from_primitive(primitive)
        connection.sendall(pdu.encode())
