"""A peer's socket with TLS on it, in the shape that `transport` needs.

Law: as `transport`. What OpenSSL has read ahead is not seen by poll(), and what poll() sees may be no data at all but a
message of TLS; so data is taken out of OpenSSL before it counts as there.
"""

import ssl
from typing import Any

from dicom_scp.tls import reason_of
from dicom_scp.transport import Connection
from pacs.errors import NotAllowed

_RECORD = 16 * 1024  # bytes of one TLS record at most (RFC 8446 5.1)


class SecureConnection(Connection):
    """A connection after `begin`, which shakes hands."""

    def __init__(self, association: Any, connection: ssl.SSLSocket, *, idle_timeout: float) -> None:
        super().__init__(association, connection)
        self._secure, self._idle_timeout = connection, idle_timeout
        self._ahead = bytearray()
        self._is_at_end = False

    def begin(self, seconds: float) -> None:
        """Shake hands within ``seconds``; raises NotAllowed when the peer has no TLS, or not the right certificate."""
        try:
            self._secure.settimeout(seconds)
            self._secure.do_handshake()
            self._secure.settimeout(self._idle_timeout)
        except (OSError, ValueError) as error:  # ValueError: cut while shaking hands
            raise NotAllowed(reason_of(error)) from error

    @property
    def ready(self) -> bool:
        """Whether the peer sent something; waits a while for it."""
        if self._is_connected and (self._ahead or self._is_at_end):
            return True
        if self._is_connected and self._secure.pending():
            return self._look()
        return super().ready and self._look()

    def _look(self) -> bool:
        """Take what is there, without waiting."""
        try:
            self._secure.settimeout(0)
            data = self._secure.recv(_RECORD)
            self._secure.settimeout(self._idle_timeout)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            self._secure.settimeout(self._idle_timeout)
            return False
        except (OSError, ValueError):  # reset, cut, or no TLS any more
            data = b""
        self._ahead += data
        self._is_at_end = not data
        return True

    def _read_into(self, rest: memoryview) -> int:
        if self._ahead:
            count = min(len(rest), len(self._ahead))
            rest[:count] = self._ahead[:count]
            del self._ahead[:count]
            return count
        return 0 if self._is_at_end else self._secure.recv_into(rest)
