"""Rows of packs that are replaced by others.

Law: everything in the caller's transaction; packs are locked first, as everywhere. A row says where a data set lies and
nothing else changes here.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pacs.model import Location
from storage.index.connections import Connection, Index
from storage.index.statements import STATEMENTS

_RELOCATE = {"instance": "relocate_instance", "conflict": "relocate_conflict", "deleted": "relocate_deleted"}
_PLACE = ("member_offset", "member_length", "deflated", "envelope_offset", "envelope_length")


@dataclass(frozen=True, slots=True, order=True)
class Content:
    """One data set that a pack holds, as rows say."""

    pack_key: str
    pack_size: int
    sop_instance_uid: str
    digest: str  # hex
    received_at: int
    deleted_at: int  # nanoseconds since the epoch; 0: not deleted


def due_packs(index: Index, hospital: str, *, deleted_before: int) -> list[str]:
    """Keys of packs with something that was deleted before a time (nanoseconds)."""
    with index.transaction(hospital) as connection:
        rows = connection.execute(STATEMENTS["due_packs"], {"deleted_before": deleted_before}).fetchall()
    return [key for (key,) in rows]


def scattered_series(index: Index, hospital: str, *, small: int, quiet_before: int) -> list[list[str]]:
    """Keys of packs below ``small`` bytes, for each series that has several and got nothing since ``quiet_before``."""
    with index.transaction(hospital) as connection:
        values = {"small": small, "quiet_before": quiet_before}
        return [keys for (keys,) in connection.execute(STATEMENTS["scattered_series"], values).fetchall()]


def contents(index: Index, hospital: str, keys: Sequence[str]) -> list[Content]:
    """What packs hold at the moment, sorted."""
    with index.transaction(hospital) as connection:
        return _contents(connection, keys)


def lock_contents(connection: Connection, keys: Sequence[str]) -> list[Content]:
    """The same, and nobody changes it until the end of the transaction."""
    connection.execute(STATEMENTS["lock_packs"], {"keys": list(keys)})
    return _contents(connection, keys)


def relocate(connection: Connection, pack_pk: int, moved: Sequence[tuple[Content, Location]]) -> None:
    """Say that data sets lie in another pack now, in the order of its members."""
    values: dict[str, list[dict[str, Any]]] = {table: [] for table in _RELOCATE}
    for place, (content, location) in enumerate(moved):
        table = "instance" if content.pack_key.startswith("packs/") else "conflict"
        found = asdict(location)
        values["deleted" if content.deleted_at else table].append(
            {name: found[name] for name in _PLACE}
            | {
                "pack_pk": pack_pk,
                "place_in_pack": place,
                "sop_instance_uid": content.sop_instance_uid,
                "digest": bytes.fromhex(content.digest),
                "received_at": content.received_at,
            }
        )
    with connection.cursor() as cursor:
        for table, rows in values.items():
            cursor.executemany(STATEMENTS[_RELOCATE[table]], rows)


def retire(connection: Connection, keys: Sequence[str], *, deleted_before: int) -> None:
    """Take packs out of the index, with what was deleted in them before a time; all else must lie elsewhere by now."""
    values = {"keys": list(keys), "deleted_before": deleted_before}
    connection.execute(STATEMENTS["drop_deleted"], values)
    connection.execute(STATEMENTS["retire_packs"], values)


def retired_lately(connection: Connection, pack_key: str, *, min_age: float) -> bool:
    """Whether a pack was retired less than ``min_age`` seconds ago."""
    values = {"pack_key": pack_key, "min_age": min_age}
    return connection.execute(STATEMENTS["retired_lately"], values).fetchone() is not None


def forget_retired(connection: Connection, pack_key: str) -> None:
    """Forget a retired pack; its object is gone."""
    connection.execute(STATEMENTS["forget_retired"], {"pack_key": pack_key})


def _contents(connection: Connection, keys: Sequence[str]) -> list[Content]:
    rows = connection.execute(STATEMENTS["contents_of_packs"], {"keys": list(keys)}).fetchall()
    return sorted(Content(key, size, uid, digest.hex(), at, gone) for key, size, uid, digest, at, gone in rows)
