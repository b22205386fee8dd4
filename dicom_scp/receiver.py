"""One receiver process: accepts associations while it is the least busy, and ends them in order.

Law: the listening socket is shared by all receiver processes. An idle process accepts at once, one with k associations
first waits k times `PATIENCE`, so that an idler one wins; at its limit it leaves the connection to the others for a
while and only then rejects. Nobody is refused while any process has room.
"""

import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Sequence

from dicom_scp.admission import Admission
from dicom_scp.association import NETWORK_TIMEOUT, StoreAssociation, application_entity
from dicom_scp.services import Service, Services
from dicom_scp.visit import Visit
from storage.spool import Spool

PATIENCE = 0.004  # seconds for each running association
LONGEST_PATIENCE = 0.1
PATIENCE_AT_LIMIT = 1.0
ASSOCIATION_LIMIT = 64  # for each process
SWITCH_INTERVAL = 0.001  # seconds; receiving threads wait for the disk more than for each other
_LOOK_AROUND = 0.25  # seconds between looks at ``stop``


class Receiver:
    """The associations of this process."""

    def __init__(
        self, listener: socket.socket, spool: Spool, admit: Admission, services: Services, *, limit: int
    ) -> None:
        self._listener, self._spool, self._admit, self._limit = listener, spool, admit, limit
        self._services = services
        self._running: set[StoreAssociation] = set()
        self._entity = application_entity()
        self._listener.setblocking(False)  # an idler process may take the connection while this one waits

    def serve(self, stop: threading.Event) -> None:
        """Accept until ``stop``."""
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        while not stop.is_set():
            if not poll.poll(_LOOK_AROUND * 1000):
                continue
            time.sleep(self._patience())
            try:
                connection, _ = self._listener.accept()
            except OSError:  # taken by another process, or gone again
                continue
            try:
                self._start(connection)
            except OSError:  # the peer has gone before we began
                connection.close()

    def end(self, grace: float) -> None:
        """Let associations finish for ``grace`` seconds, then abort them."""
        self._wait_for_end(grace)
        for association in list(self._running):
            if association.is_established:  # before that the state machine knows no abort from our side
                association.abort(block=False)
        self._wait_for_end(0.5)
        for association in list(self._running):
            association.cut()
        self._wait_for_end(2.0)

    def _patience(self) -> float:
        running = len(self._running)
        return PATIENCE_AT_LIMIT if running >= self._limit else min(running * PATIENCE, LONGEST_PATIENCE)

    def _start(self, connection: socket.socket) -> None:
        connection.setblocking(True)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a response must not wait 40 ms for an ACK
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        timeout = struct.pack("@ll", NETWORK_TIMEOUT, 0)  # of a blocking call, so that one call reads a whole PDU
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
        visit = Visit(self._spool, self._admit, self._services, lambda _calling: len(self._running) > self._limit)
        association = StoreAssociation(self._entity, connection, host=visit, ended=self._running.discard)
        self._running.add(association)
        association.start()

    def _wait_for_end(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._running and time.monotonic() < deadline:
            time.sleep(0.02)


def run_receiver(
    listener: socket.socket,
    spool: Spool,
    admit: Admission,
    stop: threading.Event,
    *,
    services: Sequence[Service] = (),
    limit: int = ASSOCIATION_LIMIT,
    grace: float = 10.0,
) -> None:
    """Receive into ``spool`` and answer ``services`` until ``stop`` is set.

    Associations then have ``grace`` seconds to finish. ``listener`` is shared with other processes and left open;
    ``limit`` is of associations in this process.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    receiver = Receiver(listener, spool, admit, Services(services), limit=limit)
    receiver.serve(stop)
    receiver.end(grace)
