"""Rows of the audit of one hospital.

Law: rows are added, never changed; the hospital's role has no right to. An act is recorded in the transaction that does
it, so that neither is there without the other.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from storage.index.connections import Index
from storage.index.statements import STATEMENTS
from storage.index.writing import storable


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Who did what, from where, to what, and what came of it ("success", "warning" or "failure")."""

    subject: str
    source: str
    act: str
    outcome: str
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    sop_instance_uid: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)  # counts and codes; never a patient's attributes
    at: datetime | None = None  # UTC; the database's clock, None before it is recorded


def add_event(connection: psycopg.Connection, event: Event) -> None:
    """Record an act in the caller's transaction."""
    values = {name: value for name, value in asdict(event).items() if name != "at"}
    connection.execute(STATEMENTS["add_audit"], storable(values) | {"detail": Jsonb(storable(dict(event.detail)))})


def events(index: Index, hospital: str, *, limit: int = 1000) -> list[Event]:
    """What was recorded last, the newest first."""
    with index.transaction(hospital) as connection, connection.cursor(row_factory=dict_row) as cursor:
        return [Event(**row) for row in cursor.execute(STATEMENTS["audit_rows"], {"limit": limit}).fetchall()]
