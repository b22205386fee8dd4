"""Bring every schema up to date, and make a new hospital's schema and role.

Law: all of it under one advisory lock, so that processes that start together do not migrate together; one transaction
for each schema, so that a failure leaves whole schemas only. What a schema looks like is said in ``migrations`` alone.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.sql import SQL, Identifier

import migrations
from pacs.errors import InvalidRequest, Misconfigured, Unavailable
from storage.index import jobs
from storage.index.statements import STATEMENTS

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

log = logging.getLogger(__name__)

REGISTRY = "registry"
OLDEST_SERVER = 150000  # PostgreSQL 15


def migrate(database_url: str, *, ae_title: str = "PACS") -> None:
    """Bring the registry and every hospital's schema to the newest revision; the first time, make ``default``.

    ``ae_title`` is the called AE title of that first hospital. Raises Unavailable when the database does not answer and
    Misconfigured when it is too old or its user may not make schemas and roles.
    """
    with _alone(database_url) as guard:
        guard.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(REGISTRY)))
        upgrade(database_url, REGISTRY, kind="registry")
        jobs.bring_up(guard)
        hospitals = guard.execute(STATEMENTS["hospital_schemas"]).fetchall()
        if not hospitals:
            _make_hospital(guard, "default", ae_title=ae_title, title="")
            hospitals = guard.execute(STATEMENTS["hospital_schemas"]).fetchall()
        for schema, role in hospitals:
            _bring_up(guard, database_url, schema=schema, role=role)


def add_hospital(database_url: str, hospital: str, *, ae_title: str, title: str = "") -> None:
    """Make one more hospital with its own schema and role; raises InvalidRequest when its name or AE title is taken."""
    with _alone(database_url) as guard:
        _make_hospital(guard, hospital, ae_title=ae_title, title=title)
        for schema, role in guard.execute(STATEMENTS["hospital_schemas"]).fetchall():
            _bring_up(guard, database_url, schema=schema, role=role)


def upgrade(database_url: str, schema: str, *, kind: str, revision: str = "head") -> None:
    """Run the revisions of one kind (``registry`` or ``hospital``) on one schema, in one transaction."""
    # here, because only this needs them: they would cost every receiver and worker 0.5 s at its start
    from alembic import command  # noqa: PLC0415
    from sqlalchemy import create_engine  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database_url), poolclass=NullPool)
    with engine.begin() as connection:
        # last of all public: the trigram extension may be there
        connection.exec_driver_sql("SELECT set_config('search_path', %s, true)", (f'"{schema}", public',))
        command.upgrade(configuration(kind, connection=connection, schema=schema), revision)


def configuration(kind: str, *, connection: "Connection | None", schema: str) -> "Config":
    """What alembic needs to know to run the revisions of one kind on one schema."""
    from alembic.config import Config  # noqa: PLC0415  # as above

    config = Config(attributes={"connection": connection, "schema": schema})
    folder = str(Path(str(migrations.__file__)).parent).replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{folder}/{kind}")
    return config


@contextmanager
def _alone(database_url: str) -> Iterator[psycopg.Connection]:
    """A connection that holds the archive's migration lock until the end."""
    try:
        with psycopg.connect(database_url, autocommit=True) as connection:
            if connection.info.server_version < OLDEST_SERVER:
                raise Misconfigured(
                    f"PostgreSQL 15 or newer is needed, this is {connection.info.server_version // 10000}"
                )
            connection.add_notice_handler(lambda notice: log.warning("%s", notice.message_primary))
            connection.execute("SET client_min_messages = warning")
            connection.execute(STATEMENTS["lock_migrations"])
            yield connection
    except psycopg.errors.InsufficientPrivilege as error:
        raise Misconfigured(f"the database user lacks a right: {error.diag.message_primary}") from error
    except psycopg.OperationalError as error:
        raise Unavailable(f"the database does not answer: {error.sqlstate or type(error).__name__}") from error


def _make_hospital(guard: psycopg.Connection, hospital: str, *, ae_title: str, title: str) -> None:
    """Enter a hospital; schema and role follow when it is brought up, also after a crash in between."""
    # roles belong to the whole cluster, so the database's name keeps two archives on one server apart
    role = f"{guard.info.dbname[:28]}_h_{hospital}"
    values = {"hospital": hospital, "schema_name": f"h_{hospital}", "role_name": role}
    try:
        guard.execute(STATEMENTS["add_hospital"], {**values, "ae_title": ae_title, "title": title})
    except psycopg.errors.CheckViolation:
        raise InvalidRequest("a hospital's name is a-z, 0-9 and _, an AE title has 1 to 16 characters") from None
    except psycopg.errors.UniqueViolation:
        raise InvalidRequest(f"there is a hospital {hospital} or AE title {ae_title} already") from None


def _bring_up(guard: psycopg.Connection, database_url: str, *, schema: str, role: str) -> None:
    """Make what is missing of a hospital: role, schema, tables, and the role's rights on them."""
    names = {"schema": Identifier(schema), "role": Identifier(role)}
    if guard.execute(STATEMENTS["role_exists"], {"role": role}).fetchone() is None:
        guard.execute(SQL("CREATE ROLE {role} NOLOGIN").format(**names))
    try:
        guard.execute(SQL("SET ROLE {role}").format(**names))
        guard.execute("RESET ROLE")
    except psycopg.errors.InsufficientPrivilege:  # whoever made the role may also take it, after granting it
        guard.execute(SQL("GRANT {role} TO CURRENT_USER").format(**names))
    guard.execute(SQL("CREATE SCHEMA IF NOT EXISTS {schema}").format(**names))
    upgrade(database_url, schema, kind="hospital")
    with guard.transaction():
        for right in _RIGHTS:
            guard.execute(SQL(right).format(**names))


_RIGHTS = (
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
    "REVOKE ALL ON {schema}.alembic_version FROM {role}",
    # append-only: whoever speaks for the hospital may add to its audit and read it, never change it
    "REVOKE UPDATE, DELETE ON {schema}.audit FROM {role}",
)
