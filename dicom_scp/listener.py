"""The listening sockets that all receiver processes share.

Law: each is bound once, by the supervisor or by us, and inherited by file descriptor, never by SO_REUSEPORT: the kernel
would spread connections by hash, so that some processes hold two associations and some none.
"""

import errno
import os
import socket
import time
from collections.abc import MutableMapping

from pacs.errors import Misconfigured

FIRST_INHERITED_DESCRIPTOR = 3  # sd_listen_fds(3): SD_LISTEN_FDS_START
BACKLOG = 512  # connections that wait while every process is at its limit; a modality does not retry a refused one
PATIENCE = 5.0  # seconds: the processes of a killed supervisor need a moment to let go of its port


def bind_listener(host: str, port: int) -> socket.socket:
    """A listening socket; ``host`` "" is every interface, IPv6 too where there is one; raises Misconfigured."""
    dual_stack = not host and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if dual_stack or ":" in host else socket.AF_INET
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=dual_stack)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise Misconfigured(f"port {port} cannot be opened: {os.strerror(error.errno or 0)}") from error
            time.sleep(0.1)


def inherited_listener(environment: MutableMapping[str, str]) -> socket.socket | None:
    """The one socket that systemd or our supervisor opened for us, or None; raises Misconfigured."""
    listeners = inherited_listeners(environment, at_most=1)
    return listeners[0] if listeners else None


def inherited_listeners(environment: MutableMapping[str, str], *, at_most: int) -> list[socket.socket]:
    """The sockets that systemd or our supervisor opened for us (LISTEN_FDS, LISTEN_PID), in their order.

    The variables are removed, so that a child does not take the descriptors for its own; raises Misconfigured.
    """
    count = environment.pop("LISTEN_FDS", "")
    pid = environment.pop("LISTEN_PID", "")
    if not count or (pid and pid != str(os.getpid())):
        return []
    if count not in map(str, range(1, at_most + 1)):
        raise Misconfigured(f"LISTEN_FDS is {count}; at most {at_most} are expected")
    return [_listening(FIRST_INHERITED_DESCRIPTOR + number) for number in range(int(count))]


def _listening(descriptor: int) -> socket.socket:
    try:
        listener = socket.socket(fileno=descriptor)
        listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise Misconfigured(f"descriptor {descriptor} is not a socket") from error
    if not listening:
        raise Misconfigured(f"descriptor {descriptor} does not listen")
    return listener
