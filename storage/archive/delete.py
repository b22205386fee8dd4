"""Deleting and restoring: rows go at once, bytes stay for a grace time.

Law: the act lies in the object store before a row changes, so that no rebuild brings back what somebody was told is
deleted; rows, counts and audit change in one transaction. Bytes are never touched here: `storage.archive.compact`
leaves them out when their time is over.
"""

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from storage.archive.acts import put_act
from storage.archive.packed import file_again, read_packed, target_of
from storage.archive.stores import Stores
from storage.index.auditing import Event, add_event
from storage.index.deleting import add_act, lock, move_away, restorable, take_back, targets
from storage.index.writing import describe, storable


@dataclass(frozen=True, slots=True)
class Actor:
    """Who deletes or restores, from where, and why."""

    subject: str
    source: str
    reason: str

    def __post_init__(self) -> None:
        # a text that rows cannot hold would fail the transaction after its act was written
        for name in ("subject", "source", "reason"):
            object.__setattr__(self, name, storable(getattr(self, name)))


def delete(stores: Stores, hospital: str, study: str, series: str | None, instance: str | None, *, by: Actor) -> int:
    """Delete a study, a series of it, or one instance; gives how many instances. Raises NotFound when there is none.

    Conflicts under their UIDs go with them. A crash
    - before the act is in the object store: nothing has happened;
    - between the act and the commit: nobody was told that anything is deleted, and it is not, unless the index is
      rebuilt before somebody repeats the request or a sweep removes the act, which no row names;
    - after the commit: it is deleted.
    What arrives meanwhile is not in the act and stays.
    """
    gone = targets(stores.index, hospital, study, series, instance)
    act = put_act(stores, hospital, gone, at=time.time_ns(), restores=False, subject=by.subject, reason=by.reason)
    with stores.index.transaction(hospital) as connection:
        lock(connection, (one.sop_instance_uid for one in gone))
        moved = move_away(connection, add_act(connection, act), gone)
        first = defaultdict(set)
        for pack_key, size, uid in moved.firsts:
            first[pack_key, size].add(uid)
        said = [
            one
            for (pack_key, size), uids in sorted(first.items())
            for one in read_packed(stores, hospital, pack_key, size).filed
            if one.entry.sop_instance_uid in uids
        ]
        describe(connection, sorted(said, key=lambda one: (one.entry.received_at, one.entry.sop_instance_uid)))
        detail = {"instances": moved.instances, "conflicts": moved.conflicts}
        add_event(connection, _event(by, "delete", (study, series, instance), detail))
    return moved.instances


def undelete(stores: Stores, hospital: str, study: str, series: str | None, instance: str | None, *, by: Actor) -> int:
    """Restore what was deleted of a study, series or instance; gives how many data sets. Raises NotFound.

    An instance whose UID was taken meanwhile comes back as a conflict, one that was sent again as nothing: it is there.
    A crash before the commit leaves it deleted; an act that no row names is swept, as in `delete`.
    """
    found = restorable(stores.index, hospital, study, series, instance)
    back = [target for target, _, _ in found]
    act = put_act(stores, hospital, back, at=time.time_ns(), restores=True, subject=by.subject, reason=by.reason)
    with stores.index.transaction(hospital) as connection:
        lock(connection, (one.sop_instance_uid for one in back))
        add_act(connection, act)
        taken = take_back(connection, back)
        # instances before conflicts: a conflict needs somebody to contradict
        for pack_key, size in sorted({(key, size) for _, key, size in found}, reverse=True):
            packed = read_packed(stores, hospital, pack_key, size)
            file_again(connection, packed, [one for one in packed.filed if target_of(one).key in taken])
        add_event(connection, _event(by, "undelete", (study, series, instance), {"instances": len(taken)}))
    return len(taken)


def _event(by: Actor, act: str, uids: tuple[str, str | None, str | None], detail: Mapping[str, int]) -> Event:
    study, series, instance = uids
    return Event(
        subject=by.subject,
        source=by.source,
        act=act,
        outcome="success",
        study_instance_uid=study,
        series_instance_uid=series or "",
        sop_instance_uid=instance or "",
        detail={**detail, "reason": by.reason},
    )
