from collections.abc import Callable
from pathlib import Path

import pytest
from pynetdicom.ae import ApplicationEntity
from typer.testing import CliRunner, Result

from pacs.cli import app
from pacs.errors import InvalidRequest, NotFound, Unavailable
from storage.index import Index
from storage.index.strangers import Noted, note

VERIFICATION = "1.2.840.10008.1.1"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``pacs modality …`` on a database of its own."""
    monkeypatch.setenv("PACS_DATA", str(tmp_path / "var"))
    monkeypatch.setenv("PACS_DATABASE_URL", database)
    monkeypatch.setenv("PACS_DICOM_ASSOCIATION_TIMEOUT", "2")
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *words: CliRunner().invoke(app, ["modality", *map(str, words)], catch_exceptions=False)


def test_modalities_are_added_listed_and_removed(run: Run) -> None:
    """What was added is listed until it is removed; adding again changes it."""
    assert "may commit, mpps, store, worklist" in run("add", "CT1", "10.0.0.7").output
    assert run("add", "CT1", "10.0.0.7", "--port", 104, "--tls", "--note", "tầng 2").exit_code == 0
    assert run("add", "WARD", "10.1.0.0/16", "--may", "query,retrieve").exit_code == 0
    listed = run("list").output
    assert all(word in listed for word in ("10.0.0.7", "104 TLS", "tầng 2", "10.1.0.0/16", "query, retrieve"))
    assert run("remove", "CT1", "10.0.0.7").exit_code == run("remove", "WARD").exit_code == 0
    assert "10." not in run("list").output
    with pytest.raises(NotFound, match="WARD"):
        run("remove", "WARD")


def test_nonsense_is_told(run: Run) -> None:
    """A right that does not exist is named with those that do."""
    with pytest.raises(InvalidRequest, match=r"fly: may be of store, .*destination"):
        run("add", "CT1", "10.0.0.7", "--may", "store,fly")


def test_echo_tells_whether_it_is_there(run: Run) -> None:
    """``pacs modality echo`` is the installer's first test: by the address that is registered."""
    entity = ApplicationEntity("PEER")
    entity.require_called_aet = True
    entity.add_supported_context(VERIFICATION)
    server = entity.start_server(("127.0.0.1", 0), block=False)
    assert server is not None
    try:
        port = server.server_address[1]
        run("add", "PEER", "127.0.0.1", "--port", port)
        assert f"PEER at 127.0.0.1:{port} answers" in run("echo", "PEER").output
        run("add", "OTHER", "127.0.0.1", "--port", port)
        with pytest.raises(Unavailable, match="Called AE title"):
            run("echo", "OTHER")
    finally:
        server.shutdown()
    run("add", "DEAF", "127.0.0.1")
    with pytest.raises(NotFound, match="DEAF"):
        run("echo", "DEAF")


def test_who_was_seen_is_admitted_by_number(run: Run, database: str) -> None:
    """An administrator lists those who called in vain and lets one in."""
    with Index(database) as index:
        note(index, [Noted("US3", "PACS", "10.0.0.9", 60.0, 4), Noted("US3", "PACKS", "10.0.0.9", 60.0, 1)])
    listed = run("seen").output
    assert "none has this AE title" in listed
    number = next(line.split()[1] for line in listed.splitlines() if "default" in line)
    assert "US3 at 10.0.0.9 may" in run("admit", number).output
    assert "10.0.0.9" in run("list").output
    with pytest.raises(NotFound):
        run("admit", number)
