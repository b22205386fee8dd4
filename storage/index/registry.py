"""Rows of the registry: hospitals, and the modalities that may send to them.

Law: what belongs to no hospital's schema is read and written here; who may send is decided elsewhere.
"""

from dataclasses import dataclass

import psycopg

from pacs.errors import InvalidRequest, NotFound
from storage.index.connections import Index
from storage.index.statements import STATEMENTS


@dataclass(frozen=True, slots=True)
class Hospital:
    """One hospital and the called AE title by which modalities reach it."""

    hospital: str
    ae_title: str
    title: str


@dataclass(frozen=True, slots=True, order=True)
class Modality:
    """A calling AE title at an address ("10.1.2.3") that may send to a hospital."""

    hospital: str
    ae_title: str
    address: str


def hospitals(index: Index) -> list[Hospital]:
    """Every hospital."""
    with index.registry() as connection:
        return [Hospital(*row) for row in connection.execute(STATEMENTS["hospitals"]).fetchall()]


def modalities(index: Index) -> list[Modality]:
    """Every registered modality of every hospital."""
    with index.registry() as connection:
        return [Modality(*row) for row in connection.execute(STATEMENTS["modalities"]).fetchall()]


def admit_modality(index: Index, modality: Modality) -> None:
    """Register a modality; repeating is harmless. Raises InvalidRequest (address), NotFound (hospital)."""
    with index.registry() as connection:
        try:
            connection.execute(STATEMENTS["admit_modality"], _values(modality))
        except psycopg.errors.ForeignKeyViolation:
            raise NotFound(f"hospital {modality.hospital}") from None
        except (psycopg.errors.CheckViolation, psycopg.errors.InvalidTextRepresentation):
            raise InvalidRequest("a modality is an AE title of 1 to 16 characters at an IP address") from None


def dismiss_modality(index: Index, modality: Modality) -> bool:
    """Forget a modality; whether it was registered."""
    with index.registry() as connection:
        try:
            return connection.execute(STATEMENTS["dismiss_modality"], _values(modality)).rowcount > 0
        except psycopg.errors.InvalidTextRepresentation:
            return False


def _values(modality: Modality) -> dict[str, str]:
    return {"hospital": modality.hospital, "ae_title": modality.ae_title, "address": modality.address}
