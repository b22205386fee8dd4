"""The one place that knows in which order bytes and names reach the disk.

Law: a file exists after power loss only when (1) its data was synced under another name, (2) it was renamed, and
(3) the folder that holds the name was synced; a folder, when its parent was. Nobody else calls fsync. Errors of the
operating system become the archive's words here: a full disk is OutOfResources, all else Unavailable.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from pacs.errors import OutOfResources, Unavailable

Buffer: TypeAlias = bytes | bytearray | memoryview

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def disk_errors() -> Iterator[None]:
    """OSError → OutOfResources when the disk (or quota, or file size limit) is full, else Unavailable."""
    try:
        yield
    except OSError as error:
        # the name of the file stays out: folders may be named after hospitals, and edges send the detail on
        detail = errno.errorcode.get(error.errno or 0, "disk")
        raise (OutOfResources if error.errno in _FULL else Unavailable)(detail) from error


def write_all(descriptor: int, data: Buffer) -> None:
    """Write every byte; one ``write`` of Linux stops at 2 GiB, or earlier when a signal arrives."""
    with memoryview(data) as whole, whole.cast("B") as view:
        done = 0
        while done < len(view):
            done += os.write(descriptor, view[done:])


def create(path: Path) -> int:
    """Open a file that nobody else has: descriptor for writing; OSError(EEXIST) when the name is taken."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)


def sync_data(descriptor: int) -> None:
    """Data and size on disk (not the times of the file, which nobody promised)."""
    os.fdatasync(descriptor)


def sync_folder(folder: Path | int) -> None:
    """Names in the folder (path or open descriptor) on disk."""
    if isinstance(folder, int):
        os.fsync(folder)
        return
    descriptor = open_folder(folder)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_folder(folder: Path) -> int:
    """Descriptor of a folder; the caller closes it."""
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def make_folder(folder: Path) -> None:
    """Make the folder and its missing parents, and sync every parent on the way.

    The nearest parent is synced even when the folder is there already: whoever made it may not have come to that yet.
    """
    if not folder.parent.is_dir():
        make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o750)
    sync_folder(folder.parent)


def rename(path: Path, target: Path) -> None:
    """Give a file whose data is synced its final name, replacing what was there; on disk when this returns."""
    path.rename(target)
    sync_folder(target.parent)
    if path.parent != target.parent:
        sync_folder(path.parent)


def write_file(target: Path, data: Buffer, *, temporary: Path) -> None:
    """Write a whole file under a temporary name and rename it: readers see all of it or nothing, also after a crash."""
    descriptor = create(temporary)
    try:
        try:
            write_all(descriptor, data)
            sync_data(descriptor)
        finally:
            os.close(descriptor)
        rename(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
