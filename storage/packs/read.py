"""Read what a pack says about itself, wherever it is, by ranged reads.

Law: reads go through the function given, so that the same code serves the object store, the cache and a local file; of
a pack only its directory and its two JSON members are read. What doesn't fit together is Damaged.
"""

import io
import json
import zlib
from collections.abc import Callable
from typing import Any, TypeAlias
from zipfile import BadZipFile, ZipFile

from pacs.errors import Damaged
from pacs.manifest import parse_manifest
from pacs.model import Location, ManifestEntry
from storage.packs.members import MANIFEST, METADATA, Member, members
from storage.packs.write import locate

ReadRange: TypeAlias = Callable[[int, int], bytes]  # (offset, length) → exactly these bytes

_WINDOW = 128 * 1024  # bytes fetched at least: the directory of some 1,000 members in one request


class _Ranges(io.RawIOBase):
    """A file that is read by ranges; it keeps the last one, which at first is the end of the file."""

    def __init__(self, read: ReadRange, size: int) -> None:
        super().__init__()
        self._read, self._size, self._position = read, size, 0
        self._start = max(0, size - _WINDOW)
        self._window = read(self._start, size - self._start)

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if position < 0:
            raise OSError("before the beginning of the pack")  # what a file does, and what zipfile expects
        self._position = position
        return position

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._position)
        wanted = left if size < 0 else min(size, left)
        skip = self._position - self._start
        if skip < 0 or skip + wanted > len(self._window):
            self._start, skip = self._position, 0
            self._window = self._read(self._start, min(left, max(wanted, _WINDOW)))
        self._position += wanted
        return self._window[skip : skip + wanted]


def read_members(read: ReadRange, size: int) -> dict[str, Member]:
    """The members of a pack of ``size`` bytes, by name."""
    try:
        # the class has all of a binary file that reading a directory needs
        with ZipFile(_Ranges(read, size)) as archive:
            return members(archive)
    except (BadZipFile, OSError, ValueError) as error:
        raise Damaged("a pack that isn't a ZIP file") from error


def read_member(read: ReadRange, member: Member) -> bytes:
    """The content of a member, inflated and checked."""
    data = read(member.offset, member.length)
    if member.deflated:
        try:
            # bounded by what the directory says, so that a damaged member cannot inflate without end
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, member.size + 1)
        except zlib.error as error:
            raise Damaged("a member of a pack that doesn't inflate") from error
    if len(data) != member.size or zlib.crc32(data) != member.crc32:
        raise Damaged("a member of a pack that fails its checksum")
    return data


def read_manifest(
    read: ReadRange, size: int, key: str
) -> tuple[tuple[ManifestEntry, ...], tuple[dict[str, Any], ...], tuple[Location, ...]]:
    """Everything the index needs of the pack at ``key``: entries, their DICOM JSON objects and places, in one order."""
    found = read_members(read, size)
    try:
        entries = parse_manifest(read_member(read, found[MANIFEST]))
        objects = json.loads(read_member(read, found[METADATA]))
        locations = tuple(locate(found, key, entry.sop_instance_uid) for entry in entries)
    except (KeyError, ValueError) as error:
        raise Damaged("a pack without all of its members") from error
    if not isinstance(objects, list) or len(objects) != len(entries):
        raise Damaged("a pack whose metadata isn't that of its instances")
    return entries, tuple(objects), locations


def read_metadata(read: ReadRange, member: Member) -> list[bytes]:
    """The DICOM JSON objects of ``metadata.json`` as text, ready to be served, in the order of the manifest."""
    return read_member(read, member)[1:-1].split(b",\n")
