"""Statements and connections: the rules that every query of the index lives by."""

import re
from pathlib import Path

import pytest

import storage.index
from pacs.errors import Unavailable
from storage.index import Index, migrate
from storage.index.statements import STATEMENTS, parse_statements
from storage.postgres import Engine

ROOM = Path(str(storage.index.__file__)).parent


def test_every_statement_has_a_name_and_a_sentence() -> None:
    """Each statement opens with its name and one sentence that says what it is for."""
    for file in (ROOM / "queries").iterdir():
        for name, text in parse_statements(file.read_text()).items():
            sentence = text.splitlines()[0]
            assert re.fullmatch(r"-- [A-Z].*[.]", sentence), name


def test_every_statement_is_used() -> None:
    """No statement outlives the code that ran it."""
    code = "".join(path.read_text() for path in ROOM.glob("*.py"))
    for name in STATEMENTS:
        level = name.rpartition("_")
        built = f'f"{{query.level}}_{level[2]}"' in code or f'f"{level[0]}_{{level}}"' in code
        assert f'"{name}"' in code or built, name


def test_a_name_that_stands_twice_is_refused() -> None:
    """Two statements of one name would hide one of them."""
    with pytest.raises(ValueError, match="twice"):
        parse_statements("-- a\n-- One.\nSELECT 1\n\n-- a\n-- Two.\nSELECT 2\n")


def test_the_role_ends_with_its_transaction(database: str) -> None:
    """A pooled connection that served a hospital is nobody's afterwards, also when the transaction failed."""
    with Index(database, connections=1) as index:
        with index.transaction("default"):
            pass
        with pytest.raises(Unavailable), index.transaction("default") as connection:
            connection.execute("SELECT * FROM no_such_table")
        with index.registry() as connection:
            assert connection.execute("SELECT current_user = session_user, current_schema()").fetchone() == (
                True,
                "public",
            )


def test_an_error_of_the_database_never_quotes_a_value(database: str) -> None:
    """The message of a failing statement may hold a patient's name; ours holds the code alone."""
    with Index(database) as index, pytest.raises(Unavailable) as caught, index.transaction("default") as connection:
        connection.execute("SELECT %s::text FROM no_such_table", ["NGUYEN VAN A"])
    assert "NGUYEN" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_requests_go_on_after_the_database_came_back(tmp_path: Path) -> None:
    """While the engine is down the index is unavailable; when it is back, old connections cost nobody a request."""
    engine = Engine(tmp_path, fsync=False)
    migrate(engine.start())
    try:
        with Index(engine.url) as index:
            index.check()
            engine.stop()
            with pytest.raises(Unavailable):
                index.check()
            engine.start()
            index.check()
            with index.transaction("default") as connection:
                assert connection.execute("SELECT count(*) FROM study").fetchone() == (0,)
    finally:
        engine.stop()


def test_a_lost_connection_in_the_middle_is_unavailable(database: str) -> None:
    """A connection that dies within a transaction is the archive's error, not the driver's."""
    with Index(database) as index, pytest.raises(Unavailable), index.transaction("default") as connection:
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
