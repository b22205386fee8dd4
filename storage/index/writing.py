"""Filing: the rows of one pack, written in the caller's transaction.

Law: rows are locked in one order everywhere (pack, then patients, studies, series, instances, each sorted), so that
workers wait for each other but never in a circle. What a patient, study or series says comes from its instance received
first, whatever the order of filing, so that filing again from the packs alone gives the same rows.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from pacs.frames import pack_frames
from pacs.model import Location, ManifestEntry
from pacs.names import fold
from pacs.rows import InstanceRows
from storage.index.statements import STATEMENTS
from storage.packs import Member

_PATIENT_KEY = ("issuer_of_patient_id", "patient_id", "unidentified_study")
_STUDY_KEY = ("patient_pk", "study_instance_uid")
_SERIES_KEY = ("study_pk", "series_instance_uid")
_LARGEST_INT = 2**31 - 1


class Raced(Exception):  # not an error anybody sees: the caller looks again and retries
    """Another worker filed one of these instances, or a sweep took the pack away, between look-up and commit."""


@dataclass(frozen=True, slots=True)
class Known:
    """Digests (hex) of received data sets by SOP Instance UID; a UID of which nothing is kept is absent."""

    instances: Mapping[str, str]
    kept: Mapping[str, frozenset[str]]  # instances and conflicts
    deleted: Mapping[tuple[str, str], tuple[tuple[int, int], ...]]  # by UID and digest: when received, when deleted

    def has(self, sop_instance_uid: str, digest: str, received_at: int) -> bool:
        """Whether an instance received then needs no storing: it is kept, or it came before its deletion.

        Without the latter, what a crash left in the spool would come back after it was deleted.
        """
        gone = self.deleted.get((sop_instance_uid, digest), ())
        return digest in self.kept.get(sop_instance_uid, ()) or any(received_at <= at for _, at in gone)


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack object and where its metadata is."""

    key: str
    size: int
    metadata: Member


@dataclass(frozen=True, slots=True)
class Filed:
    """One instance with everything its rows are made of, and where it is."""

    entry: ManifestEntry
    rows: InstanceRows
    location: Location
    stored_size: int  # of the Part 10 file, in bytes
    place_in_pack: int  # from 0, in the pack's manifest


def known(connection: psycopg.Connection, sop_instance_uids: Iterable[str]) -> Known:
    """What is kept under these UIDs."""
    instances: dict[str, str] = {}
    digests: dict[str, set[str]] = defaultdict(set)
    deleted: dict[tuple[str, str], tuple[tuple[int, int], ...]] = defaultdict(tuple)
    parameters = {"sop_instance_uids": sorted(set(sop_instance_uids))}
    for uid, digest, state, received_at, deleted_at in connection.execute(STATEMENTS["known_digests"], parameters):
        if state == "deleted":
            deleted[uid, digest.hex()] += ((received_at, deleted_at),)
            continue
        digests[uid].add(digest.hex())
        if state == "instance":
            instances[uid] = digest.hex()
    return Known(instances, {uid: frozenset(found) for uid, found in digests.items()}, dict(deleted))


def add_pack(connection: psycopg.Connection, pack: Pack) -> int:
    """Enter a pack and give its row's key."""
    values = {
        "pack_key": pack.key,
        "size": pack.size,
        "metadata_offset": pack.metadata.offset,
        "metadata_length": pack.metadata.length,
        "metadata_size": pack.metadata.size,
        "metadata_crc32": pack.metadata.crc32,
        "metadata_deflated": pack.metadata.deflated,
    }
    return _first_value(connection.execute(STATEMENTS["add_pack"], values))


def claim_unreferenced(connection: psycopg.Connection, pack_key: str) -> int | None:
    """Hold the place of a pack that has no row, so that no worker enters it meanwhile; None when it has one."""
    row = connection.execute(STATEMENTS["claim_unreferenced"], {"pack_key": pack_key}).fetchone()
    return None if row is None else int(row[0])


def drop_pack(connection: psycopg.Connection, pack_pk: int) -> None:
    """Take the row of a pack without instances away."""
    connection.execute(STATEMENTS["drop_pack"], {"pack_pk": pack_pk})


def describe(connection: psycopg.Connection, ordered: Sequence[Filed]) -> tuple[list[int], list[int]]:
    """Add the patients, studies and series of instances in order of receipt; gives each one's study and series row.

    A row that is there takes over what an instance received earlier than its own says.
    """
    firsts = [
        {"first_received_at": one.entry.received_at, "first_sop_instance_uid": one.entry.sop_instance_uid}
        for one in ordered
    ]
    people = [_columns(one.rows.patient) for one in ordered]
    patients = _file(
        connection, "patient", _PATIENT_KEY, [first | person for first, person in zip(firsts, people, strict=True)]
    )
    studies = _file(
        connection,
        "study",
        _STUDY_KEY,
        [
            first | person | _study_values(one) | {"patient_pk": patient}
            for one, first, person, patient in zip(ordered, firsts, people, patients, strict=True)
        ],
    )
    series = _file(
        connection,
        "series",
        _SERIES_KEY,
        [
            first | _columns(one.rows.series) | {"study_pk": study}
            for one, first, study in zip(ordered, firsts, studies, strict=True)
        ],
    )
    return studies, series


def add_instances(connection: psycopg.Connection, pack_pk: int, filed: Sequence[Filed]) -> None:
    """File the instances of one pack. Raises Raced when one of their UIDs was taken meanwhile."""
    ordered = sorted(filed, key=lambda one: (one.entry.received_at, one.entry.sop_instance_uid))
    studies, series = describe(connection, ordered)
    instances = [
        _instance_values(one) | {"series_pk": series_pk, "pack_pk": pack_pk}
        for one, series_pk in zip(ordered, series, strict=True)
    ]
    instances.sort(key=lambda values: str(values["sop_instance_uid"]))
    with connection.cursor() as cursor:
        try:
            cursor.executemany(STATEMENTS["add_instance"], instances)
        except psycopg.errors.UniqueViolation:
            raise Raced from None
    count(connection, Counter(series), studies)


def count(connection: psycopg.Connection, series: Mapping[int, int], studies: Iterable[int]) -> None:
    """Add to the counts of series, by row key, and bring those of their studies up to date."""
    added = [{"series_pk": key, "added": number} for key, number in sorted(series.items())]
    with connection.cursor() as cursor:
        cursor.executemany(STATEMENTS["count_instances"], added)
        cursor.executemany(STATEMENTS["summarise_study"], [{"study_pk": key} for key in sorted(set(studies))])


def add_conflicts(connection: psycopg.Connection, pack_pk: int, filed: Sequence[Filed]) -> None:
    """Keep data sets that contradict a stored instance of the same UID."""
    values = [_instance_values(one) | {"pack_pk": pack_pk} for one in filed]
    values.sort(key=lambda one: (str(one["sop_instance_uid"]), bytes(one["digest"])))
    with connection.cursor() as cursor:
        cursor.executemany(STATEMENTS["add_conflict"], values)


def _file(
    connection: psycopg.Connection, level: str, key: tuple[str, ...], values: Sequence[Mapping[str, Any]]
) -> list[int]:
    """Add the rows of one level, one for each key from its first values, sorted; gives each value's row key."""
    firsts: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for one in values:
        firsts.setdefault(tuple(one[name] for name in key), one)
    found = {}
    for identity in sorted(firsts):
        connection.execute(STATEMENTS[f"add_{level}"], firsts[identity])
        found[identity] = _first_value(connection.execute(STATEMENTS[f"find_{level}"], firsts[identity]))
    return [found[tuple(one[name] for name in key)] for one in values]


def _first_value(cursor: psycopg.Cursor[Any]) -> int:
    row = cursor.fetchone()
    assert row is not None  # noqa: S101  # the row was added or found in this transaction
    return int(row[0])


def _study_values(one: Filed) -> dict[str, Any]:
    values = _columns(one.rows.study)
    return values | {"referring_physician_name_folded": fold(values["referring_physician_name"])}


def _instance_values(one: Filed) -> dict[str, Any]:
    entry = {name: value for name, value in asdict(one.entry).items() if name != "source"}
    location = asdict(one.location)
    return {
        **entry,
        **location,
        **_columns(one.rows.instance),
        "digest": bytes.fromhex(one.entry.digest),
        "frames": pack_frames(one.entry.frames),
        "stored_size": one.stored_size,
        "place_in_pack": one.place_in_pack,
    }


def _columns(row: Any) -> dict[str, Any]:  # any of the row dataclasses
    """A row as columns that PostgreSQL takes, whatever a sender wrote."""
    return {name: _column(value) for name, value in asdict(row).items()}


def _column(value: Any) -> Any:
    if isinstance(value, int):  # an IS value may be larger than PostgreSQL's int
        return max(-_LARGEST_INT, min(_LARGEST_INT, value))
    return Jsonb(storable(value)) if isinstance(value, dict) else storable(value)


def storable(value: Any) -> Any:
    """The value without what PostgreSQL cannot hold: NUL and lone surrogates in text, numbers that are none."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {storable(key): storable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [storable(one) for one in value]
    return value
