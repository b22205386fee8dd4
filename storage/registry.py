"""The registry, remembered: who may do what, and where an AE title listens; and a note of whoever is turned away.

Law: answers come from a `Roster` a few seconds old at most; while the database is down from the last one read, so that
receiving goes on. A thread of its own reads it again and writes the notes, so that no association waits for the
database, and a flood of strangers costs it a few rows every few seconds.
"""

import logging
import threading
import time
from typing import Self

from pacs.errors import InvalidRequest, NotAllowed, NotFound, Unavailable
from pacs.modalities import Admitted, Destination, Roster
from storage.index import Index
from storage.index.registry import roster
from storage.index.strangers import Noted, note

log = logging.getLogger(__name__)

FRESH = 2.0  # seconds until a change is seen, or a stranger
MOST_NOTES = 200  # strangers between two looks; more are a flood, and told apart no further


class Registry:
    """The registry of one process; close it, or use it as a context."""

    def __init__(self, index: Index, *, trust_local: bool = False, fresh: float = FRESH) -> None:
        self._index, self._trust_local, self._fresh = index, trust_local, fresh
        self._roster: Roster | None = None
        self._reading = threading.Lock()
        self._ended = threading.Event()
        self._strangers = Strangers()
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
        try:
            return self.now().admit(calling, called, address, trust_local=self._trust_local)
        except (NotFound, NotAllowed):
            self._strangers.note(calling, called, address)
            raise

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
                self._strangers.write(self._index)
                answers = True
            except Unavailable as error:
                if answers:
                    log.warning("the registry is as it was: %s", error)
                answers = False


class Strangers:
    """Notes of who was turned away, until they are written."""

    def __init__(self) -> None:
        self._notes: dict[tuple[str, str, str], tuple[float, int]] = {}  # since when, how often
        self._lock = threading.Lock()

    def note(self, calling: str, called: str, address: str) -> None:
        """Count one more call; whoever comes when there are too many is forgotten."""
        key = _printable(calling), _printable(called), address
        with self._lock:
            if key in self._notes or len(self._notes) < MOST_NOTES:
                since, times = self._notes.get(key, (time.monotonic(), 0))
                self._notes[key] = since, times + 1

    def write(self, index: Index) -> None:
        """Write the notes down; raises Unavailable, and keeps them then."""
        with self._lock:
            notes, self._notes = self._notes, {}
        if not notes:
            return
        now = time.monotonic()
        try:
            note(index, [Noted(*key, age=now - since, times=times) for key, (since, times) in notes.items()])
        except InvalidRequest as error:  # one that the database cannot hold must not keep the others out for ever
            log.warning("strangers were not noted: %s", error)
        except Unavailable:
            with self._lock:
                self._notes = notes | self._notes
            raise


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)[:64]
