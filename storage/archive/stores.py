"""The two stores side by side: rows in the index, bytes in the object store, and the way to the bytes of an instance.

Law: within the object store everything of a hospital lies below its name, so that equal packs of two hospitals are two
objects and a hospital moves as one folder; the index knows keys without it.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pacs.errors import Damaged
from pacs.model import Location, StoredInstance
from storage.cache import PackCache
from storage.index import Index
from storage.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class Stores:
    """What the archive is made of; ``work`` is a folder for packs on their way."""

    index: Index
    objects: ObjectStore
    cache: PackCache
    work: Path

    def read(self, hospital: str, pack_key: str, offset: int, length: int) -> bytes:
        """Bytes of a pack, through the cache."""
        return self.cache.read(object_key(hospital, pack_key), offset, length)


def object_key(hospital: str, pack_key: str) -> str:
    """Where a hospital's pack lies in the object store."""
    return f"{hospital}/{pack_key}"


ReadRange = Callable[[int, int], bytes]


def part10_of(read: ReadRange, stored: StoredInstance) -> bytes:
    """The stored Part 10 file, read by ranges of its pack. Raises Damaged when it is not there whole."""
    location = stored.location
    data = read(location.member_offset, location.member_length)
    if location.deflated:
        data = inflated(data, stored.stored_size)
    if len(data) != stored.stored_size:
        raise Damaged(f"instance {stored.identity.sop_instance_uid}")
    return data


def envelope_of(read: ReadRange, location: Location) -> bytes | None:
    """What stood around the pixel values as received; None when the stored instance says it all."""
    if location.envelope_offset < 0:
        return None
    return inflated(read(location.envelope_offset, location.envelope_length), None)


def inflated(data: bytes, size: int | None) -> bytes:
    """A deflated member's content, of ``size`` bytes when that is known; raises Damaged."""
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # one byte more than promised is enough to see that a damaged member inflates without end
        content = machine.decompress(data, size + 1 if size is not None else 0)
    except zlib.error:
        raise Damaged("a member of a pack does not inflate") from None
    if not machine.eof or (size is not None and len(content) != size):
        raise Damaged("a member of a pack does not inflate")
    return content
