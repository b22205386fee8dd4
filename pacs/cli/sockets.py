"""Listening sockets: bound once by the supervisor, inherited by the processes that serve them.

Law: as systemd hands them over, so that it can do the same: ``LISTEN_FDS=1`` says that descriptor 3 is a listening
socket. Connections wait in the kernel while a served part is restarted; nobody is refused meanwhile.
"""

import errno
import socket

from pacs.errors import Misconfigured

LISTEN_FDS = "LISTEN_FDS"
FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)
BACKLOG = 128


def listen(host: str, port: int, what: str) -> socket.socket:
    """Bind and listen; an empty host is every IPv4 interface. Raises Misconfigured when the port is taken."""
    # not dual stack: an IPv4 modality would appear as ::ffff:10.0.0.7 and match no registered address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = "is already in use by another program"
        else:
            reason = f"cannot be opened: {error.strerror}"
        raise Misconfigured(f"{what} port {port} {reason}") from None


def inherited(environment: dict[str, str]) -> socket.socket | None:
    """The listening socket that the supervisor or systemd handed over, None when there is none."""
    if environment.get(LISTEN_FDS) != "1":
        return None
    return socket.socket(fileno=FIRST_DESCRIPTOR)
