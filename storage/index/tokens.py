"""Rows of access tokens: digests, never tokens.

Law: called by `storage.access` alone; time is the database's, so that every process agrees when a token ends.
"""

from datetime import timedelta

import psycopg

from pacs.errors import NotFound
from storage.index.connections import Index
from storage.index.statements import STATEMENTS


def add_token(
    index: Index, digest: bytes, *, kind: str, hospital: str, subject: str, lifetime: timedelta, may_delete: bool
) -> None:
    """Keep a new token's digest, and forget those that ended a day ago; raises NotFound for an unknown hospital."""
    values = {
        "digest": digest,
        "kind": kind,
        "hospital": hospital,
        "subject": subject,
        "lifetime": lifetime.total_seconds(),
        "may_delete": may_delete,
    }
    with index.registry() as connection:
        connection.execute(STATEMENTS["drop_expired"])
        try:
            connection.execute(STATEMENTS["add_token"], values)
        except psycopg.errors.ForeignKeyViolation:
            raise NotFound(f"hospital {hospital}") from None


def use_link(index: Index, digest: bytes) -> tuple[bytes, str, str, bool] | None:
    """Use a one-time link up: the same of it; None when it is unknown, used or too old."""
    with index.registry() as connection:
        return connection.execute(STATEMENTS["use_link"], {"digest": digest}).fetchone()


def find_token(index: Index, digest: bytes) -> tuple[bytes, str, str, bool] | None:
    """Digest, hospital, subject and right to delete of a session or bearer token that is good now, else None."""
    with index.registry() as connection:
        return connection.execute(STATEMENTS["find_token"], {"digest": digest}).fetchone()


def revoke_token(index: Index, digest: bytes) -> None:
    """Forget one token; repeating it is harmless."""
    with index.registry() as connection:
        connection.execute(STATEMENTS["revoke_token"], {"digest": digest})


def revoke_subject(index: Index, hospital: str, subject: str) -> None:
    """Forget every token of a subject."""
    with index.registry() as connection:
        connection.execute(STATEMENTS["revoke_subject"], {"hospital": hospital, "subject": subject})
