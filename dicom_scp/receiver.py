"""One receiver process: accepts associations while it is the least busy, and ends them in order.

Law: the listening sockets are shared by all receiver processes. An idle process accepts at once, one with k
associations first waits k times `PATIENCE`, so that an idler one wins; at its limit it leaves the connection to the
others for a while and only then rejects. Nobody is refused while any process has room. Nothing here waits for a peer:
a connection that asks for nothing (a scan, a slow attack, a half-open TLS hand-shake) has a thread of its own until
`Limits.association_timeout`, and yields to the next one sooner when the process is full.
"""

import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Sequence

from dicom_scp.admission import Admission
from dicom_scp.association import StoreAssociation, application_entity
from dicom_scp.limits import DEFAULT_LIMITS, Limits, Places
from dicom_scp.services import Service, Services
from dicom_scp.tls import Tls
from dicom_scp.visit import Desk, Visit
from storage.spool import Spool

PATIENCE = 0.004  # seconds for each running association
LONGEST_PATIENCE = 0.1
PATIENCE_AT_LIMIT = 1.0
SWITCH_INTERVAL = 0.001  # seconds; receiving threads wait for the disk more than for each other
_LOOK_AROUND = 0.25  # seconds between looks at ``stop``
_MANNERS = 2.0  # seconds in which whoever connects asks for an association, unless it has none

Secured = tuple[socket.socket, Tls]


class Receiver:
    """The associations of this process; ``secured`` is a second listening socket, for TLS."""

    def __init__(self, listener: socket.socket, desk: Desk, limits: Limits, secured: Secured | None) -> None:
        self._desk, self._limits = desk, limits
        self._doors: dict[int, tuple[socket.socket, Tls | None]] = {listener.fileno(): (listener, None)}
        if secured is not None:
            self._doors[secured[0].fileno()] = secured
        self._running: set[StoreAssociation] = set()
        self._entity = application_entity(limits)
        for door, _ in self._doors.values():
            door.setblocking(False)  # an idler process may take the connection while this one waits

    def serve(self, stop: threading.Event) -> None:
        """Accept until ``stop``."""
        poll = select.poll()
        for descriptor in self._doors:
            poll.register(descriptor, select.POLLIN)
        while not stop.is_set():
            knocking = poll.poll(_LOOK_AROUND * 1000)
            self._end_silent(self._limits.association_timeout + 1)  # after pynetdicom's own, politer end
            if not knocking:
                continue
            time.sleep(self._patience())
            for descriptor, _ in knocking:
                self._accept(*self._doors[descriptor])

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
        return PATIENCE_AT_LIMIT if running >= self._limits.associations else min(running * PATIENCE, LONGEST_PATIENCE)

    def _accept(self, door: socket.socket, tls: Tls | None) -> None:
        try:
            connection, _ = door.accept()
        except BlockingIOError:  # taken by another process
            return
        except OSError:  # gone again; or no descriptor is left, and asking at once would be a busy loop
            time.sleep(PATIENCE)
            return
        if len(self._running) >= self._limits.associations:
            self._end_silent(_MANNERS)
        try:
            self._start(connection, tls)
        except (OSError, RuntimeError):  # the peer has gone before we began; no thread is left
            connection.close()

    def _start(self, connection: socket.socket, tls: Tls | None) -> None:
        connection.setblocking(True)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a response must not wait 40 ms for an ACK
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # of a blocking call, so that one call reads a whole PDU
        timeout = struct.pack("@ll", int(self._limits.idle_timeout), 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
        if tls is not None:  # hands are shaken on the association's own thread
            connection = tls.server().wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        visit = Visit(
            self._desk,
            is_secure=tls is not None,
            is_full=lambda: len(self._running) > self._limits.associations,
        )
        association = StoreAssociation(self._entity, self._limits, connection, host=visit, ended=self._running.discard)
        self._running.add(association)
        try:
            association.start()
        except RuntimeError:
            self._running.discard(association)
            raise

    def _end_silent(self, seconds: float) -> None:
        """End the connections that asked for no association within ``seconds``."""
        eldest = time.monotonic() - seconds
        for association in list(self._running):
            if association.born < eldest and not association.has_asked:
                association.cut()
                self._running.discard(association)  # its thread ends in a moment; the place is free now

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
    secured: Secured | None = None,
    limits: Limits = DEFAULT_LIMITS,
    places: Places | None = None,
    grace: float = 10.0,
) -> None:
    """Receive into ``spool`` and answer ``services`` until ``stop`` is set.

    Associations then have ``grace`` seconds to finish. The listening sockets are shared with other processes and left
    open; ``places`` counts the associations of each calling AE title over all of them.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    receiver = Receiver(listener, Desk(spool, admit, Services(services), places), limits, secured)
    receiver.serve(stop)
    receiver.end(grace)
