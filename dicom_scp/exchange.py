"""A request whose responses the service sends itself, as it goes, with messages of its own in between.

Law: knows pynetdicom's inside, as `association` and `transport` do; tests/dicom_scp/test_pynetdicom.py fails loudly
when that changes under us. For C-GET and C-MOVE: pynetdicom would decode and encode again what we send, count no
further than 65535, and answer for a destination only in the end.
"""

import queue
import time
from collections.abc import Mapping
from typing import Any, Protocol, cast

from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

from dicom_scp.proposals import Proposal
from dicom_scp.services import Caller

_PATIENCE = 60.0  # seconds for the response to an instance that we sent
_LOOK = 0.25  # seconds between looks at whether the association has ended


class Channel(Protocol):
    """How encoded messages are sent over an association."""

    def send_message(self, context_id: int, command_set: bytes, data_set: memoryview | None = None) -> None:
        """Send one message, waiting while the peer is slow."""
        ...


class Exchange:
    """One request of ``caller``, and the way to answer it."""

    def __init__(
        self, association: Association, channel: Channel, context_id: int, request: Any, caller: Caller
    ) -> None:
        self._association, self._channel, self._context_id = association, channel, context_id
        self.request, self.caller = request, caller
        context = association._accepted_cx[context_id]  # noqa: SLF001  # where pynetdicom keeps them
        self.sop_class_uid, self.transfer_syntax_uid = str(context.abstract_syntax), str(context.transfer_syntax[0])

    def respond(self, command_set: bytes, identifier: bytes = b"") -> None:
        """Send a response to the request."""
        self._channel.send_message(self._context_id, command_set, memoryview(identifier) if identifier else None)

    @property
    def is_cancelled(self) -> bool:
        """Whether the peer sent a C-CANCEL for the request (PS3.7 9.3.2.3)."""
        return self.request.MessageID in self._association.dimse.cancel_req

    @property
    def has_ended(self) -> bool:
        """Whether the association is over, so that nobody hears a response."""
        return not self._association.dul.is_alive() or self._association.acse.is_aborted()

    @property
    def contexts(self) -> Mapping[Proposal, int]:
        """IDs of the presentation contexts in which we are the SCU (PS3.7 D.3.3.4)."""
        contexts = self._association.accepted_contexts
        return {
            Proposal(str(context.abstract_syntax), str(context.transfer_syntax[0])): cast("int", context.context_id)
            for context in contexts
            if context.as_scu
        }

    def store(self, context_id: int, command_set: bytes, data_set: memoryview, message_id: int) -> tuple[int, str]:
        """Send one instance to the peer; Status and Error Comment. Raises ConnectionError, TimeoutError."""
        self._channel.send_message(context_id, command_set, data_set)
        deadline = time.monotonic() + _PATIENCE
        while not self.has_ended:
            if time.monotonic() > deadline:
                raise TimeoutError("the peer does not answer an instance sent to it")
            try:
                _, answer = self._association.dimse.msg_queue.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if answer is None:  # how pynetdicom says that the association was aborted
                break
            if not isinstance(answer, C_STORE) or answer.MessageIDBeingRespondedTo != message_id:
                raise ConnectionError("the peer answers something else")
            return cast("int", answer.Status), str(answer.ErrorComment or "")
        raise ConnectionError("the peer has gone")
