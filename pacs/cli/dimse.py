"""What the settings say about DIMSE, as the values that `dicom_scp` takes.

Law: settings become values here and nowhere else.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dicom_scp.limits import Limits, Places
from dicom_scp.listener import bind_listener
from dicom_scp.outgoing import Outgoing, Patience
from dicom_scp.tls import Tls, TlsFiles
from dicom_scp.transport import LONGEST_PDU
from pacs.errors import Misconfigured
from pacs.settings import Settings

SHORTEST_PDU = 4096  # of a P-DATA-TF: with less, headers would be most of what is sent


def tls_of(settings: Settings) -> Tls | None:
    """TLS when there is a certificate; raises Misconfigured."""
    if not settings.dicom_tls_certificate:
        return None
    certificate = Path(settings.dicom_tls_certificate)
    key = Path(settings.dicom_tls_key) if settings.dicom_tls_key else certificate
    ca = Path(settings.dicom_tls_ca) if settings.dicom_tls_ca else None
    return Tls(TlsFiles(certificate, key, ca, mutual=settings.dicom_tls_mutual))


def outgoing_of(settings: Settings, *, silence: float = 0.0) -> Outgoing:
    """How we open associations; with ``silence`` a peer may take so many seconds to answer. Raises Misconfigured."""
    patience = Patience(
        association=settings.dicom_association_timeout,
        response=silence or settings.dicom_response_timeout,
        silence=silence or settings.dicom_idle_timeout,
    )
    return Outgoing(tls=tls_of(settings), patience=patience)


def limits_of(settings: Settings) -> Limits:
    """The limits of one receiver process: its share of those of the machine; raises Misconfigured."""
    if not SHORTEST_PDU <= settings.dicom_maximum_length <= LONGEST_PDU:
        raise Misconfigured(f"PACS_DICOM_MAXIMUM_LENGTH is between {SHORTEST_PDU} and {LONGEST_PDU}")
    return Limits(
        associations=max(1, -(-settings.dicom_associations // settings.receivers)),
        maximum_length=settings.dicom_maximum_length,
        association_timeout=settings.dicom_association_timeout,
        idle_timeout=settings.dicom_idle_timeout,
    )


def places_of(settings: Settings) -> Places:
    """The count of each calling AE title's associations, over all receiver processes."""
    return Places(settings.data / "associations.lock", settings.dicom_associations_per_ae)


@contextmanager
def dicom_listeners(settings: Settings) -> Iterator[list[socket.socket]]:
    """The DIMSE port, and after it the one for TLS when there is a certificate; raises Misconfigured."""
    ports = [settings.dicom_port]
    if settings.dicom_tls_certificate:
        tls_of(settings)  # a mistake in the files is told before anything starts
        ports.append(settings.dicom_tls_port)
    with ExitStack() as opened:
        yield [opened.enter_context(bind_listener(settings.dicom_host, port)) for port in ports]
