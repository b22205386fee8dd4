"""The whole index of a hospital, from its packs and acts of deletion alone.

Law: what a pack says is filed by the same code as at ingest, so that the rows come out the same; what was deleted stays
deleted. Nothing is dropped silently: what cannot be read is listed, and two packs that contradict each other become a
conflict.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pacs.errors import Damaged, InvalidRequest, NotFound
from storage.archive.acts import History, history
from storage.archive.packed import Packed, file_again, read_packed, target_of
from storage.archive.stores import Stores, object_key
from storage.index.deleting import add_act, add_deleted
from storage.index.reading import is_empty
from storage.index.writing import add_pack, known

Progress = Callable[[int], None]  # packs so far


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild came to."""

    packs: int
    instances: int
    conflicts: int
    deleted: int
    repeated: int  # instances that a second pack holds as well: left by a crash between put and commit
    unreadable: tuple[str, ...]  # keys of objects that are neither packs nor acts


def rebuild_index(stores: Stores, hospital: str, progress: Progress) -> Rebuilt:
    """File everything that lies in a hospital's packs. Raises InvalidRequest when the index is not empty.

    Conflicts come first: an instance that lost a race may lie in a pack of its own as well, which nothing referenced,
    and must not win now. Acts of deletion come before everything: an act that cannot be read is listed, because what it
    deleted comes back.
    """
    if not is_empty(stores.index, hospital):
        raise InvalidRequest(f"hospital {hospital} has rows already; a rebuild starts from an empty schema")
    past = history(stores, hospital)
    with stores.index.transaction(hospital) as connection:
        for act in past.acts:
            add_act(connection, act)
    packs = instances = conflicts = deleted = repeated = 0
    unreadable = list(past.unreadable)
    for kind in ("conflicts", "packs"):
        for found in sorted(stores.objects.listing(object_key(hospital, f"{kind}/")), key=lambda one: one.key):
            key = found.key.removeprefix(f"{hospital}/")
            try:
                packed = read_packed(stores, hospital, key, found.size)
            except (Damaged, NotFound):
                unreadable.append(key)
                continue
            added = _file(stores, hospital, packed, past)
            instances, conflicts, deleted = instances + added[0], conflicts + added[1], deleted + added[2]
            repeated += len(packed.filed) - sum(added)
            packs += 1
            progress(packs)
    return Rebuilt(packs, instances, conflicts, deleted, repeated, tuple(unreadable))


def _file(stores: Stores, hospital: str, packed: Packed, past: History) -> tuple[int, int, int]:
    """File one pack's data sets; how many are instances, conflicts and deleted now."""
    gone = [one for one in packed.filed if target_of(one).key in past.deleted]
    left = [one for one in packed.filed if one not in gone]
    with stores.index.transaction(hospital) as connection:
        there = known(connection, [one.entry.sop_instance_uid for one in gone])
        targets = [target_of(one) for one in gone]
        new = [
            (target, past.deleted[target.key])
            for target in targets
            if all(target.received_at != at for at, _ in there.deleted.get(target.key[:2], ()))
        ]
        if new:
            add_deleted(connection, add_pack(connection, packed.pack), new)
        instances, conflicts = file_again(connection, packed, left)
    return instances, conflicts, len(new)
