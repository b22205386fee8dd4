"""An association that we open to send instances over.

Law: blocking, on the caller's thread, every wait bounded: a peer that neither reads nor answers costs its own
association `Patience` and nobody else anything. (pynetdicom's requestor waits without end in a send that the peer does
not take, on a thread that nothing can stop.) A lost or transiently refused association is a ConnectionError and may be
tried again, a silent peer a TimeoutError, a clear no Unavailable.
"""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from dicom_scp.command_set import read_command_set, store_answer
from dicom_scp.fragments import COMMAND, LAST, fragment_size, fragments
from dicom_scp.proposals import Proposal
from dicom_scp.tls import Tls
from dicom_scp.upper_layer import (
    ABORT_REQUEST,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    P_DATA_TF,
    PDU_HEADER,
    RELEASE_REQUEST,
    RELEASE_RP,
    associate_accept,
    associate_request,
    data_transfer,
    presentation_data_values,
    rejection,
)
from pacs.errors import Misconfigured, Unavailable, Unreadable
from pacs.modalities import Destination

MAXIMUM_LENGTH = 128 * 1024  # of a P-DATA-TF we announce
_LONGEST_PDU = 1024 * 1024  # of what a storage SCP has to say to us
_LOOK = 0.25  # seconds between looks at whether we shall stop
_AFTER_STOP = 2.0  # seconds that an instance on its way still has


@dataclass(frozen=True, slots=True)
class Peer:
    """Where instances are sent: an AE title at an address, and by which AE title it knows us.

    ``transfer_syntaxes``: UIDs it prefers, best first.
    """

    called: str
    calling: str
    host: str
    port: int
    transfer_syntaxes: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"{self.called} at {self.host}:{self.port}"


def peer_at(destination: Destination, tls: Tls | None) -> Peer:
    """The peer that the registry names; raises Misconfigured when it wants TLS and we have no certificate."""
    modality = destination.modality
    if modality.tls and tls is None:
        raise Misconfigured(f"{modality.ae_title} wants TLS, and we have no certificate")
    return Peer(
        modality.ae_title,
        destination.calling,
        modality.address,
        modality.port,
        modality.transfer_syntaxes,
        tls.client() if modality.tls and tls else None,
    )


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds until a peer counts as hanging."""

    connect: float = 10.0
    associate: float = 30.0
    answer: float = 60.0  # for taking a P-DATA-TF, and for a C-STORE response: a receiver syncs its disk before it
    release: float = 5.0


def _never() -> bool:
    return False


class Requestor:
    """One association; a context, released at its end, aborted after an error."""

    def __init__(
        self,
        peer: Peer,
        contexts: Sequence[Proposal],
        *,
        patience: Patience,
        stop: Callable[[], bool] = _never,
    ) -> None:
        """Associate; raises ConnectionError, TimeoutError, Unavailable."""
        self._peer, self._patience, self._stop = peer, patience, stop
        self._is_stopping = False
        self._deadline = 0.0
        self._connection = _connected(peer, patience.connect)
        try:
            self._associate(contexts)
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stop, self._is_stopping = _never, False
        with contextlib.suppress(OSError, Unreadable), self._connection:
            if kind is None:
                self._send(RELEASE_REQUEST, seconds=self._patience.release)
                while self._receive(self._patience.release)[0] != RELEASE_RP:
                    pass
            else:
                self._send(ABORT_REQUEST, seconds=self._patience.release)

    @property
    def contexts(self) -> Mapping[Proposal, int]:
        """IDs of the accepted presentation contexts."""
        return self._contexts

    def store(self, context_id: int, command_set: bytes, data_set: memoryview, message_id: int) -> tuple[int, str]:
        """Send one instance; Status and Error Comment of its response. Raises ConnectionError, TimeoutError."""
        for message, control in ((memoryview(command_set), COMMAND), (data_set, 0)):
            for flags, fragment in fragments(message, self._fragment_size, control=control):
                self._send(data_transfer(context_id, flags, fragment), seconds=self._patience.answer)
        try:
            return store_answer(read_command_set(self._command_set()), message_id)
        except Unreadable as error:
            raise ConnectionError(f"{self._peer} answers nonsense: {error.detail}") from None

    def _associate(self, contexts: Sequence[Proposal]) -> None:
        peer = self._peer
        request = associate_request(
            calling=peer.calling, called=peer.called, contexts=contexts, maximum_length=MAXIMUM_LENGTH
        )
        self._send(request, seconds=self._patience.associate)
        kind, body = self._receive(self._patience.associate)
        if kind == ASSOCIATE_RJ:
            is_transient, reason = rejection(body)
            refusal = f"{peer} rejects us: {reason}"
            raise ConnectionRefusedError(refusal) if is_transient else Unavailable(refusal)
        if kind != ASSOCIATE_AC:
            raise ConnectionError(f"{peer} does not associate")
        try:
            accepted = associate_accept(body)
        except Unreadable as error:
            raise ConnectionError(f"{peer} answers nonsense: {error.detail}") from None
        self._fragment_size = fragment_size(accepted.maximum_length)
        numbered = {context: 2 * number + 1 for number, context in enumerate(contexts)}
        self._contexts = {context: uid for context, uid in numbered.items() if uid in accepted.context_ids}

    def _command_set(self) -> bytes:
        """The next message, which is a response without data set."""
        command_set = b""
        while True:
            kind, body = self._receive(self._patience.answer)
            if kind != P_DATA_TF:
                raise ConnectionError(f"{self._peer} ended the association")
            for _, control, fragment in presentation_data_values(body):
                command_set += fragment
                if control & LAST:
                    return command_set
            if len(command_set) > _LONGEST_PDU:
                raise ConnectionError(f"{self._peer} answers nonsense")

    def _send(self, data: bytes, *, seconds: float) -> None:
        rest = memoryview(data)
        self._begin(seconds)
        while rest:
            self._look("takes no more data")
            with contextlib.suppress(TimeoutError):
                rest = rest[self._connection.send(rest) :]

    def _receive(self, seconds: float) -> tuple[int, bytes]:
        """Type and body of the next PDU."""
        self._begin(seconds)
        kind, length = PDU_HEADER.unpack(self._read(PDU_HEADER.size))
        if length > _LONGEST_PDU:
            raise ConnectionError(f"{self._peer} announces a PDU of {length} bytes")
        return kind, self._read(length)

    def _read(self, count: int) -> bytes:
        """Exactly ``count`` bytes."""
        data = b""
        while len(data) < count:
            self._look("does not answer")
            with contextlib.suppress(TimeoutError):
                piece = self._connection.recv(count - len(data))
                if not piece:
                    raise ConnectionResetError(f"{self._peer} closed the connection")
                data += piece
        return data

    def _begin(self, seconds: float) -> None:
        self._connection.settimeout(_LOOK)
        self._deadline = time.monotonic() + (min(seconds, _AFTER_STOP) if self._is_stopping else seconds)

    def _look(self, complaint: str) -> None:
        """See whether we shall stop; raises TimeoutError when the peer has had its time."""
        if not self._is_stopping and self._stop():
            self._is_stopping = True
            self._deadline = min(self._deadline, time.monotonic() + _AFTER_STOP)
        if time.monotonic() > self._deadline:
            raise TimeoutError(f"{self._peer} {complaint}")


def _connected(peer: Peer, seconds: float) -> socket.socket:
    try:
        connection = socket.create_connection((peer.host, peer.port), timeout=seconds)
    except TimeoutError:
        raise TimeoutError(f"{peer} does not answer") from None
    except OSError as error:  # refused, no route, unknown host name
        raise ConnectionError(f"{peer} does not answer: {error.strerror}") from None
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if peer.tls is None:
        return connection
    try:
        return peer.tls.wrap_socket(connection, server_hostname=peer.host)
    except OSError as error:  # also ssl.SSLError: a certificate that is not trusted stays so
        connection.close()
        raise Unavailable(f"{peer} does not agree on TLS: {getattr(error, 'reason', None) or error}") from None
