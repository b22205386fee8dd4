"""The whole index of a hospital, from its packs alone.

Law: what a pack says is filed by the same code as at ingest, so that the rows come out the same. Nothing is dropped
silently: what cannot be read is listed, and two packs that contradict each other become a conflict.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pacs.errors import Damaged, InvalidRequest, NotFound
from pacs.rows import rows_of
from storage.archive.stores import Stores, object_key
from storage.index.reading import is_empty
from storage.index.writing import (
    Filed,
    Pack,
    add_conflicts,
    add_instances,
    add_pack,
    known,
)
from storage.packs import read_manifest, read_members
from storage.packs.members import METADATA, instance_name

Progress = Callable[[int], None]  # packs so far


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild came to."""

    packs: int
    instances: int
    conflicts: int
    repeated: int  # instances that a second pack holds as well: left by a crash between put and commit
    unreadable: tuple[str, ...]  # keys of objects that are no packs


def rebuild_index(stores: Stores, hospital: str, progress: Progress) -> Rebuilt:
    """File everything that lies in a hospital's packs. Raises InvalidRequest when the index is not empty.

    Conflicts come first: an instance that lost a race may lie in a pack of its own as well, which nothing referenced,
    and must not win now.
    """
    if not is_empty(stores.index, hospital):
        raise InvalidRequest(f"hospital {hospital} has rows already; a rebuild starts from an empty schema")
    packs = instances = conflicts = repeated = 0
    unreadable: list[str] = []
    for kind in ("conflicts", "packs"):
        prefix = object_key(hospital, f"{kind}/")
        for found in sorted(stores.objects.listing(prefix), key=lambda one: one.key):
            key = found.key.removeprefix(f"{hospital}/")
            try:
                pack, filed = _read(stores, found.key, key, found.size)
            except (Damaged, NotFound):
                unreadable.append(key)
                continue
            added = _file(stores, hospital, kind, pack, filed)
            instances += added[0]
            conflicts += added[1]
            repeated += len(filed) - sum(added)
            packs += 1
            progress(packs)
    return Rebuilt(packs, instances, conflicts, repeated, tuple(unreadable))


def _read(stores: Stores, object_key: str, pack_key: str, size: int) -> tuple[Pack, list[Filed]]:
    read = partial(stores.objects.read, object_key)
    members = read_members(read, size)
    entries, objects, locations = read_manifest(read, size, pack_key)
    filed = [
        Filed(
            entry=entry,
            rows=rows_of(entry, metadata),
            location=location,
            stored_size=members[instance_name(entry.sop_instance_uid)].size,
            place_in_pack=place,
        )
        for place, (entry, metadata, location) in enumerate(zip(entries, objects, locations, strict=True))
    ]
    return Pack(pack_key, size, members[METADATA]), filed


def _file(stores: Stores, hospital: str, kind: str, pack: Pack, filed: list[Filed]) -> tuple[int, int]:
    """File one pack's instances; how many are instances and how many conflicts now."""
    with stores.index.transaction(hospital) as connection:
        there = known(connection, [one.entry.sop_instance_uid for one in filed])
        new = [one for one in filed if one.entry.digest not in there.kept.get(one.entry.sop_instance_uid, ())]
        fresh = [one for one in new if kind == "packs" and one.entry.sop_instance_uid not in there.instances]
        contradicting = [one for one in new if one not in fresh]
        if new:
            pack_pk = add_pack(connection, pack)
            add_instances(connection, pack_pk, fresh)
            add_conflicts(connection, pack_pk, contradicting)
    return len(fresh), len(contradicting)
