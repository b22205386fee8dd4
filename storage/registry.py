"""The registry, remembered: who may do what, and where an AE title listens.

Law: answers come from a `Roster` a few seconds old at most; while the database is down from the last one read, so that
receiving goes on. A thread of its own reads it again, so that no association waits for the database.
"""

import logging
import threading
from typing import Self

from pacs.errors import Unavailable
from pacs.modalities import Admitted, Destination, Roster
from storage.index import Index
from storage.index.registry import roster

log = logging.getLogger(__name__)

FRESH = 2.0  # seconds until a change is seen


class Registry:
    """The registry of one process; close it, or use it as a context."""

    def __init__(self, index: Index, *, trust_local: bool = False, fresh: float = FRESH) -> None:
        self._index, self._trust_local, self._fresh = index, trust_local, fresh
        self._roster: Roster | None = None
        self._reading = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the thread that reads."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def admit(self, calling: str, called: str, address: str) -> Admitted:
        """What ``calling`` at ``address`` may do; raises as `Roster.admit`, and Unavailable when nothing is known."""
        return self.now().admit(calling, called, address, trust_local=self._trust_local)

    def reach(self, hospital: str, ae_title: str) -> Destination:
        """Where an AE title listens; raises NotFound, Unavailable."""
        return self.now().reach(hospital, ae_title)

    def destination(self, hospital: str, ae_title: str) -> Destination:
        """Where an AE title listens that instances may be sent to; raises NotFound, NotAllowed, Unavailable."""
        return self.now().destination(hospital, ae_title)

    def now(self) -> Roster:
        """The registry as far as we know; raises Unavailable when it was never read."""
        if self._roster is None:
            with self._reading:
                if self._roster is None:  # another thread has read it meanwhile
                    self._roster = roster(self._index)
                    self._thread = threading.Thread(target=self._keep_fresh, name="registry", daemon=True)
                    self._thread.start()
        return self._roster

    def _keep_fresh(self) -> None:
        answers = True
        while not self._ended.wait(self._fresh):
            try:
                self._roster = roster(self._index)
                answers = True
            except Unavailable as error:
                if answers:
                    log.warning("the registry is as it was: %s", error)
                answers = False
