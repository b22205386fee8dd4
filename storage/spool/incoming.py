"""One instance on its way in, up to the moment when its bytes are ours to keep.

Law: `finish` returns only when data and name are on disk; until then nothing is acknowledged, and whatever goes wrong
leaves nothing behind. Small instances stay in memory and touch the disk once; larger ones stream to a file, so that
the memory of a receiver doesn't depend on what a modality sends. Nothing is decoded here: the header is parsed as far
as (0020,000E), because an instance that cannot be filed must be refused now, while its sender still listens.
"""

import fcntl
import hashlib
import mmap
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Self

from pacs.dataset import identify, read_data_set, series_key
from pacs.dataset.identity import IDENTIFYING_END
from pacs.errors import ArchiveError, OutOfResources, Unavailable, Unidentified, Unreadable
from pacs.model import Identity
from storage.durable import Buffer, create, disk_errors, open_folder, sync_data, sync_folder, write_all
from storage.spool.places import INSTANCE, PART, Places
from storage.spool.quarantine import set_aside

MEMORY = 8 * 1024 * 1024  # bytes of a data set kept in memory before it goes to disk
_RETRIES = 100  # times that workers may remove the series folder under our hands before we call the disk broken


class Incoming:
    """A data set being received, by one thread; as a context manager it discards what was not finished."""

    def __init__(self, places: Places, hospital: str, *, meta: bytes, told: dict[str, str], free_floor: int) -> None:
        self._places, self._hospital, self._meta, self._told = places, hospital, meta, told
        self._free_floor = free_floor
        self._sha256 = hashlib.sha256()
        self._memory = bytearray()
        self._descriptor = -1
        self._path: Path | None = None
        self.size = 0  # bytes of the data set so far

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    @property
    def digest(self) -> str:
        """SHA-256 of the data set so far, hex."""
        return self._sha256.hexdigest()

    def write(self, chunk: Buffer) -> None:
        """Take the next bytes of the data set. OutOfResources or Unavailable: everything so far is discarded."""
        self._sha256.update(chunk)
        self.size += len(chunk)
        if self._path is None and self.size <= MEMORY:
            self._memory += chunk
            return
        try:
            with disk_errors():
                if self._path is None:
                    self._open()
                check_floor(self._places.spool, self._free_floor)
                write_all(self._descriptor, chunk)
        except ArchiveError:
            self.discard()
            raise

    def data_set(self) -> memoryview:
        """The bytes so far, without a copy: from memory, or mapped from the file."""
        if self._path is None:
            return memoryview(self._memory)
        return memoryview(mmap.mmap(self._descriptor, 0, access=mmap.ACCESS_READ))[len(self._meta) :]

    def discard(self) -> None:
        """Forget all of it; harmless after `finish` and when repeated."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._path is not None:
            with suppress(OSError):  # a file that cannot be removed now is removed at start-up
                self._path.unlink(missing_ok=True)
            self._path = None
        self._memory = bytearray()

    def finish(self, *, study_instance_uid: str = "") -> Identity:
        """Check whose instance this is and keep it; on disk when this returns.

        ``study_instance_uid``: the study the sender announced, if it did (PS3.18 10.5.1). Unidentified, Unreadable: the
        bytes are in quarantine, on disk. OutOfResources, Unavailable: nothing is kept.
        """
        try:
            with disk_errors():
                try:
                    identity = self._identity(study_instance_uid)
                except (Unidentified, Unreadable) as error:
                    path = self._synced()
                    folder = self._places.quarantine(self._hospital)
                    set_aside(path, folder, digest=self.digest, reason=str(error), told=self._told)
                    raise
                self._place(self._synced(), series_key(identity))
                return identity
        finally:
            self.discard()

    def _open(self) -> Path:
        """Start the file. Its lock lasts as long as the descriptor, and tells `sweep_incoming` that somebody writes."""
        path = self._places.incoming(self._hospital) / f"{os.getpid()}-{secrets.token_hex(8)}{PART}"
        self._descriptor = create(path)
        self._path = path
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_all(self._descriptor, self._meta)
        write_all(self._descriptor, self._memory)
        self._memory = bytearray()
        return path

    def _synced(self) -> Path:
        """The whole Part 10 file under its temporary name, data on disk."""
        path = self._path or self._open()
        sync_data(self._descriptor)
        return path

    def _identity(self, study_instance_uid: str) -> Identity:
        """Whose instance this is. Unreadable; Unidentified when a UID is missing or isn't the announced one."""
        header = read_data_set(self.data_set(), self._told["transfer_syntax_uid"], until=IDENTIFYING_END)
        if not header.elements:  # garbage whose first bytes pass for a later tag
            raise Unreadable("it does not begin like a data set")
        identity = identify(header)
        announced = (
            ("SOP Class UID", self._told["sop_class_uid"], identity.sop_class_uid),
            ("SOP Instance UID", self._told["sop_instance_uid"], identity.sop_instance_uid),
            ("Study Instance UID", study_instance_uid.strip("\0 "), identity.study_instance_uid),
        )
        for name, told, found in announced:
            if told and told != found:
                raise Unidentified(f"{name} {found[:64]} was announced as {told[:64]}")
        return identity

    def _place(self, path: Path, key: str) -> None:
        """Rename the file into its series' folder and sync the folder, and its parent when the folder is new.

        The same digest may be there already: then the rename replaces a file by one with the same data set, and that is
        harmless even while a worker works on it. A worker that has opened the old one reads the same bytes. A worker
        that is about to unlink the name unlinks ours, but it only does so after it has committed this digest to the
        archive (or moved these same bytes to quarantine): what we acknowledge is kept either way.

        A worker may remove the empty folder between our mkdir and the rename. Holding the folder by descriptor makes
        that visible as ENOENT, also when another receiver has made a new folder of the same name; we begin again.
        """
        folder = self._places.hospital(self._hospital) / key
        for _ in range(_RETRIES):
            with suppress(FileExistsError):
                folder.mkdir(mode=0o750)
            try:
                descriptor = open_folder(folder)
            except FileNotFoundError:
                continue
            try:
                os.rename(path, f"{self.digest}{INSTANCE}", dst_dir_fd=descriptor)
                # From here on a failure leaves the file in place: unlinking it could take away the same instance that
                # another association has just acknowledged under this name.
                _sync_new_folder(descriptor, folder)
                sync_folder(descriptor)
            except FileNotFoundError:
                continue
            else:
                return
            finally:
                os.close(descriptor)
        raise Unavailable("the folder of the series vanishes again and again")


def _sync_new_folder(descriptor: int, folder: Path) -> None:
    """Sync the parent unless somebody has done so since the folder was made; the folder's sticky bit says it was done.

    Knowing only "I made it" is not enough: another receiver may have made it and not have come to the sync yet. The
    bit goes away with the folder, so it cannot speak for a later one of the same name.
    """
    mode = os.fstat(descriptor).st_mode
    if not mode & stat.S_ISVTX:
        sync_folder(folder.parent)
        os.fchmod(descriptor, stat.S_IMODE(mode) | stat.S_ISVTX)


def check_floor(folder: Path, free_floor: int) -> None:
    """OutOfResources when less than ``free_floor`` bytes are free: PostgreSQL may live on the same disk."""
    state = os.statvfs(folder)
    if state.f_bavail * state.f_frsize < free_floor:
        raise OutOfResources("the spool has reached its free-space floor")
