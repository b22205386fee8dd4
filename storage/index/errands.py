"""Rows of errands: what is queued for which destination, and destinations that do not answer.

Law: whatever is queued is queued with its job, in one transaction; what became of it is written at once.
"""

from collections.abc import Iterable
from typing import Any, LiteralString

import psycopg

from pacs.errors import NotFound
from pacs.forwarding import ForwardRule, Sends, checked_rule
from storage.index import jobs
from storage.index.connections import Index
from storage.index.statements import STATEMENTS

TASK = "errand"
QUIET = 60.0  # seconds without a new instance, until a study is announced
DAYS = 14  # until what nobody takes is given up
REFUSALS = 5  # of one instance, by a destination that answers


def send_off(
    connection: psycopg.Connection,
    hospital: str,
    kind: str,
    destination: str,
    *,
    delay: float = 0.0,
    hurry: bool = True,
) -> None:
    """Schedule an errand of a kind to a destination; one at most waits, and one runs."""
    name = f"{kind} {hospital} {destination}"
    arguments = {"hospital": hospital, "kind": kind, "destination": destination}
    jobs.defer(connection, TASK, arguments, queue=name, lock=name, delay=delay, hurry=hurry)


def wait_of(index: Index, hospital: str, kind: str, destination: str) -> float:
    """For how many seconds a destination is left alone; 0 when it may be tried."""
    with index.transaction(hospital) as connection:
        row = connection.execute(STATEMENTS["errand_wait"], {"kind": kind, "destination": destination}).fetchone()
    return float(row[0]) if row else 0.0


def failed(connection: psycopg.Connection, kind: str, destination: str) -> int:
    """Count a failure; how many there are in a row now."""
    values = {"kind": kind, "destination": destination}
    return int(connection.execute(STATEMENTS["errand_failed"], values).fetchall()[0][0])


def leave_alone(connection: psycopg.Connection, kind: str, destination: str, delay: float) -> None:
    """Do not try a destination for ``delay`` seconds."""
    connection.execute(STATEMENTS["errand_retry"], {"kind": kind, "destination": destination, "delay": delay})


def succeeded(connection: psycopg.Connection, kind: str, destination: str) -> None:
    """Forget earlier failures."""
    connection.execute(STATEMENTS["errand_done"], {"kind": kind, "destination": destination})


def forward_rules(connection: psycopg.Connection) -> list[tuple[int, ForwardRule]]:
    """All rules, by key."""
    rows = connection.execute(STATEMENTS["forward_rules"]).fetchall()
    return [(key, _rule(*row)) for key, *row in rows]


def add_forward_rule(index: Index, hospital: str, rule: ForwardRule) -> int:
    """Add a rule; its key. Raises InvalidRequest."""
    rule = checked_rule(rule)
    values = {name: getattr(rule, name) for name in rule.__slots__}
    with index.transaction(hospital) as connection:
        return int(connection.execute(STATEMENTS["add_forward_rule"], values).fetchall()[0][0])


def drop_forward_rule(index: Index, hospital: str, key: int) -> None:
    """Take a rule away; raises NotFound."""
    with index.transaction(hospital) as connection:
        if not connection.execute(STATEMENTS["drop_forward_rule"], {"rule_pk": key}).rowcount:
            raise NotFound(f"forward rule {key}")


def queue_deliveries(connection: psycopg.Connection, hospital: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Put instances on their way: pairs of destination and SOP Instance UID."""
    ordered = sorted(set(pairs))
    with connection.cursor() as cursor:
        values = [{"destination": destination, "sop_instance_uid": uid} for destination, uid in ordered]
        cursor.executemany(STATEMENTS["queue_delivery"], values)
    for destination in sorted({destination for destination, _ in ordered}):
        send_off(connection, hospital, Sends.INSTANCES, destination)


def queue_availability(
    connection: psycopg.Connection, hospital: str, pairs: Iterable[tuple[str, str]], *, quiet: float = QUIET
) -> None:
    """Announce studies when they are quiet: pairs of destination and Study Instance UID."""
    for destination, study in sorted(set(pairs)):
        values = {"destination": destination, "study_instance_uid": study, "quiet": quiet}
        connection.execute(STATEMENTS["queue_availability"], values)
        send_off(connection, hospital, Sends.AVAILABILITY, destination, delay=quiet)


def due_deliveries(index: Index, hospital: str, destination: str, *, limit: int) -> list[str]:
    """SOP Instance UIDs that wait for a destination, oldest first."""
    return [uid for (uid,) in _rows(index, hospital, "due_deliveries", destination=destination, limit=limit)]


def acknowledged(index: Index, hospital: str, destination: str, sop_instance_uid: str) -> None:
    """The destination has it."""
    _run(index, hospital, "delivery_acknowledged", destination=destination, sop_instance_uid=sop_instance_uid)


def refused(
    index: Index, hospital: str, destination: str, sop_instance_uid: str, reason: str, *, patience: int = REFUSALS
) -> None:
    """The destination does not take it; after ``patience`` refusals it is not offered again."""
    values = {"destination": destination, "sop_instance_uid": sop_instance_uid}
    _run(index, hospital, "delivery_refused", **values, reason=reason, patience=patience)


def give_up(index: Index, hospital: str, destination: str) -> None:
    """Forget what has waited too long for a destination that does not answer."""
    for statement in ("deliveries_given_up", "availability_given_up"):
        _run(index, hospital, statement, destination=destination, days=DAYS)


def delivery_counts(index: Index, hospital: str) -> list[tuple[str, int, int, int, int]]:
    """For each destination how many instances wait, were acknowledged, have failed, and were committed."""
    return [(title, *counts) for title, *counts in _rows(index, hospital, "delivery_counts")]


def waiting_destinations(index: Index, hospital: str, sends: Sends) -> list[str]:
    """Destinations for which something waits."""
    return [title for (title,) in _rows(index, hospital, _DESTINATIONS[sends])]


def due_studies(index: Index, hospital: str, destination: str) -> list[tuple[str, float]]:
    """Studies that a destination is to be told of, each with the seconds until it may be, 0 or less for now."""
    return [(uid, seconds) for uid, seconds in _rows(index, hospital, "due_availability", destination=destination)]


def told(index: Index, hospital: str, destination: str, study_instance_uid: str) -> None:
    """The destination was told of a study."""
    _run(index, hospital, "availability_told", destination=destination, study_instance_uid=study_instance_uid)


_DESTINATIONS = {Sends.INSTANCES: "delivery_destinations", Sends.AVAILABILITY: "availability_destinations"}


def _rule(*row: Any) -> ForwardRule:
    destination, sends, modality, calling_ae_title, body_part_examined, from_hour, until_hour, to_commit = row
    return ForwardRule(
        destination=destination,
        sends=Sends(sends),
        modality=modality,
        calling_ae_title=calling_ae_title,
        body_part_examined=body_part_examined,
        from_hour=from_hour,
        until_hour=until_hour,
        to_commit=to_commit,
    )


def _rows(index: Index, hospital: str, statement: LiteralString, **values: Any) -> list[tuple[Any, ...]]:
    with index.transaction(hospital) as connection:
        return connection.execute(STATEMENTS[statement], values).fetchall()


def _run(index: Index, hospital: str, statement: LiteralString, **values: Any) -> None:
    with index.transaction(hospital) as connection:
        connection.execute(STATEMENTS[statement], values)
