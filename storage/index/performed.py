"""Rows of performed procedure steps: what modalities say they have made, beside what arrived (PS3.4 Annex F).

Law: a step is kept whole as DICOM JSON; its columns are read out of it by one function (`pacs.performed`).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from pacs.errors import NotFound
from pacs.performed import references, status_of, studies_of
from storage.index.connections import Index
from storage.index.statements import STATEMENTS
from storage.index.writing import storable

Attributes = dict[str, Any]  # one DICOM JSON object


@dataclass(frozen=True, slots=True)
class PerformedStep:
    """A step as a list shows it; ``arrived``: it is completed and everything is here."""

    sop_instance_uid: str
    calling_ae_title: str
    status: str
    changed_at: datetime
    arrived: bool
    study_instance_uids: tuple[str, ...]
    referenced: int
    missing: int


def add_step(index: Index, hospital: str, sop_instance_uid: str, calling_ae_title: str, attributes: Attributes) -> bool:
    """Take a new step; False when there is one of this UID."""
    values = {**_values(sop_instance_uid, attributes), "calling_ae_title": calling_ae_title}
    with index.transaction(hospital) as connection:
        return connection.execute(STATEMENTS["add_performed_step"], values).rowcount > 0


def change_step(index: Index, hospital: str, sop_instance_uid: str, change: Callable[[Attributes], Attributes]) -> None:
    """Change a step by a function of what it says now, alone; raises NotFound, and what the function raises."""
    with index.transaction(hospital) as connection:
        found = connection.execute(STATEMENTS["lock_performed_step"], {"sop_instance_uid": sop_instance_uid}).fetchone()
        if found is None:
            raise NotFound(f"performed procedure step {sop_instance_uid}")
        values = _values(sop_instance_uid, change(found[0]))
        connection.execute(STATEMENTS["change_performed_step"], values)
        mark_arrived(connection, values["study_instance_uids"])


def mark_arrived(connection: psycopg.Connection, study_instance_uids: Collection[str]) -> None:
    """Mark completed steps of which everything is here now."""
    connection.execute(STATEMENTS["mark_arrived"], {"study_instance_uids": sorted(study_instance_uids)})


def missing(index: Index, hospital: str, sop_instance_uid: str) -> list[str]:
    """SOP Instance UIDs that a step refers to and the archive does not have."""
    with index.transaction(hospital) as connection:
        rows = connection.execute(STATEMENTS["missing_instances"], {"sop_instance_uid": sop_instance_uid})
        return [uid for (uid,) in rows.fetchall()]


def performed_steps(index: Index, hospital: str, *, limit: int = 100) -> list[PerformedStep]:
    """The steps that changed last."""
    with index.transaction(hospital) as connection:
        rows = connection.execute(STATEMENTS["performed_steps"], {"limit": limit}).fetchall()
    return [
        PerformedStep(uid, calling, status, changed_at, arrived, tuple(studies), referenced, absent)
        for uid, calling, status, changed_at, arrived, studies, referenced, absent in rows
    ]


def study_is_complete(index: Index, hospital: str, study_instance_uid: str) -> bool:
    """Whether modalities have reported all steps of a study as ended, and all that they made is here."""
    with index.transaction(hospital) as connection:
        values = {"study_instance_uid": study_instance_uid}
        return bool(connection.execute(STATEMENTS["study_is_complete"], values).fetchall()[0][0])


def _values(sop_instance_uid: str, attributes: Attributes) -> dict[str, Any]:
    return {
        "sop_instance_uid": sop_instance_uid,
        "performed_procedure_step_status": status_of(attributes),
        "study_instance_uids": sorted(studies_of(attributes)),
        "referenced_sop_instance_uids": sorted(references(attributes)),
        "attributes": Jsonb(storable(attributes)),
    }
