"""Rows of the registry: hospitals, and the modalities that they know.

Law: what belongs to no hospital's schema is read and written here; who may do what is decided in `pacs.modalities`.
"""

from dataclasses import dataclass
from typing import Any

import psycopg

from pacs.errors import InvalidRequest, NotFound
from pacs.modalities import Modality, Right, Roster, checked
from storage.index.connections import Index
from storage.index.statements import STATEMENTS


@dataclass(frozen=True, slots=True)
class Hospital:
    """One hospital and the called AE title by which modalities reach it."""

    hospital: str
    ae_title: str
    title: str


def hospitals(index: Index) -> list[Hospital]:
    """Every hospital."""
    with index.registry() as connection:
        return [Hospital(*row) for row in connection.execute(STATEMENTS["hospitals"]).fetchall()]


def modalities(index: Index) -> list[Modality]:
    """Every registered modality of every hospital."""
    with index.registry() as connection:
        return _modalities(connection)


def roster(index: Index) -> Roster:
    """The whole registry at this moment."""
    with index.registry() as connection:
        titles = [Hospital(*row) for row in connection.execute(STATEMENTS["hospitals"]).fetchall()]
        return Roster({one.ae_title: one.hospital for one in titles}, tuple(_modalities(connection)))


def put_modality(index: Index, modality: Modality) -> None:
    """Register a modality, or change what is registered of this AE title at this address.

    Raises InvalidRequest for what makes no sense, NotFound for an unknown hospital.
    """
    with index.registry() as connection:
        put(connection, modality)


def put(connection: psycopg.Connection, modality: Modality) -> None:
    """As `put_modality`, inside a transaction."""
    modality = checked(modality)
    try:
        connection.execute(STATEMENTS["put_modality"], _values(modality))
    except psycopg.errors.ForeignKeyViolation:
        raise NotFound(f"hospital {modality.hospital}") from None
    except psycopg.errors.UniqueViolation:
        raise InvalidRequest(f"{modality.ae_title} has a port at another address already") from None
    except psycopg.errors.CheckViolation:
        raise InvalidRequest("the note is longer than 1000 characters") from None


def drop_modality(index: Index, hospital: str, ae_title: str, address: str) -> bool:
    """Forget an AE title at an address, or at every address when that is ""; whether it was registered."""
    values = {"hospital": hospital, "ae_title": ae_title, "address": address or None}
    with index.registry() as connection:
        try:
            return connection.execute(STATEMENTS["drop_modality"], values).rowcount > 0
        except psycopg.errors.InvalidTextRepresentation:
            return False


def _modalities(connection: psycopg.Connection) -> list[Modality]:
    return [_modality(*row) for row in connection.execute(STATEMENTS["modalities"]).fetchall()]


def _modality(*row: Any) -> Modality:
    hospital, ae_title, address, port, tls, rights, transfer_syntaxes, character_set, note = row
    return Modality(
        hospital=hospital,
        ae_title=ae_title,
        address=address,
        port=port or 0,
        tls=tls,
        rights=frozenset(map(Right, rights)),
        transfer_syntaxes=tuple(transfer_syntaxes),
        character_set=character_set,
        note=note,
    )


def _values(modality: Modality) -> dict[str, Any]:
    return {
        "hospital": modality.hospital,
        "ae_title": modality.ae_title,
        "address": modality.address,
        "port": modality.port or None,
        "tls": modality.tls,
        "rights": sorted(modality.rights),
        "transfer_syntaxes": list(modality.transfer_syntaxes),
        "character_set": modality.character_set,
        "note": modality.note,
    }
