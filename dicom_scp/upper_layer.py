"""pynetdicom as acceptor, without its polling, copying and decoding.

Law: all knowledge of pynetdicom's inside is in this file, and tests/dicom_scp/test_upper_layer.py fails loudly when
pynetdicom changes under it. The state machine, the PDUs and every service but C-STORE stay pynetdicom's. What differs:

- `Connection` and `Reactor` sleep until there is something to do; pynetdicom's two threads for each association wake a
  thousand times a second each.
- `Messages` gives each fragment of a C-STORE to a `Reception` while it is read from the socket, on the same thread.
  So a data set is never in memory as a whole, and a peer cannot send faster than the disk takes it.
- `Negotiation` follows the requestor's order (see `dicom_scp.negotiation`).
"""

import contextlib
import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Protocol

from pynetdicom import _config
from pynetdicom.acse import ACSE
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AddressInformation, AssociationSocket

from dicom_scp.admission import Rejection
from dicom_scp.command_set import StoreRequest, read_command_set, store_request, store_response
from dicom_scp.negotiation import Result, negotiate
from dicom_scp.reception import Reception

LOG = logging.getLogger(__name__)

MAXIMUM_LENGTH = 128 * 1024  # of a P-DATA-TF we announce (PS3.8 D.1); also what DCMTK sends at most
_LONGEST_PDU = 1024 * 1024  # more than any A-ASSOCIATE-RQ; a forged length must not take memory
_LONGEST_COMMAND_SET = 64 * 1024
_SLEEP = 0.5  # seconds between looks at pynetdicom's timers when nothing happens
_INVALID_PDU = "Evt19"  # PS3.8 Table 9-10: unrecognized or invalid PDU received, answered with A-ABORT

_config.LOG_HANDLER_LEVEL = "none"  # its handlers format every PDU and message for a log nobody reads


class Host(Protocol):
    """What an association asks of the archive."""

    def decide(self, calling: str, called: str, address: str) -> Rejection | None:
        """Whether the association is rejected, and how."""
        ...

    def receive(self, request: StoreRequest, transfer_syntax_uid: str) -> Reception:
        """A place for the data set of ``request``."""
        ...


class Connection(AssociationSocket):  # type: ignore[misc]  # pynetdicom is untyped
    """A peer's socket, waited for instead of polled, read in whole PDUs instead of 4 KiB."""

    def __init__(self, association: "StoreAssociation", connection: socket.socket) -> None:
        self._bell, self._button = socket.socketpair()
        self._button.setblocking(False)
        super().__init__(association, client_socket=connection)
        self._poll = select.poll()  # not select(): that fails from descriptor 1024 on
        self._poll.register(connection, select.POLLIN)
        self._poll.register(self._bell, select.POLLIN)

    def wake(self) -> None:
        """Make `ready` return, because there is something to send or to end."""
        with contextlib.suppress(OSError):  # full: it is awake already; closed: it has ended
            self._button.send(b"\0")

    @property
    def ready(self) -> bool:
        """Whether the peer sent something; waits a while for it."""
        if self.socket is None or not self._is_connected:
            time.sleep(0.001)  # the reactor is about to end, and would spin until then
            return False
        awake = {descriptor for descriptor, _ in self._poll.poll(_SLEEP * 1000)}
        if self._bell.fileno() in awake:
            self._bell.recv(4096)
            awake.discard(self._bell.fileno())
        return bool(awake)

    def recv(self, nr_bytes: int) -> bytearray:
        """Read ``nr_bytes``, fewer when the peer closes; raises OSError for a length that no PDU has."""
        if nr_bytes > _LONGEST_PDU:
            raise OSError(f"a PDU of {nr_bytes} bytes is announced")
        data = bytearray(nr_bytes)
        rest = memoryview(data)
        while rest:
            count = self.socket.recv_into(rest, 0, socket.MSG_WAITALL)
            if not count:
                return data[: nr_bytes - len(rest)]
            rest = rest[count:]
        return data

    def _shutdown_socket(self) -> None:
        super()._shutdown_socket()
        if self.assoc.requestor.primitive is None:
            # A port scan or health check closes without A-ASSOCIATE-RQ: the association would wait its 30 s for one.
            self.assoc.dul.to_user_queue.put(None)

    def cut(self) -> None:
        """Make every waiting read and write return."""
        if self.socket is not None:
            with contextlib.suppress(OSError):  # closed meanwhile
                self.socket.shutdown(socket.SHUT_RDWR)

    def discard(self) -> None:
        """Close all that is still open."""
        for end in (self._bell, self._button):
            end.close()
        if self.socket is not None:
            self.socket.close()


class Reactor(DULServiceProvider):  # type: ignore[misc]  # pynetdicom is untyped
    """The DUL thread, awake only when there is something to do."""

    def __init__(self, association: "StoreAssociation") -> None:
        super().__init__(association)
        self._run_loop_delay = 0  # `Connection.ready` waits instead
        self.daemon = True  # a stuck peer must not keep the process alive

    def send_pdu(self, primitive: object) -> None:
        """Queue ``primitive`` and wake up to send it."""
        super().send_pdu(primitive)
        self.socket.wake()

    def kill_dul(self) -> None:
        """End the thread soon."""
        super().kill_dul()
        self.socket.wake()

    def stop_dul(self) -> bool:
        """End the thread when its connection is closed; whether it was."""
        if self.state_machine.current_state != "Sta1":
            return False
        self.kill_dul()
        self.join()
        return True


class Checkpoint(threading.Event):
    """The point that pynetdicom's association loop passes once a round: held there until there is news."""

    def __init__(self) -> None:
        super().__init__()
        self._news = threading.Semaphore(0)

    def ring(self, *_: object) -> None:
        """Let one round happen."""
        self._news.release()

    def set(self) -> None:
        """Open the checkpoint, and let one round happen to see it."""
        super().set()
        self.ring()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for news, then for the checkpoint to be open."""
        self._news.acquire(timeout=_SLEEP)
        return super().wait(timeout)


class Negotiation(ACSE):  # type: ignore[misc]  # pynetdicom is untyped
    """Admission and presentation contexts; no extended negotiation, which leaves the defaults (PS3.7 D.3.3)."""

    def negotiate_association(self) -> None:
        """Answer the A-ASSOCIATE-RQ."""
        request = self.requestor.primitive
        rejection = self.assoc.host.decide(
            request.calling_ae_title.strip(), request.called_ae_title.strip(), self.requestor.address
        )
        if rejection is not None:
            self.send_reject(*rejection)
            self.assoc.kill()
            return
        contexts = [_answered(proposed) for proposed in request.presentation_context_definition_list]
        self.assoc._accepted_cx = {cx.context_id: cx for cx in contexts if cx.result == Result.ACCEPTANCE}
        self.assoc._rejected_cx = [cx for cx in contexts if cx.result != Result.ACCEPTANCE]
        self.send_accept()
        self.assoc.is_established = True


def _answered(proposed: PresentationContext) -> PresentationContext:
    answer = negotiate(proposed.abstract_syntax, tuple(proposed.transfer_syntax))
    context = PresentationContext()
    context.context_id = proposed.context_id
    context.abstract_syntax = proposed.abstract_syntax
    context.transfer_syntax = [answer.transfer_syntax_uid]
    context.result = int(answer.result)
    context._as_scu, context._as_scp = False, True
    return context


class Messages(DIMSEServiceProvider):  # type: ignore[misc]  # pynetdicom is untyped
    """DIMSE messages; C-STORE is received and answered right here, on the thread that reads the socket."""

    def __init__(self, association: "StoreAssociation") -> None:
        super().__init__(association)
        self._command_set = bytearray()
        self._request: tuple[int, StoreRequest] | None = None
        self._reception: Reception | None = None

    @property
    def receiving(self) -> bool:
        """Whether a data set is half received."""
        return self._reception is not None

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the fragments of one P-DATA-TF (PS3.8 Annex E.2)."""
        try:
            for context_id, fragment in primitive.presentation_data_value_list:
                self._take(context_id, fragment)
        except Exception:  # pynetdicom's thread would die of it, and the peer wait for ever
            LOG.warning("association aborted: its message makes no sense", exc_info=True)
            self.discard()
            self.dul.event_queue.put(_INVALID_PDU)

    def discard(self) -> None:
        """Forget a data set that will not be completed."""
        reception, self._reception = self._reception, None
        if reception is not None:
            reception.discard()

    def _take(self, context_id: int, fragment: bytes) -> None:
        is_command, is_last = fragment[0] & 1, fragment[0] & 2
        if is_command:
            self._take_command(context_id, fragment, is_last=bool(is_last))
        elif self._reception is None:
            self._pass_on(context_id, fragment)
        else:
            self._reception.write(memoryview(fragment)[1:])
            if is_last:
                self._answer()

    def _take_command(self, context_id: int, fragment: bytes, *, is_last: bool) -> None:
        self._command_set += fragment[1:]
        if self._reception is not None or len(self._command_set) > _LONGEST_COMMAND_SET:
            raise ValueError("a command set where none can be")
        if not is_last:
            return
        command_set, self._command_set = bytes(self._command_set), bytearray()
        request = store_request(read_command_set(command_set))
        if request is None:
            self._pass_on(context_id, b"\x03" + command_set)
            return
        accepted = self.assoc._accepted_cx[context_id]
        self._request = context_id, request
        self._reception = self.assoc.host.receive(request, str(accepted.transfer_syntax[0]))
        if not request.with_data_set:
            self._answer()

    def _pass_on(self, context_id: int, fragment: bytes) -> None:
        super().receive_primitive(_p_data(context_id, fragment))

    def _answer(self) -> None:
        assert self._request is not None and self._reception is not None  # noqa: S101, PT018  # for mypy
        context_id, request = self._request
        reception, self._reception = self._reception, None
        response = store_response(request, *reception.finish())
        size = max(self.maximum_pdu_size - 6, 1) if self.maximum_pdu_size else len(response)
        for at in range(0, len(response), size):
            part = response[at : at + size]
            control = b"\x03" if at + size >= len(response) else b"\x01"
            # Not send_pdu: this is the thread that it would wake.
            self.dul.to_provider_queue.put(_p_data(context_id, control + part))


class StoreAssociation(Association):  # type: ignore[misc]  # pynetdicom is untyped
    """One association with a peer that sends; a thread (and pynetdicom's second one) of its own."""

    def __init__(
        self,
        entity: ApplicationEntity,
        connection: socket.socket,
        *,
        host: Host,
        ended: Callable[["StoreAssociation"], None],
    ) -> None:
        super().__init__(entity, "acceptor")
        self.host, self._ended = host, ended
        self.acse, self.dul, self.dimse = Negotiation(self), Reactor(self), Messages(self)
        self.acse_timeout, self.network_timeout = entity.acse_timeout, entity.network_timeout  # sets the new timers
        self._reactor_checkpoint = Checkpoint()
        self._reactor_checkpoint.set()
        for inbox in (self.dul.to_user_queue, self.dimse.msg_queue):
            inbox.put = _ringing(inbox.put, self._reactor_checkpoint.ring)
        self.set_socket(Connection(self, connection))
        self.acceptor.maximum_length = MAXIMUM_LENGTH
        self.acceptor.ae_title = entity.ae_title
        self.requestor.address_info = AddressInformation.from_tuple(connection.getpeername())

    def cut(self) -> None:
        """End without a word, when the peer does not even answer an abort."""
        self._kill = True
        self.dul.socket.cut()
        self._reactor_checkpoint.set()

    def run_reactor(self) -> None:
        """pynetdicom's whole association, and then nothing left open or half received."""
        try:
            super().run_reactor()
        finally:
            self.dul.kill_dul()
            self.dul.join()
            self.dimse.discard()
            self.dul.socket.discard()
            self._ended(self)


def _p_data(context_id: int, fragment: bytes) -> P_DATA:
    primitive = P_DATA()
    primitive.presentation_data_value_list.append((context_id, fragment))
    return primitive


def _ringing(put: Callable[..., None], ring: Callable[[], None]) -> Callable[..., None]:
    def put_and_ring(item: object) -> None:
        put(item)
        ring()

    return put_and_ring
