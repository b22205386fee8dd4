"""Rows of scheduled procedure steps: what was ordered, and what modalities ask of it.

Law: a step is known by its accession number and its ID, as the ordering system repeats itself; the Study Instance UID
is given once and never changes by itself, because images with it may exist already.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composable, Identifier
from psycopg.types.json import Jsonb

from pacs.orders import CLOSED, Order, worklist_item
from pacs.query import Match
from storage.index.conditions import Values, condition, held, in_one_item, parameter
from storage.index.connections import Index
from storage.index.statements import STATEMENTS

PAGE = 200  # steps of one transaction
_ATTRIBUTES = Identifier("scheduled_procedure_step", "attributes")
_DATE, _TIME, _KEY = (
    Identifier("scheduled_procedure_step", column)
    for column in ("scheduled_procedure_step_start_date", "scheduled_procedure_step_start_time", "step_pk")
)
_STATIONS = Identifier("scheduled_procedure_step", "scheduled_station_ae_title")
_STATUS = Identifier("scheduled_procedure_step", "scheduled_procedure_step_status")


def put_orders(index: Index, hospital: str, orders: Sequence[Order]) -> None:
    """Enter all of ``orders`` or none."""
    with index.transaction(hospital) as connection:
        for order in orders:
            values = asdict(order) | {
                "attributes": Jsonb(order.attributes),
                "scheduled_station_ae_title": list(order.scheduled_station_ae_title),
                "new_study_instance_uid": f"2.25.{uuid.uuid4().int}",  # PS3.5 B.2
            }
            connection.execute(STATEMENTS["put_step"], values)


def change_status(connection: Connection, accession_number: str, step_id: str, status: str) -> int:
    """Say how far a step is, all of the accession number's when ``step_id`` is ""; how many those were."""
    values = {"accession_number": accession_number, "scheduled_procedure_step_id": step_id, "status": status}
    return connection.execute(STATEMENTS["change_step_status"], values).rowcount


def find_steps(index: Index, hospital: str, matches: Sequence[Match], *, station: str) -> Iterator[dict[str, Any]]:
    """Items of the worklist as DICOM JSON, earliest first; ``station`` asks, and gets steps of no named station too.

    Rows are fetched a page at a time, so that a slow reader holds no connection. Closed steps are left out, unless
    their status is asked for.
    """
    values: Values = {"limit": PAGE}
    asked = list(_conditions(matches, values))
    if not any(match.attribute.keyword == "ScheduledProcedureStepStatus" for match in matches):
        asked.append(SQL("NOT {} = ANY({})").format(_STATUS, parameter(values, list(CLOSED))))
    after: dict[str, Any] = {"date": "", "time": "", "key": 0}
    behind = SQL("({}, {}, {}) > (%(date)s, %(time)s, %(key)s)").format(_DATE, _TIME, _KEY)
    found = SQL("\n").join(
        [STATEMENTS["find_steps"], SQL("WHERE ") + SQL(" AND ").join([behind, *asked]), STATEMENTS["steps_order"]]
    )
    while True:
        with index.transaction(hospital) as connection, connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(found, values | after).fetchall()
        for row in rows:
            yield worklist_item(
                row["attributes"],
                study_instance_uid=row["study_instance_uid"],
                status=row["scheduled_procedure_step_status"],
                station=station,
            )
        if len(rows) < PAGE:
            return
        date, time = (rows[-1][f"scheduled_procedure_step_start_{part}"] for part in ("date", "time"))
        after = {"date": date, "time": time, "key": rows[-1]["step_pk"]}


def _conditions(matches: Sequence[Match], values: Values) -> Iterator[Composable]:
    inside = [match for match in matches if not match.attribute.column and len(match.attribute.path) > 1]
    for _, group in groupby(sorted(inside, key=_sequence), key=_sequence):
        yield in_one_item(_ATTRIBUTES, list(group), values)
    for match in matches:
        if match.attribute.column:
            special = _SPECIAL.get(match.attribute.keyword if match.kind != "moments" else match.kind, _plain)
            yield special(match, values)
        elif len(match.attribute.path) == 1:
            yield held(_ATTRIBUTES, match, values)


def _sequence(match: Match) -> int:
    return match.attribute.path[0]


def _plain(match: Match, values: Values) -> Composable:
    column = f"{match.attribute.column}_folded" if match.kind == "name" else match.attribute.column
    return condition(Identifier("scheduled_procedure_step", column), match, values)


def _stations(match: Match, values: Values) -> Composable:
    """One of the step's stations; a step without is for any."""
    one = condition(SQL("station.one"), match, values)
    return SQL(
        "(cardinality({stations}) = 0 OR EXISTS (SELECT FROM unnest({stations}) AS station(one) WHERE {one}))"
    ).format(stations=_STATIONS, one=one)


def _moments(match: Match, values: Values) -> Composable:
    first_day, first, last_day, last = (parameter(values, value) for value in match.values)
    last_day = last_day if match.values[2] else parameter(values, "99999999")
    return SQL("({}, {}) >= ({}, {}) AND ({}, {}) <= ({}, {})").format(
        _DATE, _TIME, first_day, first, _DATE, _TIME, last_day, last
    )


_SPECIAL: Mapping[str, Callable[[Match, Values], Composable]] = {
    "ScheduledStationAETitle": _stations,
    "moments": _moments,
}
