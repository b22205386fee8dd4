"""Objects in a local folder.

Law: an object appears by rename after its data is synced, and its name is synced before `put` returns. Names with a
leading dot are ours and never a key.
"""

import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pacs.errors import Damaged, NotFound
from storage.durable import create, disk_errors, make_folder, rename, sync_data, sync_folder, write_all, write_file
from storage.objects.contract import StoredObject, checked_key, whole

_TEMPORARY = ".tmp"
_ABANDONED = 86400  # seconds after which a temporary file is a crash's
_CHUNK = 1024 * 1024
_MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class FolderStore:
    """The object store in one folder of one file system."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._temporary = root / _TEMPORARY
        self._made: set[Path] = set()

    def __repr__(self) -> str:
        return f"FolderStore({str(self._root)!r})"

    def check(self) -> None:
        """Make the folder when it is missing, and remove what crashes left half written."""
        with disk_errors():
            self._folder(self._temporary)
            for path in self._temporary.iterdir():
                with suppress(FileNotFoundError):
                    # the time of change, not of modification: a linked file brings its own modification time along
                    if time.time() - path.stat().st_ctime > _ABANDONED:
                        path.unlink()

    def put(self, key: str, data: bytes) -> None:
        """See `ObjectStore`."""
        with disk_errors():
            target, temporary = self._target(key), self._name()
            write_file(target, data, temporary=temporary)

    def put_file(self, key: str, path: Path) -> None:
        """See `ObjectStore`. Links the file when it can, so that a pack is written to this disk once."""
        with disk_errors():
            target, temporary = self._target(key), self._name()
            try:
                with path.open("rb") as file:
                    try:
                        os.link(path, temporary)
                    except OSError:  # another file system, or one without links
                        _copy(file.fileno(), temporary)
                    else:
                        sync_data(file.fileno())
                rename(temporary, target)
            finally:
                # rename does nothing, and leaves both names, when both are links to one file: the same file put twice
                temporary.unlink(missing_ok=True)

    def read(self, key: str, offset: int, length: int) -> bytes:
        """See `ObjectStore`."""
        path = self._path(key)
        with disk_errors():
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    state = os.fstat(descriptor)
                    if not stat.S_ISREG(state.st_mode):
                        raise NotFound(f"object {key}")
                    if offset + length > state.st_size:
                        raise Damaged("a range past the end of an object")
                    return whole(read_range(descriptor, offset, length), length)
                finally:
                    os.close(descriptor)
            except _MISSING:
                raise NotFound(f"object {key}") from None

    def size(self, key: str) -> int:
        """See `ObjectStore`."""
        path = self._path(key)
        with disk_errors():
            try:
                state = path.stat()
            except _MISSING:
                raise NotFound(f"object {key}") from None
        if not stat.S_ISREG(state.st_mode):
            raise NotFound(f"object {key}")
        return state.st_size

    def listing(self, prefix: str = "") -> Iterator[StoredObject]:
        """See `ObjectStore`."""
        # only folders that can hold such keys are walked: everything below the last whole segment of the prefix
        folder = prefix.rpartition("/")[0]
        for key, state in _walk(self._root / checked_key(folder) if folder else self._root, folder):
            if key.startswith(prefix):
                yield StoredObject(key, state.st_size, state.st_mtime)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """See `ObjectStore`."""
        return (found.key for found in self.listing(prefix))

    def delete(self, key: str) -> None:
        """See `ObjectStore`."""
        path = self._path(key)
        with disk_errors(), suppress(*_MISSING):
            path.unlink()
            sync_folder(path.parent)

    def local_path(self, key: str) -> Path:
        """See `ObjectStore`."""
        path = self._path(key)
        with disk_errors():
            if not path.is_file():
                raise NotFound(f"object {key}")
        return path

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)

    def _target(self, key: str) -> Path:
        path = self._path(key)
        self._folder(self._temporary)
        self._folder(path.parent)
        return path

    def _name(self) -> Path:
        return self._temporary / f"{os.getpid()}-{secrets.token_hex(8)}"

    def _folder(self, folder: Path) -> None:
        """Make a folder below the root, durable level by level; once a process, because folders are never removed."""
        if folder in self._made:
            return
        if folder != self._root:
            self._folder(folder.parent)
        make_folder(folder)
        self._made.add(folder)


def read_range(descriptor: int, offset: int, length: int) -> bytes:
    """Bytes of an open file, fewer only where it ends; one ``pread`` of Linux stops at 2 GiB."""
    parts = []
    while length > 0 and (part := os.pread(descriptor, length, offset)):
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _copy(source: int, target: Path) -> None:
    descriptor = create(target)
    try:
        while chunk := os.read(source, _CHUNK):
            write_all(descriptor, chunk)
        sync_data(descriptor)
    finally:
        os.close(descriptor)


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    """Files below a folder with their keys; what vanishes meanwhile is left out."""
    with disk_errors():
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except _MISSING:
            return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        key = f"{prefix}/{entry.name}" if prefix else entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), key)
        else:
            with disk_errors(), suppress(FileNotFoundError):
                yield key, entry.stat()
