"""Errands: everything that waits for one destination, done in one go, and again later when it fails.

Law: one errand of a kind runs for a destination at a time, and none waits for another destination's. An errand never
fails as a job: a failure is counted in a row and tried again, seconds later at first, an hour later at last, for days.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from pacs.errors import ArchiveError, NotFound
from storage.index import Index
from storage.index.errands import failed, leave_alone, send_off, succeeded, wait_of

log = logging.getLogger(__name__)

FIRST_DELAY, LONGEST_DELAY = 5.0, 3600.0


class Errand(Protocol):
    """One kind of errand."""

    def waiting(self, hospital: str) -> Sequence[str]:
        """Destinations for which something waits."""
        ...

    def run(self, hospital: str, destination: str) -> float | None:
        """Do what is due; seconds until more will be, None when nothing waits.

        Raises whatever goes wrong with the destination; what was achieved before that stays written down.
        """
        ...

    def give_up(self, hospital: str, destination: str) -> None:
        """Forget what has waited for too many days."""
        ...


class Errands:
    """Runs errands by kind."""

    def __init__(self, index: Index, kinds: Mapping[str, Errand], *, first_delay: float = FIRST_DELAY) -> None:
        self._index, self._kinds, self._first_delay = index, kinds, first_delay

    def run(self, hospital: str, kind: str, destination: str) -> None:
        """Run one errand, unless its destination is left alone for now; schedule the next when there is more."""
        wait = wait_of(self._index, hospital, kind, destination)
        if wait > 0:
            with self._index.transaction(hospital) as connection:
                send_off(connection, hospital, kind, destination, delay=wait)
            return
        try:
            seconds = self._kinds[kind].run(hospital, destination)
        except Exception as error:  # the edge of all errands: whatever it was, it is tried again
            self._failed(hospital, kind, destination, error)
            return
        with self._index.transaction(hospital) as connection:
            succeeded(connection, kind, destination)
            if seconds is not None:
                send_off(connection, hospital, kind, destination, delay=max(seconds, 0.0))

    def wake(self, hospital: str) -> None:
        """Schedule every errand for which rows wait: a job may have been lost, or missed rows committed beside it."""
        for kind, errand in self._kinds.items():
            for destination in errand.waiting(hospital):
                with self._index.transaction(hospital) as connection:
                    send_off(connection, hospital, kind, destination, hurry=False)

    def _failed(self, hospital: str, kind: str, destination: str, error: Exception) -> None:
        self._kinds[kind].give_up(hospital, destination)
        with self._index.transaction(hospital) as connection:
            failures = failed(connection, kind, destination)
            delay = back_off(failures, first_delay=self._first_delay)
            leave_alone(connection, kind, destination, delay)
            send_off(connection, hospital, kind, destination, delay=delay)
        # of what is not ours only the kind: its text may quote a patient
        reason = str(error) if isinstance(error, ArchiveError) else type(error).__name__
        level = logging.INFO if isinstance(error, NotFound) and failures > 1 else logging.WARNING
        log.log(level, "%s to %s failed %d times: %s; again in %.0f s", kind, destination, failures, reason, delay)


def back_off(failures: int, *, first_delay: float = FIRST_DELAY) -> float:
    """Seconds until the next try after so many failures in a row: doubled each time, an hour at most."""
    return min(float(first_delay * 2 ** min(failures - 1, 20)), LONGEST_DELAY)
