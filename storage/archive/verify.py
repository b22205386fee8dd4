"""Reading everything back: each pack is the bytes it was, each instance restores to what was received.

Law: the object store is read itself, never the cache; what is wrong is listed, never repaired or hidden here.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import cast

from pacs.errors import ArchiveError, Damaged, NotFound
from pacs.model import StoredInstance
from pacs.transcode.restore import restored
from storage.archive.stores import Stores, envelope_of, object_key, part10_of
from storage.index.reading import count_packs, instances_of_pack, packs

_CHUNK = 8 * 1024 * 1024

Progress = Callable[[int, int], None]  # bytes of packs read, bytes of all packs


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not as it was stored; ``sop_instance_uid`` is "" when it concerns the whole pack."""

    pack_key: str
    sop_instance_uid: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What reading everything back came to."""

    packs: int
    instances: int
    bytes: int
    damages: tuple[Damage, ...]


def verify(stores: Stores, hospital: str, progress: Progress) -> Verification:
    """Read every pack of a hospital back and check all digests. Raises Unavailable when a store does not answer."""
    total = count_packs(stores.index, hospital)[1]
    damages: list[Damage] = []
    seen = instances = done = 0
    for key, size in packs(stores.index, hospital):
        stored = instances_of_pack(stores.index, hospital, key)
        damages += _damages(stores, hospital, key, size, stored)
        seen, instances, done = seen + 1, instances + len(stored), done + size
        progress(done, total)
    return Verification(seen, instances, done, tuple(damages))


def _damages(stores: Stores, hospital: str, key: str, size: int, stored: list[StoredInstance]) -> Iterator[Damage]:
    try:
        with opened_pack(stores, hospital, key, size) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != Path(key).stem:
                yield Damage(key, "", "the pack's SHA-256 is not that of its key")
            for one in stored:
                reason = _reason(file, one)
                if reason:
                    yield Damage(key, one.identity.sop_instance_uid, reason)
    except (NotFound, Damaged) as error:
        yield Damage(key, "", str(error))


def _reason(file: BufferedReader, stored: StoredInstance) -> str:
    """Why an instance is damaged, "" when it restores to what was received."""

    def read(offset: int, length: int) -> bytes:
        file.seek(offset)
        data = file.read(length)
        if len(data) != length:
            raise Damaged("the pack ends early")
        return data

    digest = hashlib.sha256()
    try:
        envelope = envelope_of(read, stored.location)
        part10 = part10_of(read, stored)
        for piece in restored(part10, envelope, stored.before, stored.received_transfer_syntax_uid):
            digest.update(piece)
    except Exception as error:  # a decoder may say anything about damaged bytes; all of it means the same
        return str(error) if isinstance(error, ArchiveError) else f"it cannot be restored ({type(error).__name__})"
    return "" if digest.hexdigest() == stored.digest else "it does not restore to what was received"


@contextmanager
def opened_pack(stores: Stores, hospital: str, key: str, size: int) -> Iterator[BufferedReader]:
    """The pack as a local file: itself when the store is a folder, otherwise a copy for the time being."""
    full_key = object_key(hospital, key)
    local = stores.objects.local_path(full_key)
    if local is not None:
        with local.open("rb") as file:
            yield file
        return
    if stores.objects.size(full_key) != size:
        raise Damaged("the pack has another size than when it was stored")
    with NamedTemporaryFile(dir=stores.work, suffix=".zip") as copy:
        for offset in range(0, size, _CHUNK):
            copy.write(stores.objects.read(full_key, offset, min(_CHUNK, size - offset)))
        copy.seek(0)
        yield cast("BufferedReader", copy)
