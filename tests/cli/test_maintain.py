from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner, Result

from pacs.cli import app, main
from pacs.cli.opening import HOSPITAL
from storage.access import Access
from storage.index import Index

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``pacs …`` on a data folder and a database of its own."""
    monkeypatch.setenv("PACS_DATA", str(tmp_path / "var"))
    monkeypatch.setenv("PACS_DATABASE_URL", database)
    monkeypatch.setenv("PACS_SPOOL_FREE_FLOOR", "0")
    monkeypatch.setenv("PACS_PACK_QUIET", "0")
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *words, **more: CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False, **more)


def instances(database: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(
            "SELECT sop_instance_uid, digest, rows, columns FROM h_default.instance ORDER BY sop_instance_uid"
        ).fetchall()


def test_import_verify_and_rebuild_come_to_the_same(
    run: Run, database: str, pydicom_file: Callable[[str], Path]
) -> None:
    """Files are imported without a running archive, read back whole, and the index comes back from packs alone."""
    imported = run("import", pydicom_file("CT_small.dcm"), pydicom_file("MR_small.dcm"), pydicom_file("README.txt"))
    assert (imported.exit_code, "stored" in imported.output, "refused" in imported.output) == (0, True, True)
    before = instances(database)
    assert len(before) == 2
    assert "2 instances" in run("verify").output

    asked = run("rebuild-index", input="n\n")
    assert (asked.exit_code, instances(database)) == (1, before)
    rebuilt = run("rebuild-index", "--yes")
    assert (rebuilt.exit_code, "2 instances" in rebuilt.output) == (0, True)
    assert instances(database) == before
    assert run("sweep", "--hours", "0").exit_code == 0
    assert instances(database) == before


def test_damage_is_listed_and_is_the_exit_code(run: Run, tmp_path: Path, pydicom_file: Callable[[str], Path]) -> None:
    """A pack that lost a bit is found by verify, which then says so to scripts too."""
    run("import", pydicom_file("CT_small.dcm"))
    (pack,) = (tmp_path / "var" / "objects").rglob("*.zip")
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    pack.chmod(0o640)
    pack.write_bytes(content)
    verified = run("verify")
    assert verified.exit_code == 1
    assert "damages" in verified.output


def test_a_printed_token_opens_the_door_until_it_ends(run: Run, database: str) -> None:
    """``pacs token`` prints nothing but a bearer token; ``--link`` an address that signs in once."""
    token = run("token", "--subject", "nightly").output.strip()
    link = run("token", "--link").output.strip()
    with Index(database) as index:
        access = Access(index)
        session = access.check(token)
        assert session is not None
        assert (session.hospital, session.subject) == (HOSPITAL, "nightly")
        assert access.check(access.redeem(link.rpartition("link=")[2])) is not None
        assert access.check(access.issue("bearer", HOSPITAL, "x", timedelta(seconds=-1))) is None


def test_an_error_of_the_archive_is_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the archive cannot do is told in one line on standard error with exit code 1, without a traceback."""
    monkeypatch.setattr("sys.argv", ["pacs", "modality", "add", "CT1", "nowhere"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert said.err.startswith("pacs: The request does not make sense.")
    assert said.err.count("\n") == 1
