"""TLS for DIMSE: BCP 195 (PS3.15 B.12), with certificates on both sides.

Law: nothing below TLS 1.2, nothing without forward secrecy and authenticated encryption. Certificate files are read
again when they change, for the associations that begin after it; files that make no sense leave the old ones in force,
so that a renewal that goes wrong does not stop a hospital. A peer is proven by its certificate, which our CA signed;
names in it are not compared with AE titles or addresses (PS3.15 B.12 leaves that to the site).
"""

import logging
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

from pacs.errors import Misconfigured

log = logging.getLogger(__name__)

# Of TLS 1.2; those of 1.3 are all good. RFC 9325 4.2: ECDHE or DHE, AES-GCM; ChaCha20 is as strong (RFC 7905).
CIPHER_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"

_Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: our certificate with its chain, its key, and the CAs that we trust.

    ``mutual``: a peer that calls us must have a certificate too.
    """

    certificate: Path
    key: Path
    ca: Path | None
    mutual: bool = True

    def paths(self) -> tuple[Path, ...]:
        """All of them."""
        return (self.certificate, self.key, self.ca) if self.ca else (self.certificate, self.key)


class Tls:
    """The contexts of a process, as new as the files; raises Misconfigured when they make no sense at the start."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._lock = threading.Lock()
        self._stamp = _stamp_of(files)
        self._contexts = _contexts(files)

    def server(self) -> ssl.SSLContext:
        """For an association that a peer opens."""
        return self._fresh()[0]

    def client(self) -> ssl.SSLContext:
        """For an association that we open."""
        return self._fresh()[1]

    def _fresh(self) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        with self._lock:
            try:
                stamp = _stamp_of(self._files)
                if stamp != self._stamp:
                    self._stamp = stamp  # first: files that make no sense are complained of once
                    self._contexts = _contexts(self._files)
                    log.info("the TLS certificate was read again")
            except Misconfigured as error:
                log.error("the TLS certificate stays as it was: %s", error)  # noqa: TRY400  # a person's mistake: no traceback
            return self._contexts


def _stamp_of(files: TlsFiles) -> _Stamp:
    try:
        stats = [path.stat() for path in files.paths()]
    except OSError as error:
        return ((error.errno or 0, 0, 0),)
    return tuple((stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in stats)


def _contexts(files: TlsFiles) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    if files.mutual and files.ca is None:
        raise Misconfigured(
            "PACS_DICOM_TLS_CA is needed to know peers by their certificates, or PACS_DICOM_TLS_MUTUAL=0"
        )
    return _context(files, ssl.PROTOCOL_TLS_SERVER), _context(files, ssl.PROTOCOL_TLS_CLIENT)


def _context(files: TlsFiles, protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False  # destinations are addresses; see above
    is_server = protocol == ssl.PROTOCOL_TLS_SERVER
    context.verify_mode = ssl.CERT_REQUIRED if files.mutual or not is_server else ssl.CERT_NONE
    if is_server:
        context.num_tickets = 0  # resumption would outlive a certificate that was withdrawn
        context.options |= ssl.OP_NO_TICKET
    try:
        context.set_ciphers(CIPHER_SUITES)
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
        if files.ca is not None:
            context.load_verify_locations(files.ca)
        else:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise Misconfigured(f"TLS certificate {files.certificate}: {error}") from error
    return context


def _no_password() -> str:
    """Instead of OpenSSL's question on the terminal, for which a server would wait for ever."""
    raise ValueError("the key has a password")


def reason_of(error: Exception) -> str:
    """Why a hand-shake failed, in OpenSSL's words."""
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
    verify = getattr(error, "verify_message", "")
    return f"{reason}: {verify}" if verify else str(reason)
