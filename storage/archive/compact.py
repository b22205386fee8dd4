"""Compaction: small packs of a quiet series become one, and deleted instances leave the object store.

Law: a pack is never changed, only replaced: new pack put → one transaction moves rows → the old packs are referenced by
nobody and swept by age. Members are copied as they are, from packs whose digest was checked first; nothing is decoded.
A conflict never enters a pack of instances, and a pack holds a UID once.
"""

import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from pacs.errors import Damaged, NotFound
from pacs.model import Compressed
from storage.archive.prepare import Prepared
from storage.archive.store import check_presence, put_pack
from storage.archive.stores import Stores
from storage.archive.verify import opened_pack
from storage.index.compacting import (
    Content,
    contents,
    due_packs,
    lock_contents,
    relocate,
    retire,
    scattered_series,
)
from storage.index.writing import Pack, Raced, add_pack
from storage.packs import read_manifest, read_member, read_members, read_metadata
from storage.packs.members import METADATA, envelope_name, instance_name

SMALL = 0.5  # of a full pack: above, joining would only copy


@dataclass(frozen=True, slots=True)
class Compaction:
    """What one round came to."""

    replaced: tuple[str, ...]  # keys of packs that a sweep will remove
    written: tuple[str, ...]  # keys of packs in their place
    dropped: int  # deleted data sets whose time was over
    damaged: tuple[str, ...]  # keys of packs that were left alone


def plan_groups(found: Iterable[Content], *, pack_bytes: int) -> list[list[str]]:
    """Which packs become one: at most ``pack_bytes`` together, never a UID twice, oldest first. Pure."""
    by_pack: dict[str, list[Content]] = {}
    for one in found:
        by_pack.setdefault(one.pack_key, []).append(one)
    groups: list[tuple[list[str], int, set[str]]] = []
    for key, held in sorted(by_pack.items(), key=lambda item: min(one.received_at for one in item[1])):
        uids, size = {one.sop_instance_uid for one in held}, held[0].pack_size
        fitting = next((g for g in groups if g[1] + size <= pack_bytes and not g[2] & uids), None)
        if fitting is None:
            groups.append(([key], size, uids))
        else:
            position = groups.index(fitting)
            groups[position] = ([*fitting[0], key], fitting[1] + size, fitting[2] | uids)
    return [keys for keys, _, _ in groups if len(keys) > 1]


def compact(stores: Stores, hospital: str, *, grace: float, quiet: float, pack_bytes: int) -> Compaction:
    """Leave out what was deleted ``grace`` seconds ago, then join packs of series that are ``quiet`` for so long.

    A crash
    - before or while putting a new pack: nothing references it; swept by age;
    - between put and commit: the same;
    - after the commit: the rows lie in the new pack, the old ones wait for the sweep.
    Whatever changes a pack's rows meanwhile (a deletion, another compaction) makes this round leave the pack alone.
    Raises Unavailable, OutOfResources; what was replaced until then stays so.
    """
    now = time.time_ns()
    before = now - round(grace * 1e9)
    rounds = [[key] for key in due_packs(stores.index, hospital, deleted_before=before)]
    done = [_replace(stores, hospital, keys, deleted_before=before) for keys in rounds]
    small = round(SMALL * pack_bytes)
    for keys in scattered_series(stores.index, hospital, small=small, quiet_before=now - round(quiet * 1e9)):
        found = contents(stores.index, hospital, keys)
        groups = plan_groups(found, pack_bytes=pack_bytes)
        done += [_replace(stores, hospital, group, deleted_before=before) for group in groups]
    return Compaction(
        replaced=tuple(key for one in done for key in one.replaced),
        written=tuple(key for one in done for key in one.written),
        dropped=sum(one.dropped for one in done),
        damaged=tuple(key for one in done for key in one.damaged),
    )


def _replace(stores: Stores, hospital: str, keys: Sequence[str], *, deleted_before: int) -> Compaction:
    """Replace packs by one that holds all but what was deleted before a time; by none when nothing is left."""
    found = contents(stores.index, hospital, keys)
    left = [one for one in found if not 0 < one.deleted_at < deleted_before]
    try:
        members = [member for key in keys for member in _members(stores, hospital, key, left)]
    except (Damaged, NotFound):
        return Compaction((), (), 0, tuple(keys))
    kind = keys[0].partition("/")[0]
    pack = put_pack(stores, hospital, kind, [prepared for _, prepared in members]) if members else None
    try:
        with stores.index.transaction(hospital) as connection:
            pack_pk = add_pack(connection, Pack(pack.key, pack.size, pack.metadata)) if pack else 0
            if lock_contents(connection, keys) != found:
                raise Raced  # noqa: TRY301  # leaving the transaction takes `add_pack` back
            if pack:
                check_presence(stores, hospital, pack)
                moved = [content for content, _ in members]
                relocate(connection, pack_pk, list(zip(moved, pack.locations, strict=True)))
            retire(connection, keys, deleted_before=deleted_before)
    except Raced:
        return Compaction((), (), 0, ())
    return Compaction(tuple(keys), (pack.key,) if pack else (), len(found) - len(left), ())


def _members(stores: Stores, hospital: str, key: str, left: Sequence[Content]) -> list[tuple[Content, Prepared]]:
    """Those members of a pack that stay, read back whole. Raises Damaged, NotFound."""
    staying = {(one.digest, one.received_at): one for one in left if one.pack_key == key}
    if not staying:
        return []
    size = next(iter(staying.values())).pack_size
    with opened_pack(stores, hospital, key, size) as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != Path(key).stem:
            raise Damaged("the pack's SHA-256 is not that of its key")
        found = [
            (staying[prepared.entry.digest, prepared.entry.received_at], prepared)
            for prepared in _prepared(file, key, size, staying)
        ]
    if len(found) != len(staying):
        raise Damaged("the pack does not hold what rows say")
    return found


def _prepared(file: BufferedReader, key: str, size: int, staying: dict[tuple[str, int], Content]) -> Iterable[Prepared]:
    def read(offset: int, length: int) -> bytes:
        file.seek(offset)
        return file.read(length)

    members = read_members(read, size)
    entries, _, _ = read_manifest(read, size, key)
    lines = read_metadata(read, members[METADATA])
    for entry, line in zip(entries, lines, strict=True):
        if (entry.digest, entry.received_at) in staying:
            envelope = members.get(envelope_name(entry.sop_instance_uid))
            compressed = Compressed(
                part10=read_member(read, members[instance_name(entry.sop_instance_uid)]),
                transfer_syntax_uid=entry.transfer_syntax_uid,
                envelope=read_member(read, envelope) if envelope else None,
                before=entry.before,
                verdict=entry.verdict,
                reason=entry.reason,
            )
            yield Prepared(entry, compressed, line)
