"""Finding: where stored instances are, and which packs there are.

Law: rows become values here; conditions come from a fixed table, values are parameters.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from psycopg.rows import dict_row
from psycopg.sql import SQL, Composed

from pacs.errors import NotFound
from pacs.frames import unpack_frames
from pacs.model import Identity, Location, StoredInstance
from storage.index.connections import Index
from storage.index.statements import STATEMENTS
from storage.packs import Member

_IDENTITY = tuple(field.name for field in fields(Identity))
_LOCATION = tuple(field.name for field in fields(Location))
_CONDITIONS = (
    SQL("study.study_instance_uid = %(study)s"),
    SQL("series.series_instance_uid = %(series)s"),
    SQL("instance.sop_instance_uid = %(instance)s"),
)


@dataclass(frozen=True, slots=True)
class MetadataPlace:
    """Where the DICOM JSON of one instance is."""

    pack_key: str
    metadata: Member
    place_in_pack: int


def stored_instances(
    index: Index, hospital: str, study: str | None, series: str | None = None, instance: str | None = None
) -> list[StoredInstance]:
    """The instances of a study, of one of its series, or one, in reading order. Raises NotFound when there is none."""
    query, values = within("stored_instances", study, series, instance)
    with index.transaction(hospital) as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, values).fetchall()
    if not rows:
        raise NotFound("study, series or instance")
    return [stored_of(row) for row in rows]


def metadata_places(
    index: Index, hospital: str, study: str, series: str | None = None, instance: str | None = None
) -> list[MetadataPlace]:
    """The same instances in the same order, as places of their metadata. Raises NotFound when there is none."""
    query, values = within("metadata_places", study, series, instance)
    with index.transaction(hospital) as connection:
        rows = connection.execute(query, values).fetchall()
    if not rows:
        raise NotFound("study, series or instance")
    return [
        MetadataPlace(key, Member(offset, length, deflated, size, crc32), place)
        for key, offset, length, deflated, size, crc32, place in rows
    ]


def count_instances(index: Index, hospital: str, study: str) -> int:
    """How many instances of a study are filed."""
    with index.transaction(hospital) as connection:
        return int(connection.execute(STATEMENTS["count_of_study"], {"study": study}).fetchall()[0][0])


def packs(index: Index, hospital: str) -> Iterator[tuple[str, int]]:
    """Key and size of every pack, also those that hold conflicts."""
    after = 0
    while True:
        with index.transaction(hospital) as connection:
            rows = connection.execute(STATEMENTS["next_packs"], {"after": after}).fetchall()
        yield from ((key, size) for _, key, size in rows)
        if not rows:
            return
        after = rows[-1][0]


def count_packs(index: Index, hospital: str) -> tuple[int, int]:
    """How many packs there are, and their bytes together."""
    with index.transaction(hospital) as connection:
        count, size = connection.execute(STATEMENTS["count_packs"]).fetchall()[0]
    return count, int(size)


def instances_of_pack(index: Index, hospital: str, pack_key: str) -> list[StoredInstance]:
    """Everything that the index says lies in one pack: instances and conflicts."""
    query = STATEMENTS["stored_instances"] + SQL(" WHERE pack.pack_key = %(pack_key)s ORDER BY instance.member_offset")
    with index.transaction(hospital) as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, {"pack_key": pack_key}).fetchall()
        rows += cursor.execute(STATEMENTS["conflicts_of_pack"], {"pack_key": pack_key}).fetchall()
    return [stored_of(row) for row in rows]


def is_empty(index: Index, hospital: str) -> bool:
    """Whether a hospital has no rows."""
    with index.transaction(hospital) as connection:
        return bool(connection.execute(STATEMENTS["is_empty"]).fetchall()[0][0])


def within(
    statement: str, study: str | None, series: str | None, instance: str | None
) -> tuple[Composed, dict[str, str | None]]:
    """A statement over the levels, limited to these UIDs and in reading order, with its values."""
    values = {"study": study, "series": series, "instance": instance}
    given = [condition for condition, value in zip(_CONDITIONS, values.values(), strict=True) if value is not None]
    parts = [STATEMENTS[statement], SQL("WHERE"), SQL(" AND ").join(given), STATEMENTS["in_reading_order"]]
    return SQL("\n").join(parts), values


def stored_of(row: dict[str, Any]) -> StoredInstance:
    """A row's columns have the names of the values' fields."""
    values = {**row, "digest": row["digest"].hex(), "frames": unpack_frames(row["frames"])}
    identity = Identity(**{name: values.pop(name) for name in _IDENTITY})
    location = Location(**{name: values.pop(name) for name in _LOCATION})
    return StoredInstance(identity=identity, location=location, **values)
