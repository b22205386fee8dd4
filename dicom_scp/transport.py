"""pynetdicom's transport, awake only when there is something to do.

Law: knows pynetdicom's inside, as `acceptance` and `association` do; tests/dicom_scp/test_pynetdicom.py fails loudly
when that changes under us. pynetdicom's two threads for each association wake a thousand times a second each and read
4 KiB at a time; here they sleep until the peer sends or the other thread has something for them.
"""

import contextlib
import queue
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import AssociationSocket

LONGEST_PDU = 1024 * 1024  # more than any A-ASSOCIATE-RQ; a forged length must not take memory
_SLEEP = 0.5  # seconds between looks at pynetdicom's timers when nothing happens
_CLOSED = "Sta1"  # PS3.8 Table 9-6: idle

_Item = TypeVar("_Item")


class Connection(AssociationSocket):
    """A peer's socket, waited for instead of polled, read in whole PDUs."""

    def __init__(self, association: Association, connection: socket.socket) -> None:
        self._bell, self._button = socket.socketpair()
        self._button.setblocking(False)
        super().__init__(association, client_socket=connection)
        self._peer = connection
        self._poll = select.poll()  # not select(): that fails from descriptor 1024 on
        self._poll.register(connection, select.POLLIN)
        self._poll.register(self._bell, select.POLLIN)

    def begin(self, seconds: float) -> None:
        """What comes before the first PDU, ``seconds`` at most: nothing."""

    def wake(self) -> None:
        """Make `ready` return, because there is something to send or to end."""
        with contextlib.suppress(OSError):  # full: it is awake already; closed: it has ended
            self._button.send(b"\0")

    @property
    def ready(self) -> bool:
        """Whether the peer sent something; waits a while for it."""
        if self.socket is None or not self._is_connected:
            time.sleep(0.001)  # the reactor is about to end, and would spin until then
            return False
        patience = _SLEEP * 1000 if self.event_queue.empty() else 0  # the reactor takes one event a round
        awake = {descriptor for descriptor, _ in self._poll.poll(patience)}
        if self._bell.fileno() in awake:
            self._bell.recv(4096)
            awake.discard(self._bell.fileno())
        return bool(awake)

    def recv(self, nr_bytes: int) -> bytearray:
        """Read ``nr_bytes``, fewer when the peer closes; raises OSError for a length that no PDU has."""
        if nr_bytes > LONGEST_PDU:
            raise OSError(f"a PDU of {nr_bytes} bytes is announced")
        data = bytearray(nr_bytes)
        rest = memoryview(data)
        while rest:
            count = self._read_into(rest)
            if not count:
                return data[: nr_bytes - len(rest)]
            rest = rest[count:]
        # A sender with Nagle's algorithm on waits for our acknowledgement before the last, short packet of an instance;
        # delayed, that costs up to 40 ms an instance. The kernel forgets the option, so it is set after every read.
        self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data

    def _read_into(self, rest: memoryview) -> int:
        return self._peer.recv_into(rest, 0, socket.MSG_WAITALL)

    def _shutdown_socket(self) -> None:
        super()._shutdown_socket()
        if self.assoc.requestor.primitive is None:
            # A port scan or health check closes without A-ASSOCIATE-RQ: the association would wait its 30 s for one.
            inbox: queue.Queue[Any] = self.assoc.dul.to_user_queue
            inbox.put(None)

    def cut(self) -> None:
        """Make every waiting read and write return."""
        with contextlib.suppress(OSError):  # closed meanwhile
            socket.socket.shutdown(self._peer, socket.SHUT_RDWR)  # of TCP: TLS may be read by another thread

    def discard(self) -> None:
        """Close all that is still open."""
        for end in (self._bell, self._button, self._peer):
            end.close()


class Reactor(DULServiceProvider):
    """The thread that reads and writes PDUs, awake only when there is something to do."""

    def __init__(self, association: Association) -> None:
        super().__init__(association)
        self._run_loop_delay = 0  # `Connection.ready` waits instead
        self.daemon = True  # a stuck peer must not keep the process alive

    def send_pdu(self, primitive: Any) -> None:
        """Queue ``primitive`` and wake up to send it."""
        super().send_pdu(primitive)
        self._wake()

    def kill_dul(self) -> None:
        """End the thread soon."""
        super().kill_dul()
        self._wake()

    def stop_dul(self) -> bool:
        """End the thread when its connection is closed; whether it was."""
        if self.state_machine.current_state != _CLOSED:
            return False
        self.kill_dul()
        self.join()
        return True

    def _wake(self) -> None:
        if isinstance(self.socket, Connection):
            self.socket.wake()


class Checkpoint(threading.Event):
    """The point that pynetdicom's association loop passes once a round: held there until there is news."""

    def __init__(self) -> None:
        super().__init__()
        self._news = threading.Semaphore(0)
        self.set()

    def ring(self) -> None:
        """Let one round happen."""
        self._news.release()

    def set(self) -> None:
        """Open the checkpoint, and let one round happen to see it."""
        super().set()
        self.ring()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for news, then for the checkpoint to be open."""
        self._news.acquire(timeout=_SLEEP)
        return super().wait(timeout)


class Inbox(queue.Queue[_Item]):
    """A queue that rings when something is put into it."""

    def __init__(self, ring: Callable[[], None]) -> None:
        super().__init__()
        self._ring = ring

    def put(self, item: _Item, block: bool = True, timeout: float | None = None) -> None:  # noqa: FBT001, FBT002  # queue.Queue's own signature
        """Put ``item`` and ring."""
        super().put(item, block, timeout)
        self._ring()
