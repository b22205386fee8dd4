"""Storing: the one write across the object store and the index.

Law: an instance is looked up first and never replaced: equal digest is the same instance, another digest is a conflict,
kept whole beside it. Nothing leaves the spool before the commit; what may leave is what `store` returns.
"""

import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pacs.errors import NotFound, Unavailable
from pacs.rows import rows_of
from storage.archive.prepare import Prepared
from storage.archive.stores import Stores, object_key
from storage.index.consequences import follow_up
from storage.index.writing import (
    Filed,
    Known,
    Pack,
    Raced,
    add_conflicts,
    add_instances,
    add_pack,
    known,
)
from storage.packs import PackFile, write_pack

_RACES = 10  # in a row, before somebody has to look
_ABANDONED = 3600  # seconds without a write


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch, by digest of the received data set; all of it may leave the spool."""

    stored: frozenset[str]
    known: frozenset[str]  # the archive had exactly this already
    conflicts: frozenset[str]  # kept beside another data set of the same SOP Instance UID


@dataclass(frozen=True, slots=True)
class Plan:
    """Which instances become which packs."""

    fresh: tuple[Prepared, ...]
    conflicts: tuple[tuple[Prepared, ...], ...]  # one pack each, because a pack holds a UID once
    known: frozenset[str]


def plan(batch: Iterable[Prepared], there: Known) -> Plan:
    """Divide a batch by what is kept under its UIDs already. Pure."""
    fresh: dict[str, Prepared] = {}
    conflicts: list[dict[str, Prepared]] = []
    old = set()
    kept = {uid: set(digests) for uid, digests in there.kept.items()}
    for one in sorted(batch, key=lambda one: (one.entry.received_at, one.entry.digest)):
        uid, digest = one.entry.sop_instance_uid, one.entry.digest
        digests = kept.setdefault(uid, set())
        if digest in digests or there.has(uid, digest, one.entry.received_at):
            old.add(digest)
            continue
        if not digests:
            fresh[uid] = one
        else:
            pack = next((pack for pack in conflicts if uid not in pack), None)
            if pack is None:
                conflicts.append(pack := {})
            pack[uid] = one
        digests.add(digest)
    return Plan(tuple(fresh.values()), tuple(tuple(pack.values()) for pack in conflicts), frozenset(old))


def store(stores: Stores, hospital: str, batch: Sequence[Prepared]) -> Outcome:
    """Store a batch: packs into the object store, then rows in one transaction; afterwards it may leave the spool.

    A crash
    - before or while putting a pack: nothing references it; the spool has the instances and the batch is repeated.
      The pack's key is its digest, so that a repeat writes the same object; what is never repeated is swept by age;
    - between put and commit: the same;
    - after the commit, before the spool is emptied: the instances' digests are found by the next look-up and they are
      dropped as known.
    Another worker with the same SOP Instance UID makes the insert fail: everything is looked up again and repeated. A
    sweep and `add_pack` meet at the unique pack key: whoever is second waits, and the pack's presence is checked after
    that, so that no row ever points to a swept object.
    Raises Unavailable, OutOfResources: nothing was committed, the batch stays in the spool.
    """
    for _ in range(_RACES):
        with stores.index.transaction(hospital) as connection:
            there = known(connection, [one.entry.sop_instance_uid for one in batch])
        planned = plan(batch, there)
        try:
            _store(stores, hospital, planned)
        except Raced:
            continue
        return Outcome(
            stored=frozenset(one.entry.digest for one in planned.fresh),
            known=planned.known,
            conflicts=frozenset(one.entry.digest for pack in planned.conflicts for one in pack),
        )
    raise Unavailable("other workers keep storing the same instances")


def _store(stores: Stores, hospital: str, planned: Plan) -> None:
    groups = [("packs", planned.fresh), *(("conflicts", group) for group in planned.conflicts)]
    written = [(kind, group, put_pack(stores, hospital, kind, group)) for kind, group in groups if group]
    if not written:
        return
    with stores.index.transaction(hospital) as connection:
        for kind, group, pack in written:
            pack_pk = add_pack(connection, Pack(pack.key, pack.size, pack.metadata))
            check_presence(stores, hospital, pack)
            filed = _filed(group, pack)
            if kind == "packs":
                add_instances(connection, pack_pk, filed)
                follow_up(connection, hospital, filed)
            else:
                add_conflicts(connection, pack_pk, filed)


def put_pack(stores: Stores, hospital: str, kind: str, group: Sequence[Prepared]) -> PackFile:
    """Write instances as one pack and put it into the object store; kind: "packs" or "conflicts"."""
    with _temporary(stores.work) as path:
        pack = write_pack(path, [(one.entry, one.compressed, one.metadata) for one in group], kind=kind)
        key = object_key(hospital, pack.key)
        stores.objects.put_file(key, path)
        stores.cache.adopt(path, key)  # who sent images will look at them next
    return pack


def check_presence(stores: Stores, hospital: str, pack: PackFile) -> None:
    """See, after `add_pack`, that no sweep took the pack away between; Raced when one did."""
    try:
        size = stores.objects.size(object_key(hospital, pack.key))
    except NotFound:
        raise Raced from None  # swept between put and `add_pack`
    if size != pack.size:
        raise Unavailable(f"the object store holds {size} of {pack.size} bytes of a pack")


def _filed(group: Sequence[Prepared], pack: PackFile) -> list[Filed]:
    return [
        Filed(
            entry=one.entry,
            rows=rows_of(one.entry, json.loads(one.metadata)),
            location=location,
            stored_size=len(one.compressed.part10),
            place_in_pack=place,
        )
        for place, (one, location) in enumerate(zip(group, pack.locations, strict=True))
    ]


@contextmanager
def _temporary(work: Path) -> Iterator[Path]:
    path = work / f"{os.getpid()}-{secrets.token_hex(8)}.zip"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def clear_work(work: Path) -> None:
    """Remove packs that a crash left on their way; other processes may be using the folder."""
    for path in work.glob("*.zip"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _ABANDONED:
                path.unlink()
