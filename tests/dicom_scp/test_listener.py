import os
import socket
import subprocess
import sys

import pytest

from dicom_scp.listener import bind_listener, inherited_listener
from pacs.errors import Misconfigured

CHILD = """
import os, sys
from dicom_scp.listener import inherited_listener
given = int(sys.argv[1])
if given != 3:
    os.dup2(given, 3)
listener = inherited_listener(os.environ)
print(listener.getsockname()[1], "LISTEN_FDS" in os.environ)
"""


def test_socket_is_inherited_as_systemd_hands_it_over() -> None:
    """LISTEN_FDS=1 means descriptor 3, and a grandchild does not see the variable."""
    with bind_listener("127.0.0.1", 0) as listener:
        answer = subprocess.run(
            [sys.executable, "-c", CHILD, str(listener.fileno())],
            pass_fds=[listener.fileno()],
            env={**os.environ, "LISTEN_FDS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert answer.stdout.split() == [str(listener.getsockname()[1]), "False"]


def test_without_the_variables_nothing_is_inherited() -> None:
    """Descriptor 3 of an ordinary process is something else; so is a LISTEN_FDS meant for our parent."""
    assert inherited_listener({}) is None
    assert inherited_listener({"LISTEN_FDS": "1", "LISTEN_PID": "1"}) is None


def test_several_sockets_are_a_mistake() -> None:
    """We would not know which one is DICOM."""
    with pytest.raises(Misconfigured):
        inherited_listener({"LISTEN_FDS": "2"})


def test_taken_port_is_said_plainly() -> None:
    """The second archive on one port is told which one."""
    with bind_listener("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(Misconfigured, match=str(port)):
            bind_listener("127.0.0.1", port)


def test_every_interface_takes_ipv4() -> None:
    """Modalities are IPv4 even where the machine has IPv6."""
    with bind_listener("", 0) as listener, socket.create_connection(("127.0.0.1", listener.getsockname()[1]), 5):
        pass
