"""One receiver process: accepts associations while it is the least busy, and ends them in order.

Law: the listening socket is shared by all receiver processes. An idle process accepts at once, one with k associations
first waits k times `PATIENCE`, so that an idler one wins; at its limit it leaves the connection to the others for a
while and only then rejects. Nobody is refused while any process has room.
"""

import logging
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from dicom_scp.admission import LOCAL_LIMIT_EXCEEDED, Admission, Rejection, numeric_address, rejection_for
from dicom_scp.association import NETWORK_TIMEOUT, StoreAssociation, application_entity
from dicom_scp.command_set import StoreRequest
from dicom_scp.reception import Reception
from dicom_scp.services import Caller, Service, Services
from pacs.errors import ArchiveError
from pacs.model import Source
from storage.spool import Spool

LOG = logging.getLogger(__name__)

PATIENCE = 0.004  # seconds for each running association
LONGEST_PATIENCE = 0.1
PATIENCE_AT_LIMIT = 1.0
ASSOCIATION_LIMIT = 64  # for each process
SWITCH_INTERVAL = 0.001  # seconds; receiving threads wait for the disk more than for each other
_LOOK_AROUND = 0.25  # seconds between looks at ``stop``


class Visit:
    """One association's standing: the hospital it was admitted to, and the source of what it sends."""

    def __init__(self, spool: Spool, admit: Admission, services: Services, is_full: Callable[[], bool]) -> None:
        self._spool, self._admit, self.services, self._is_full = spool, admit, services, is_full
        self._hospital = self._calling = self._called = self._address = ""
        self._source = Source()

    def decide(self, calling: str, called: str, address: str) -> Rejection | None:
        """Whether the association is rejected, and how."""
        address = numeric_address(address)
        if self._is_full():
            return LOCAL_LIMIT_EXCEEDED
        try:
            self._hospital = self._admit(calling, called, address)
        except Exception as error:  # the edge: the peer must be answered whatever failed
            LOG.warning("association rejected: %s to %s from %s", calling, called, address)
            if not isinstance(error, ArchiveError):
                LOG.exception("admission failed")
            return rejection_for(error)
        self._calling, self._called, self._address = calling, called, address
        host = f"[{address}]" if ":" in address else address
        self._source = Source(
            source_application_entity_title=calling,
            sending_application_entity_title=calling,
            receiving_application_entity_title=called,
            source_presentation_address=f"dicom://{host}",
        )
        return None

    def caller(self, extended: Mapping[str, bytes]) -> Caller:
        """Who asks, after `decide` let it in."""
        return Caller(self._hospital, self._calling, self._called, self._address, extended)

    def receive(self, request: StoreRequest, transfer_syntax_uid: str) -> Reception:
        """A place for the data set of ``request``."""
        return Reception(
            self._spool, self._hospital, request, transfer_syntax_uid=transfer_syntax_uid, source=self._source
        )


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
        visit = Visit(self._spool, self._admit, self._services, lambda: len(self._running) > self._limit)
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
