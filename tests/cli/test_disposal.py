from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from typer.testing import CliRunner, Result

from pacs.cli import app
from pacs.settings import Settings
from storage.access import Access, Session
from storage.archive import Actor, open_archive
from storage.index import Index

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``pacs …`` on a data folder and a database of its own."""
    for name, value in {"DATA": tmp_path, "DATABASE_URL": database, "SPOOL_FREE_FLOOR": 0, "PACK_QUIET": 0}.items():
        monkeypatch.setenv(f"PACS_{name}", str(value))
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def test_what_was_deleted_comes_back_or_is_dropped(
    run: Run, database: str, tmp_path: Path, pydicom_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pacs undelete` restores within the grace time; after it `pacs compact` and a sweep leave no byte."""
    study = pydicom.dcmread(pydicom_file("CT_small.dcm")).StudyInstanceUID
    run("import", pydicom_file("CT_small.dcm"))
    by = Actor("test", "here", "")
    settings = Settings(data=tmp_path, database_url=database)

    def delete() -> None:
        with open_archive(settings) as archive:
            archive.delete("default", study, None, None, by=by)

    assert run("undelete", study).exit_code == 1
    delete()
    assert "0 deleted instances dropped" in run("compact").output
    restored = run("undelete", study, "--reason", "it was right after all")
    assert (restored.exit_code, restored.output) == (0, "1 instances restored\n")
    delete()
    monkeypatch.setenv("PACS_DELETE_GRACE", "0")
    assert "1 deleted instances dropped" in run("compact").output
    run("sweep", "--hours", "0")
    assert list((tmp_path / "objects").rglob("*.zip")) == []
    assert run("undelete", study).exit_code == 1


def test_a_token_that_may_delete_is_asked_for_by_name(run: Run, database: str) -> None:
    """`pacs token` alone gives no such right."""
    tokens = [run("token").output.strip(), run("token", "--may-delete").output.strip()]
    with Index(database) as index:
        access = Access(index)
        assert [access.check(one) for one in tokens] == [
            Session("default", "script"),
            Session("default", "script", may_delete=True),
        ]
