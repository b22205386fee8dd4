"""The schema is what migrations say, for every hospital, on every road to it."""

from concurrent.futures import ProcessPoolExecutor
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from alembic.script import ScriptDirectory
from psycopg.sql import SQL, Identifier

from pacs.errors import InvalidRequest, NotFound, Unavailable
from storage.index import Index, add_hospital, migrate
from storage.index.migrate import configuration, upgrade

_SHAPE = """
SELECT 'column', table_name, column_name, data_type, is_nullable, collation_name, column_default, is_identity
FROM information_schema.columns WHERE table_schema = %(schema)s AND table_name <> 'alembic_version'
UNION ALL
SELECT 'index', tablename, indexname, replace(indexdef, %(schema)s, ''), '', '', '', ''
FROM pg_indexes WHERE schemaname = %(schema)s AND tablename <> 'alembic_version'
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, replace(pg_get_constraintdef(oid), %(schema)s, ''),
    '', '', '', ''
FROM pg_constraint WHERE connamespace = %(schema)s::regnamespace AND contype <> 'n'
ORDER BY 1, 2, 3
"""


def shape(url: str, schema: str) -> list[tuple[str, ...]]:
    """Everything the catalogue says of a schema, without its name."""
    with psycopg.connect(url) as connection:
        connection.execute(SQL("SET search_path TO {}").format(Identifier(schema)))
        return connection.execute(_SHAPE, {"schema": schema}).fetchall()


def revisions(kind: str) -> list[str]:
    script = ScriptDirectory.from_config(configuration(kind, connection=None, schema=""))
    return [revision.revision for revision in script.walk_revisions()]


def make_schema(url: str, schema: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(schema)))


@pytest.mark.parametrize("kind", ["registry", "hospital"])
def test_every_earlier_revision_leads_to_the_same_schema(kind: str, empty_database: str) -> None:
    """From nothing, and from every revision ever released, the newest revision gives one and the same schema."""
    make_schema(empty_database, "fresh")
    upgrade(empty_database, "fresh", kind=kind)
    expected = shape(empty_database, "fresh")
    assert {row[0] for row in expected} == {"column", "index", "constraint"}
    for number, revision in enumerate(revisions(kind)):
        schema = f"road{number}"
        make_schema(empty_database, schema)
        upgrade(empty_database, schema, kind=kind, revision=revision)
        upgrade(empty_database, schema, kind=kind)
        assert shape(empty_database, schema) == expected, revision


def test_migrating_again_changes_nothing(database: str) -> None:
    """A second start finds the schema and the hospital as they are, with the rows in place."""
    before = shape(database, "h_default"), shape(database, "registry")
    migrate(database, ae_title="OTHER")
    assert (shape(database, "h_default"), shape(database, "registry")) == before
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT hospital, ae_title FROM registry.hospital").fetchall() == [
            ("default", "PACS")
        ]


def test_processes_that_start_together_migrate_once(empty_database: str) -> None:
    """Four processes that find an empty database at once all succeed and agree."""
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(migrate, [empty_database] * 4))
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT count(*) FROM registry.hospital").fetchone() == (1,)


def test_a_hospital_added_later_has_the_same_schema(database: str) -> None:
    """A second hospital stands beside the first with equal tables; its name or AE title cannot be taken twice."""
    add_hospital(database, "hue", ae_title="HUE")
    assert shape(database, "h_hue") == shape(database, "h_default")
    for hospital, ae_title in (("hue", "X"), ("dalat", "HUE"), ("Đà Lạt", "X"), ("x", "")):
        with pytest.raises(InvalidRequest):
            add_hospital(database, hospital, ae_title=ae_title)


def test_a_hospitals_transaction_cannot_read_another_hospital(database: str) -> None:
    """In one hospital's transaction the rows of another are out of reach, even by their full name."""
    add_hospital(database, "hue", ae_title="HUE")
    index = Index(database)
    try:
        for forbidden in ("h_default.patient", "registry.access_token", "alembic_version"):
            with pytest.raises(Unavailable, match="42501"), index.transaction("hue") as connection:
                connection.execute(f"SELECT * FROM {forbidden}")  # noqa: S608  # the test's own names
        with index.transaction("hue") as connection:
            assert connection.execute("SELECT count(*) FROM patient").fetchone() == (0,)
        with index.registry() as connection:
            assert connection.execute("SELECT current_user = session_user").fetchone() == (True,)
        with pytest.raises(NotFound), index.transaction("elsewhere"):
            pass
    finally:
        index.close()


def test_a_plain_user_with_createrole_is_enough(postgres_url: str) -> None:
    """Production gives no superuser: an owner of the database who may create roles can migrate and enter hospitals."""
    name = f"u_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN CREATEROLE")
        connection.execute(f"CREATE DATABASE {name} OWNER {name}")
    parts = urlsplit(postgres_url)
    url = parts._replace(netloc=f"{name}@", path=f"/{name}").geturl()
    migrate(url)
    migrate(url)
    index = Index(url)
    with index.transaction("default") as connection:
        assert connection.execute("SELECT current_user <> session_user").fetchone() == (True,)
    index.close()


def test_an_absent_database_is_unavailable() -> None:
    """A database that does not answer is reported as unavailable, not as a crash."""
    with pytest.raises(Unavailable):
        migrate("postgresql://nobody@/nowhere?host=/nonexistent")
