"""One worker at a time on one series, and what it may do there.

Law: a claim is a lock of the kernel on the series' folder, so that it ends with its process however that ends. A file
leaves the folder in two ways only: `drop`, after its digest is committed, or `quarantine`. Which files to process, and
when, is planned in `pacs.batches`.
"""

import fcntl
import mmap
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pacs.batches import Attempt, Waiting, attempt_json, parse_attempt
from pacs.errors import ArchiveError, NotFound
from storage.durable import disk_errors, open_folder, write_file
from storage.spool.places import INSTANCE, MARKER, NEW_MARKER, Places
from storage.spool.quarantine import set_aside

_MAPPED = 8 * 1024 * 1024  # files above this are mapped, not read: a 2 GB instance must not double in memory


@dataclass(frozen=True, slots=True)
class Spooled:
    """One waiting instance, opened."""

    digest: str
    part10: bytes | mmap.mmap
    received_at: int  # nanoseconds since the epoch


class Claim:
    """The right to process one series of one hospital; a context manager that gives it back.

    Its methods raise Unavailable or OutOfResources when the disk fails.
    """

    def __init__(self, places: Places, hospital: str, series_key: str, descriptor: int) -> None:
        self.hospital, self.series_key = hospital, series_key
        self._places, self._descriptor = places, descriptor
        self._folder = places.hospital(hospital) / series_key

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def waiting(self) -> list[Waiting]:
        """What lies in the folder, in no order."""
        found = []
        with disk_errors(), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(INSTANCE):
                    state = entry.stat()
                    found.append(Waiting(entry.name.removesuffix(INSTANCE), state.st_size, state.st_mtime_ns))
        return found

    def attempt(self) -> Attempt | None:
        """The attempt that somebody began and did not end; None when there is none."""
        with disk_errors():
            try:
                return parse_attempt((self._folder / MARKER).read_bytes())
            except FileNotFoundError:
                return None

    def begin(self, attempt: Attempt) -> None:
        """Write down, durable, what is about to be processed."""
        with disk_errors():
            temporary = self._folder / NEW_MARKER
            temporary.unlink(missing_ok=True)  # left by a crash; the claim makes it ours
            write_file(self._folder / MARKER, attempt_json(attempt), temporary=temporary)

    def end(self) -> None:
        """Erase that again: processing came to an end, whether well or not. Call it after `drop`."""
        with disk_errors():
            # not synced: a marker that power loss brings back names instances that are gone, and is then ignored
            (self._folder / MARKER).unlink(missing_ok=True)

    def read(self, digest: str) -> Spooled:
        """Open one instance; NotFound when it isn't there."""
        with disk_errors():
            try:
                with self._path(digest).open("rb") as file:
                    state = os.fstat(file.fileno())
                    part10 = (
                        file.read()
                        if state.st_size <= _MAPPED
                        else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                    )
            except FileNotFoundError:
                raise NotFound("the instance is not in the spool") from None
        return Spooled(digest, part10, state.st_mtime_ns)

    def drop(self, digests: Iterable[str]) -> None:
        """Remove instances whose digests are committed to the archive.

        Not synced: after power loss they may be back, are found to be archived already, and are dropped again.
        """
        with disk_errors():
            for digest in digests:
                self._path(digest).unlink(missing_ok=True)

    def quarantine(self, digest: str, reason: str) -> Path:
        """Set one instance aside, with the reason; durable. NotFound when it isn't there."""
        with disk_errors():
            try:
                return set_aside(
                    self._path(digest),
                    self._places.quarantine(self.hospital),
                    digest=digest,
                    reason=reason,
                    told={"series_key": self.series_key},
                )
            except FileNotFoundError:
                raise NotFound("the instance is not in the spool") from None

    def release(self) -> None:
        """Give the series back, and remove its folder when nothing is left in it."""
        if self._descriptor < 0:
            return
        # Only rmdir can tell "empty" and act on it in one step: a receiver that renames a file in first makes it fail,
        # one that comes later gets ENOENT and makes a new folder (Incoming._place).
        with suppress(OSError, ArchiveError):
            if not self.waiting():
                for left_by_a_crash in (MARKER, NEW_MARKER):
                    (self._folder / left_by_a_crash).unlink(missing_ok=True)
                self._folder.rmdir()
        os.close(self._descriptor)
        self._descriptor = -1

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digest}{INSTANCE}"


def claim_series(places: Places, hospital: str, series_key: str) -> Claim | None:
    """Lock a series' folder; None when another worker has it, or it is gone."""
    folder = places.hospital(hospital) / series_key
    with disk_errors():
        try:
            descriptor = open_folder(folder)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # the folder may have been removed, and made anew, since we opened it: then our lock guards nothing
            if os.path.samestat(os.fstat(descriptor), folder.stat()):
                return Claim(places, hospital, series_key, descriptor)
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None
