"""Emptying a hospital, before its rows are made anew from its packs.

Law: rows only, in one transaction; packs are never touched here. Done as the owner of the schema, because a hospital's
own role must not be able to.
"""

from psycopg.sql import Identifier

from pacs.errors import NotFound
from storage.index.connections import Index
from storage.index.statements import STATEMENTS


def drop_rows(index: Index, hospital: str) -> None:
    """Empty a hospital's tables; raises NotFound for an unknown hospital."""
    with index.registry() as connection:
        found = connection.execute(STATEMENTS["hospital_role"], {"hospital": hospital}).fetchone()
        if found is None:
            raise NotFound(f"hospital {hospital}")
        connection.execute(STATEMENTS["drop_rows"].format(schema=Identifier(found[0])))
