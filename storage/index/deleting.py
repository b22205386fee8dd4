"""Moving instances among the deleted, and back.

Law: everything in the caller's transaction, rows locked in the order of `storage.index.writing`. What is left empty
disappears; what a deleted instance said of its series, study and patient is said anew by the first of those that are
left, as if the deleted one had never been there.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from pacs.errors import NotFound
from storage.index.connections import Index
from storage.index.reading import within
from storage.index.statements import STATEMENTS
from storage.index.writing import count


@dataclass(frozen=True, slots=True)
class Target:
    """One received data set, told from any other that ever came, also from its own repetition."""

    sop_instance_uid: str
    digest: str  # hex
    received_at: int
    series_instance_uid: str
    study_instance_uid: str

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells it from all others."""
        return self.sop_instance_uid, self.digest, self.received_at


@dataclass(frozen=True, slots=True)
class Act:
    """One act of deleting or restoring, and the key of its object in the store."""

    deletion_key: str
    at: int  # nanoseconds since the epoch, UTC
    restores: bool
    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Moved:
    """What a deletion came to; ``firsts`` (pack key, its size, SOP Instance UID) must be described again."""

    instances: int
    conflicts: int
    firsts: tuple[tuple[str, int, str], ...]


def targets(index: Index, hospital: str, study: str, series: str | None, instance: str | None) -> list[Target]:
    """What a deletion would move: instances, and conflicts under their UIDs. Raises NotFound when there is none."""
    query, values = within("targets", study, series, instance)
    with index.transaction(hospital) as connection:
        found = connection.execute(query, values).fetchall()
        found += connection.execute(STATEMENTS["conflict_targets"], {"uids": [row[0] for row in found]}).fetchall()
    if not found:
        raise NotFound("study, series or instance")
    return [_target(row) for row in found]


def restorable(
    index: Index, hospital: str, study: str, series: str | None, instance: str | None
) -> list[tuple[Target, str, int]]:
    """What was deleted and is still there, each with the key and size of its pack. Raises NotFound."""
    values = {"study": study, "series": series, "instance": instance}
    with index.transaction(hospital) as connection:
        found = connection.execute(STATEMENTS["restorable"], values).fetchall()
    if not found:
        raise NotFound("nothing deleted that could be restored")
    return [(_target(row[:5]), row[5], row[6]) for row in found]


def lock(connection: psycopg.Connection, sop_instance_uids: Iterable[str]) -> None:
    """Keep compaction and ingest away from these instances until the end of the transaction."""
    uids = {"uids": sorted(set(sop_instance_uids))}
    connection.execute(STATEMENTS["lock_packs_of"], uids)
    connection.execute(STATEMENTS["lock_patients_of"], uids)


def add_act(connection: psycopg.Connection, act: Act) -> int:
    """Enter an act and give its row's key."""
    values = {
        "deletion_key": act.deletion_key,
        "at": act.at,
        "restores": act.restores,
        "subject": act.subject,
        "reason": act.reason,
    }
    return int(connection.execute(STATEMENTS["add_deletion"], values).fetchall()[0][0])


def move_away(connection: psycopg.Connection, deletion_pk: int, gone: Sequence[Target]) -> Moved:
    """Move data sets among the deleted, counts and levels above included."""
    values = _keys(gone) | {"deletion_pk": deletion_pk}
    conflicts = connection.execute(STATEMENTS["delete_conflicts"], values).rowcount
    rows = connection.execute(STATEMENTS["delete_instances"], values).fetchall()
    series, studies, patients = (sorted({row[level] for row in rows}) for level in range(3))
    count(connection, Counter({row[0]: -row[3] for row in rows}), ())
    connection.execute(STATEMENTS["drop_empty_series"], {"keys": series})
    count(connection, {}, studies)
    connection.execute(STATEMENTS["drop_empty_studies"], {"keys": studies})
    connection.execute(STATEMENTS["drop_empty_patients"], {"keys": patients})
    opened = {}
    for level, keys in (("patients", patients), ("studies", studies), ("series", series)):
        found = connection.execute(STATEMENTS[f"forget_{level}"], {"keys": keys, "uids": values["uids"]})
        opened[level] = [key for (key,) in found]
    firsts = connection.execute(STATEMENTS["next_firsts"], opened).fetchall()
    return Moved(sum(row[3] for row in rows), conflicts, tuple((key, size, uid) for key, size, uid in firsts))


def take_back(connection: psycopg.Connection, back: Sequence[Target]) -> frozenset[tuple[str, str, int]]:
    """Take data sets from among the deleted; gives the keys of those that were still there."""
    rows = connection.execute(STATEMENTS["take_back"], _keys(back)).fetchall()
    return frozenset((uid, digest.hex(), received_at) for uid, digest, received_at in rows)


def add_deleted(connection: psycopg.Connection, pack_pk: int, gone: Sequence[tuple[Target, str]]) -> None:
    """Enter data sets of a pack as deleted, each by the act of the key given."""
    values = [
        {
            "deletion_key": deletion_key,
            "pack_pk": pack_pk,
            "received_at": target.received_at,
            "digest": bytes.fromhex(target.digest),
            "sop_instance_uid": target.sop_instance_uid,
            "series_instance_uid": target.series_instance_uid,
            "study_instance_uid": target.study_instance_uid,
        }
        for target, deletion_key in gone
    ]
    with connection.cursor() as cursor:
        cursor.executemany(STATEMENTS["add_deleted"], values)


def act_keys(index: Index, hospital: str) -> frozenset[str]:
    """The keys of all acts that were carried out."""
    with index.transaction(hospital) as connection:
        return frozenset(key for (key,) in connection.execute(STATEMENTS["deletion_keys"]))


def _target(row: tuple[Any, ...]) -> Target:
    uid, digest, received_at, series, study = row
    return Target(uid, digest.hex(), received_at, series, study)


def _keys(of: Sequence[Target]) -> dict[str, Any]:
    return {
        "uids": [one.sop_instance_uid for one in of],
        "digests": [bytes.fromhex(one.digest) for one in of],
        "times": [one.received_at for one in of],
    }
