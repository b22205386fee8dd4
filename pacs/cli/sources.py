"""Instances in folders and ZIP archives, as streams.

Law: nothing is extracted and no path of an archive is ever used as a path, so a hostile ZIP can only be refused. What
an archive may inflate to is bounded before its first member is read.
"""

import functools
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pacs.errors import InvalidRequest, Unreadable
from pacs.settings import MIB

MOST_MEMBERS = 1_000_000
MOST_INFLATION = 200  # times the size of the archive; a whole study of CT inflates to 3, of empty images to 100
FREE_INFLATION = 1024 * MIB  # allowed whatever the size of the archive
ENCRYPTED = 0x1  # bit of a member's flags
SKIPPED = frozenset({"DICOMDIR", "LOCKFILE", "VERSION", "Thumbs.db", ".DS_Store"})  # beside instances on media


@dataclass(frozen=True, slots=True)
class FileSource:
    """One file of a folder, or one member of a ZIP archive."""

    path: Path
    size: int
    member: zipfile.ZipInfo | None = None

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return f"{self.path}:{self.member.filename}" if self.member else str(self.path)

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Its bytes from the beginning; raises Unreadable when a member is damaged or encrypted."""
        if self.member is None:
            with self.path.open("rb") as file:
                yield file
            return
        if self.member.flag_bits & ENCRYPTED:
            raise Unreadable("encrypted ZIP member")
        try:
            with _archive(self.path).open(self.member) as file:
                yield file
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
            raise Unreadable(f"damaged ZIP member: {error}") from None


@functools.lru_cache(maxsize=1)
def _archive(path: Path) -> zipfile.ZipFile:
    """Kept open from member to member: reading the directory anew for each would be quadratic."""
    return zipfile.ZipFile(path)


def find_sources(paths: Iterable[Path]) -> Iterator[FileSource]:
    """Every candidate below folders, in ZIP archives and among the files given; in a stable order.

    Raises InvalidRequest for a path that is not there or an archive that inflates beyond bounds.
    """
    for path in paths:
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders.sort()
                yield from _several(Path(folder, name) for name in sorted(names))
        elif path.is_file():
            yield from _several([path])
        else:
            raise InvalidRequest(f"{path} is neither a file nor a folder")


def _several(paths: Iterable[Path]) -> Iterator[FileSource]:
    for path in paths:
        if path.name in SKIPPED or not path.is_file():
            continue
        if zipfile.is_zipfile(path):
            yield from _members(path)
        else:
            yield FileSource(path, path.stat().st_size)


def _members(path: Path) -> Iterator[FileSource]:
    try:
        members = [member for member in _archive(path).infolist() if not member.is_dir()]
    except zipfile.BadZipFile as error:
        raise InvalidRequest(f"{path}: {error}") from None
    if len(members) > MOST_MEMBERS:
        raise InvalidRequest(f"{path} has {len(members)} members")
    inflated = sum(member.file_size for member in members)
    if inflated > FREE_INFLATION + MOST_INFLATION * path.stat().st_size:
        raise InvalidRequest(f"{path} would inflate to {inflated} bytes")
    for member in members:
        if Path(member.filename).name not in SKIPPED:
            yield FileSource(path, member.file_size, member)
