"""An association as acceptor: pynetdicom's, but C-STORE goes to the disk while it is read from the socket.

Law: knows pynetdicom's inside, as `acceptance` and `transport` do; tests/dicom_scp/test_pynetdicom.py fails loudly
when that changes under us. The state machine, the PDUs and every service but C-STORE stay pynetdicom's. A C-STORE is
received and answered on the thread that reads the socket: a data set is never in memory as a whole, and a peer cannot
send faster than the disk takes it.
"""

import logging
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from pynetdicom import _config
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AddressInformation

from dicom_scp.acceptance import Host, Negotiation
from dicom_scp.command_set import StoreRequest, read_command_set, store_request, store_response
from dicom_scp.exchange import Exchange
from dicom_scp.fragments import COMMAND, LAST, fragment_size, fragments
from dicom_scp.limits import Limits
from dicom_scp.reception import Reception
from dicom_scp.secure_transport import SecureConnection
from dicom_scp.transport import Checkpoint, Connection, Inbox, Reactor
from pacs.errors import NotAllowed, Unreadable
from pacs.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

LOG = logging.getLogger(__name__)

_LONGEST_COMMAND_SET = 64 * 1024
_INVALID_PDU = "Evt19"  # PS3.8 Table 9-10: unrecognized or invalid PDU received, answered with A-ABORT
_UNSENT = 64  # fragments of messages that wait to be sent
_LOOK = 0.002  # seconds between looks at how many there are

_config.LOG_HANDLER_LEVEL = "none"  # its handlers format every PDU and message for a log nobody reads


def application_entity(limits: Limits) -> ApplicationEntity:
    """What all associations of a process share: who we say we are, and how long we wait."""
    entity = ApplicationEntity("PACS")
    entity.acse_timeout = limits.association_timeout
    entity.network_timeout = limits.idle_timeout
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    return entity


class Messages(DIMSEServiceProvider):
    """DIMSE messages; a C-STORE is handled here, all others by pynetdicom."""

    def __init__(self, association: "StoreAssociation") -> None:
        super().__init__(association)
        self._association = association
        self._command_set = bytearray()
        self._receiving: tuple[int, StoreRequest, Reception] | None = None

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the fragments of one P-DATA-TF (PS3.8 Annex E.2)."""
        try:
            for context_id, fragment in primitive.presentation_data_value_list:
                self._take(context_id, fragment)
        except Exception:  # pynetdicom's thread would die of it, and the peer wait for ever
            LOG.warning("association aborted: its message makes no sense", exc_info=True)
            self.discard()
            self.dul.event_queue.put(_INVALID_PDU)

    def send_msg(self, primitive: Any, context_id: int) -> None:
        """Send a message, once the peer has taken most of those before it.

        pynetdicom's queue has no limit: a peer that reads slowly would let all matches of a query pile up in memory.
        """
        self._await_room()
        super().send_msg(primitive, context_id)

    def send_message(self, context_id: int, command_set: bytes, data_set: memoryview | None = None) -> None:
        """Send an encoded message, as fast as the peer takes it."""
        size = fragment_size(self.maximum_pdu_size)
        for message, control in ((memoryview(command_set), COMMAND), (data_set, 0)):
            for flags, fragment in fragments(message, size, control=control) if message is not None else ():
                self._await_room()
                self.dul.send_pdu(_p_data(context_id, bytes([flags]) + fragment))

    def _await_room(self) -> None:
        while self.dul.to_provider_queue.qsize() > _UNSENT and self.dul.is_alive():
            if self._association.acse.is_aborted():  # nobody reads any more
                return
            time.sleep(_LOOK)

    def discard(self) -> None:
        """Forget a data set that will not be completed."""
        receiving, self._receiving = self._receiving, None
        if receiving is not None:
            receiving[2].discard()

    def _take(self, context_id: int, fragment: bytes) -> None:
        control = fragment[0]
        if control & COMMAND:
            self._take_command(context_id, fragment, is_last=bool(control & LAST))
        elif self._receiving is None:
            self._pass_on(context_id, fragment)
        else:
            self._receiving[2].write(memoryview(fragment)[1:])
            if control & LAST:
                self._answer()

    def _take_command(self, context_id: int, fragment: bytes, *, is_last: bool) -> None:
        self._command_set += fragment[1:]
        if self._receiving is not None or len(self._command_set) > _LONGEST_COMMAND_SET:
            raise Unreadable("a command set where none can be")
        if not is_last:
            return
        command_set, self._command_set = bytes(self._command_set), bytearray()
        request = store_request(read_command_set(command_set))
        if request is None:
            self._pass_on(context_id, bytes([COMMAND | LAST]) + command_set)
            return
        context = self._association._accepted_cx[context_id]  # noqa: SLF001  # one that is not accepted ends as abort
        reception = self._association.host.receive(request, str(context.transfer_syntax[0]))
        self._receiving = context_id, request, reception
        if not request.with_data_set:
            self._answer()

    def _pass_on(self, context_id: int, fragment: bytes) -> None:
        super().receive_primitive(_p_data(context_id, fragment))

    def _answer(self) -> None:
        receiving, self._receiving = self._receiving, None
        if receiving is None:
            return
        context_id, request, reception = receiving
        response = store_response(request, *reception.finish())
        for flags, fragment in fragments(response, fragment_size(self.maximum_pdu_size), control=COMMAND):
            # not send_pdu: this is the thread that it would wake
            self.dul.to_provider_queue.put(_p_data(context_id, bytes([flags]) + fragment))


def _p_data(context_id: int, fragment: bytes) -> P_DATA:
    primitive = P_DATA()
    primitive.presentation_data_value_list.append((context_id, fragment))
    return primitive


class StoreAssociation(Association):
    """One association with a peer that sends; a thread (and pynetdicom's second one) of its own."""

    def __init__(
        self,
        entity: ApplicationEntity,
        limits: Limits,
        connection: socket.socket,
        *,
        host: Host,
        ended: Callable[["StoreAssociation"], None],
    ) -> None:
        super().__init__(entity, "acceptor")
        self.host, self._ended, self._limits = host, ended, limits
        self._messages = Messages(self)
        self._negotiation = Negotiation(self, host)
        self.acse, self.dul, self.dimse = self._negotiation, Reactor(self), self._messages
        self.acse_timeout, self.network_timeout = entity.acse_timeout, entity.network_timeout  # sets the new timers
        checkpoint = Checkpoint()
        self._reactor_checkpoint = checkpoint
        self.dul.to_user_queue, self.dimse.msg_queue = Inbox(checkpoint.ring), Inbox(checkpoint.ring)
        if isinstance(connection, ssl.SSLSocket):
            self._connection: Connection = SecureConnection(self, connection, idle_timeout=limits.idle_timeout)
        else:
            self._connection = Connection(self, connection)
        self.set_socket(self._connection)
        self.acceptor.maximum_length = limits.maximum_length
        self.acceptor.ae_title = entity.ae_title
        # pynetdicom leaves it out of the answer, and GDCM's clients abort over an A-ASSOCIATE-AC without it
        self.acceptor.implementation_version_name = entity.implementation_version_name
        self.requestor.address_info = AddressInformation.from_tuple(connection.getpeername())
        self.born = time.monotonic()

    @property
    def has_asked(self) -> bool:
        """Whether the peer sent an A-ASSOCIATE-RQ."""
        return self.requestor.primitive is not None

    def _serve_request(self, msg: Any, context_id: int) -> None:
        """Answer one request; those that a service answers by itself bypass pynetdicom."""
        context = self._accepted_cx.get(context_id)
        answer = self.host.services.exchange(str(context.abstract_syntax), type(msg)) if context else None
        try:
            if answer is None or not msg.is_valid_request:
                super()._serve_request(msg, context_id)
            else:
                answer(Exchange(self, self._messages, context_id, msg, self._negotiation.caller))
        except Exception:  # the thread would die of it, and the peer wait for ever
            LOG.exception("association aborted: a request failed")
            self.abort(block=False)
        finally:
            self.dimse.cancel_req.clear()
            self.dul._idle_timer.restart()  # noqa: SLF001  # a peer that waited for us was not idle

    def cut(self) -> None:
        """End without a word, when the peer does not even answer an abort."""
        self._kill = True
        self._connection.cut()
        self._reactor_checkpoint.set()

    def run_reactor(self) -> None:
        """The whole association as pynetdicom runs it, and then nothing left open or half received."""
        try:
            self._connection.begin(self._limits.association_timeout)
            super().run_reactor()
        except NotAllowed as error:
            LOG.warning("no TLS with %s: %s", self.requestor.address, error.detail)
        finally:
            if self._started_dul:
                self.dul.kill_dul()
                self.dul.join()
            self._messages.discard()
            self._connection.discard()
            self.host.leave()
            self._ended(self)
