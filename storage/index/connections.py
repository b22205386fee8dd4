"""Connections to PostgreSQL, each transaction behind the wall of one hospital.

Law: whoever reads or writes a hospital's rows does so inside `Index.transaction`, which takes that hospital's role and
search path for exactly that transaction; a forgotten WHERE then still sees one hospital. psycopg's errors end here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self, TypeAlias

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from pacs.errors import InvalidRequest, NotFound, Unavailable
from storage.index.statements import STATEMENTS

Connection: TypeAlias = psycopg.Connection  # what the archive hands from one statement of a transaction to the next

PATIENCE = 5.0  # seconds to wait for a connection before the database counts as unavailable


class Index:
    """The rows of the archive in one PostgreSQL database."""

    def __init__(self, database_url: str, *, connections: int = 16, search_seconds: float = 10.0) -> None:
        self.database_url = database_url
        self.search_seconds = search_seconds  # that one search may take
        self._roles: dict[str, tuple[str, str]] = {}
        self._pool = ConnectionPool(
            database_url,
            min_size=1,
            max_size=connections,
            open=True,
            timeout=PATIENCE,
            reconnect_timeout=PATIENCE,  # its pauses double: after a long outage it would look again minutes too late
            check=ConnectionPool.check_connection,  # a restarted database must not cost each old connection a request
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back to PostgreSQL."""
        self._pool.close()

    def check(self) -> None:
        """See that the database answers; raises Unavailable."""
        with self.registry():
            pass

    @contextmanager
    def registry(self) -> Iterator[psycopg.Connection]:
        """One transaction on what belongs to no hospital; raises Unavailable when the database does not answer."""
        with self._connection() as connection, connection.transaction():
            yield connection

    @contextmanager
    def transaction(self, hospital: str) -> Iterator[psycopg.Connection]:
        """One transaction as the hospital's role; raises NotFound for an unknown hospital, Unavailable as above."""
        schema, role = self._schema_and_role(hospital)
        with self._connection() as connection, connection.transaction():
            connection.execute(STATEMENTS["enter_hospital"], {"schema": f'"{schema}"', "role": role})
            yield connection

    def _schema_and_role(self, hospital: str) -> tuple[str, str]:
        if hospital not in self._roles:
            with self.registry() as connection:
                row = connection.execute(STATEMENTS["hospital_role"], {"hospital": hospital}).fetchone()
            if row is None:
                raise NotFound(f"hospital {hospital}")
            self._roles[hospital] = (row[0], row[1])
        return self._roles[hospital]

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        try:
            with self._pool.connection() as connection:
                yield connection
        except psycopg.DataError as error:
            raise InvalidRequest(f"the index cannot hold or compare this value: {error.sqlstate}") from None
        except (psycopg.Error, PoolTimeout) as error:
            # only the code: the message of a failing statement may quote a patient; a missing table or right is as
            # passing as a lost connection, and must never count against the instances at hand
            code = getattr(error, "sqlstate", None) or type(error).__name__
            raise Unavailable(f"the database does not answer: {code}") from None
