"""Associations that we open: to whom the registry names, over TLS when it says so.

Law: a peer that hangs costs a thread some seconds, never for ever: every wait has an end. pynetdicom's public interface
only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context

from dicom_scp.negotiation import VERIFICATION
from dicom_scp.tls import Tls
from pacs.errors import Misconfigured, Unavailable
from pacs.file_meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pacs.modalities import Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds that we wait for a peer: to connect and associate, for a response, and while it is silent."""

    association: float = 30.0
    response: float = 120.0
    silence: float = 300.0


class Outgoing:
    """Opens associations from this process."""

    def __init__(self, *, tls: Tls | None = None, patience: Patience = Patience()) -> None:
        self._tls, self._patience = tls, patience

    def associate(
        self, destination: Destination, contexts: Sequence[PresentationContext], **negotiated: Any
    ) -> Association:
        """An established association, with at least one context accepted; the caller releases or aborts it.

        ``negotiated`` is for pynetdicom: ``ext_neg``, ``evt_handlers``. Raises Unavailable when the peer cannot be
        reached or rejects us or all contexts, Misconfigured when it wants TLS and we have no certificate.
        """
        peer = destination.modality
        if peer.tls and self._tls is None:
            raise Misconfigured(f"{peer.ae_title} wants TLS, and PACS_DICOM_TLS_CERTIFICATE is not set")
        association = self._entity(destination.calling).associate(
            peer.address,
            peer.port,
            list(contexts),
            ae_title=peer.ae_title,
            tls_args=(self._tls.client(), peer.address) if peer.tls and self._tls else None,
            **negotiated,
        )
        _check_established(association, f"{peer.ae_title} at {peer.address}:{peer.port}")
        return association

    def echo(self, destination: Destination) -> int:
        """The status of a C-ECHO; raises as `associate`, and Unavailable without a response."""
        association = self.associate(destination, [build_context(VERIFICATION)])
        try:
            answer = association.send_c_echo()
        finally:
            association.release()
        if "Status" not in answer:
            raise Unavailable(f"{destination.modality.ae_title} did not answer a C-ECHO")
        return int(answer.Status)

    def _entity(self, calling: str) -> ApplicationEntity:
        entity = ApplicationEntity(calling)
        entity.connection_timeout = entity.acse_timeout = self._patience.association
        entity.dimse_timeout = self._patience.response
        entity.network_timeout = self._patience.silence
        entity.maximum_pdu_size = 0  # no limit: what we get is small
        entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        return entity


def _check_established(association: Association, peer: str) -> None:
    if association.is_established:
        return
    answer = association.acceptor.primitive
    if association.dul.socket is not None:
        association.dul.socket.close()  # pynetdicom forgets the socket of a rejected association
    if answer is None or answer.result is None:
        raise Unavailable(f"{peer} does not answer")
    if answer.result:
        raise Unavailable(f"{peer} rejects us: {answer.reason_str}")
    raise Unavailable(f"{peer} takes none of our presentation contexts")
