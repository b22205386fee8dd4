"""C-GET and C-MOVE, as provider (PS3.4 C.4.2, C.4.3): what was asked for goes to the peer, or to a third.

Law: nothing is answered that was not sent. Instances are looked up in the caller's hospital only. A response is sent
after each sub-operation, C-CANCEL is obeyed between two of them; a peer that has gone ends the work.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from pynetdicom.dimse_primitives import C_GET, C_MOVE

from dicom_scp.command_set import C_GET_RSP, C_MOVE_RSP, Order, retrieve_response
from dicom_scp.exchange import Exchange
from dicom_scp.requestor import Patience, Peer
from dicom_scp.retrieve_keys import PATIENT_ROOT, STUDY_ROOT, selection_of
from dicom_scp.sendable import Sendable, from_archive
from dicom_scp.sending import Sent, deliver, send
from dicom_scp.services import Service
from dicom_scp.sub_operations import RetrieveStatus, SubOperations, retrieve_answer_to
from pacs.dataset import read_data_set
from pacs.errors import ArchiveError, Unavailable
from pacs.modalities import Right
from storage.archive import Archive

LOG = logging.getLogger(__name__)

Destinations = Callable[[str, str], Peer]
"""The peer that a hospital knows by an AE title; raises NotFound, NotAllowed, Unavailable, Misconfigured."""

LEVELS = {
    "1.2.840.10008.5.1.4.1.2.1.2": PATIENT_ROOT,
    "1.2.840.10008.5.1.4.1.2.1.3": PATIENT_ROOT,
    "1.2.840.10008.5.1.4.1.2.2.2": STUDY_ROOT,
    "1.2.840.10008.5.1.4.1.2.2.3": STUDY_ROOT,
}
"""Query/Retrieve Information Model MOVE and GET SOP classes (PS3.4 C.6)."""

_RELATIONAL = b"\x01"  # Service-class-application-information, byte 1 (PS3.4 C.5.2.1)


def retrieval(archive: Archive, destinations: Destinations, *, patience: Patience | None = None) -> Service:
    """The service; ``patience`` is with destinations of C-MOVE."""
    patience = patience or Patience()
    return Service(
        right=Right.RETRIEVE,
        abstract_syntaxes=tuple(LEVELS),
        handlers={},
        extended=_RELATIONAL,
        exchanges={
            C_GET: partial(_answer, archive, C_GET_RSP, _get),
            C_MOVE: partial(_answer, archive, C_MOVE_RSP, partial(_move, destinations, patience)),
        },
    )


Carrier = Callable[[Exchange, Callable[[], bool]], "Callable[[Sequence[Sendable]], Iterator[Sent]]"]
"""How instances will be sent for an exchange, until told to stop; found out before they are looked up."""


def _answer(archive: Archive, command_field: int, carrier: Carrier, exchange: Exchange) -> None:
    """Answer one request, whatever happens."""
    retrieve = _Retrieve(exchange, command_field)
    try:
        carry = carrier(exchange, retrieve.shall_stop)
        retrieve.run(carry, _asked_for(archive, exchange))
    except Exception as error:  # the edge: the peer must be answered whatever failed
        if not isinstance(error, ArchiveError):
            LOG.exception("retrieval failed")
        retrieve.refuse(error)


def _asked_for(archive: Archive, exchange: Exchange) -> list[Sendable]:
    identifier = read_data_set(exchange.request.Identifier.getvalue(), exchange.transfer_syntax_uid)
    agreed = exchange.caller.extended.get(exchange.sop_class_uid, b"")
    selection = selection_of(identifier, LEVELS[exchange.sop_class_uid], is_relational=agreed[:1] == _RELATIONAL)
    hospital = exchange.caller.hospital
    return [from_archive(archive, hospital, stored) for stored in archive.select(hospital, selection)]


def _get(exchange: Exchange, stop: Callable[[], bool]) -> Callable[[Sequence[Sendable]], Iterator[Sent]]:
    order = Order(priority=exchange.request.Priority)
    return partial(deliver, exchange, preferred=exchange.caller.transfer_syntaxes, order=order, stop=stop)


def _move(
    destinations: Destinations, patience: Patience, exchange: Exchange, stop: Callable[[], bool]
) -> Callable[[Sequence[Sendable]], Iterator[Sent]]:
    request, caller = exchange.request, exchange.caller
    peer = destinations(caller.hospital, str(request.MoveDestination).strip())
    order = Order(request.Priority, caller.calling, request.MessageID)
    return partial(send, peer, order=order, patience=patience, stop=stop)


class _Retrieve:
    """The responses to one request."""

    def __init__(self, exchange: Exchange, command_field: int) -> None:
        self._exchange, self._command_field = exchange, command_field
        self._tally = SubOperations(0)

    def shall_stop(self) -> bool:
        """Whether there is nobody to go on for."""
        return self._exchange.is_cancelled or self._exchange.has_ended

    def run(self, carry: Callable[[Sequence[Sendable]], Iterator[Sent]], instances: Sequence[Sendable]) -> None:
        """Send all, and say so."""
        tally = self._tally = SubOperations(len(instances))
        comment = ""
        try:
            for sent in carry(instances):
                tally.count(sent.instance.sop_instance_uid, sent.status)
                if sent.status != 0:
                    comment = sent.comment or comment
                    LOG.warning("instance %s: %s %s", sent.instance.sop_instance_uid, sent.status, sent.comment)
                self._respond(RetrieveStatus.PENDING)
        except Unavailable as error:  # the destination: nothing at all was sent
            comment = error.detail
        except OSError as error:  # the peer of a C-GET
            comment = str(error)
        if self._exchange.has_ended:
            LOG.warning("retrieval ended, %s of %s sent: the peer has gone", tally.completed, len(instances))
            return
        if tally.remaining and self._exchange.is_cancelled:
            self._respond(RetrieveStatus.CANCEL)
            return
        for instance in instances[len(instances) - tally.remaining :]:
            tally.count(instance.sop_instance_uid, None)
        self._respond(tally.result, comment)

    def refuse(self, error: Exception) -> None:
        """Say that nothing more will be sent, and why."""
        status, comment = retrieve_answer_to(error)
        LOG.warning("retrieval answered 0x%04X: %s", status, comment)
        self._respond(status, comment)

    def _respond(self, status: RetrieveStatus, comment: str = "") -> None:
        exchange, tally = self._exchange, self._tally
        identifier = tally.identifier(status, exchange.transfer_syntax_uid)
        command_set = retrieve_response(
            self._command_field,
            exchange.sop_class_uid,
            exchange.request.MessageID,
            status,
            numbers=tally.numbers(status),
            comment=comment[:64],
            with_identifier=bool(identifier),
        )
        exchange.respond(command_set, identifier)
