"""The durable spool between receiving and archiving.

Law: receivers only add (`Incoming`), workers only take (`Claim`), and both may be killed at any moment. The folders are
the queue: there is no second list that could disagree with them.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pacs.file_meta import file_meta
from pacs.model import Source
from storage.durable import disk_errors
from storage.spool.claims import Claim, Spooled, claim_series
from storage.spool.incoming import Incoming, check_floor
from storage.spool.places import INSTANCE, PART, Places
from storage.spool.spill import Spill

__all__ = ["Claim", "Counts", "Incoming", "Series", "Spill", "Spool", "Spooled"]

_ABANDONED = 3600  # seconds without a write, after which a file that nobody has open is a crash's


@dataclass(frozen=True, slots=True)
class Series:
    """A series with something waiting, or a folder about to go."""

    hospital: str
    series_key: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What waits in the spool of one hospital."""

    files: int
    bytes: int
    oldest: float  # seconds since the oldest instance came; 0 when nothing waits


class Spool:
    """The spool below one data folder; any number of processes may use it at once."""

    def __init__(self, root: Path, *, free_floor: int) -> None:
        self._places = Places(root)
        self._free_floor = free_floor
        self._made: set[str] = set()

    def begin(
        self,
        hospital: str,
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
        source: Source,
    ) -> Incoming:
        """Get ready for one data set; what is announced here is checked at the end ("": not announced).

        OutOfResources below the free-space floor, before anything is written.
        """
        with disk_errors():
            if hospital not in self._made:
                self._places.make(hospital)
                self._made.add(hospital)
            check_floor(self._places.spool, self._free_floor)
        told = {
            "sop_class_uid": sop_class_uid.strip("\0 "),
            "sop_instance_uid": sop_instance_uid.strip("\0 "),
            "transfer_syntax_uid": transfer_syntax_uid.strip("\0 "),
        }
        meta = file_meta(told["sop_class_uid"], told["sop_instance_uid"], told["transfer_syntax_uid"], source)
        return Incoming(self._places, hospital, meta=meta, told=told, free_floor=self._free_floor)

    def spill(self, hospital: str) -> Spill:
        """Room for bytes that come before it is known which instance they belong to."""
        with disk_errors():
            self._places.make(hospital)
        return Spill(self._places.incoming(hospital), free_floor=self._free_floor)

    def series(self) -> Iterator[Series]:
        """Series that have a folder; one listing a hospital, whatever the number of files."""
        for hospital in self._hospitals():
            with disk_errors(), os.scandir(self._places.hospital(hospital)) as entries:
                keys = [entry.name for entry in entries if not entry.name.startswith(".")]
            yield from (Series(hospital, key) for key in keys)

    def claim(self, series: Series) -> Claim | None:
        """Take one series for this worker; None when another has it, or it is gone."""
        return claim_series(self._places, series.hospital, series.series_key)

    def counts(self, hospital: str) -> Counts:
        """Count what waits; reads every name, so ask now and then, not with every instance."""
        files = size = 0
        now = oldest = time.time()
        with disk_errors(), suppress(FileNotFoundError):
            for path in self._places.hospital(hospital).glob(f"[!.]*/*{INSTANCE}"):
                with suppress(FileNotFoundError):  # taken by a worker while we count
                    state = path.stat()
                    files, size, oldest = files + 1, size + state.st_size, min(oldest, state.st_mtime)
        return Counts(files, size, now - oldest)

    def sweep_incoming(self) -> int:
        """Remove what crashes left half received; how many. For start-up, also while other processes receive.

        Nothing in ``.incoming`` was ever acknowledged: `Incoming.finish` renames before it returns. A file that
        somebody still writes is locked; the age covers the moment between its creation and its lock.
        """
        removed = 0
        for hospital in self._hospitals():
            for path in self._places.incoming(hospital).glob(f"*{PART}"):
                with disk_errors(), suppress(FileNotFoundError):
                    if time.time() - path.stat().st_mtime > _ABANDONED and _nobody_writes(path):
                        path.unlink()
                        removed += 1
        return removed

    def _hospitals(self) -> list[str]:
        with disk_errors():
            try:
                with os.scandir(self._places.spool) as entries:
                    return sorted(entry.name for entry in entries if not entry.name.startswith("."))
            except FileNotFoundError:  # nothing was ever received
                return []


def _nobody_writes(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
