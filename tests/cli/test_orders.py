from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pacs.cli import app
from pacs.errors import InvalidRequest, NotFound

Run = Callable[..., Result]
ORDER = (
    "PatientID=P1",
    "PatientName=NGUYỄN^VĂN A",
    "AccessionNumber=A1",
    "Modality=CT",
    "ScheduledProcedureStepStartDate=2024-01-31",
    "ScheduledProcedureStepStartTime=08:30",
)


@pytest.fixture
def run(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``pacs order …`` on a database of its own."""
    monkeypatch.setenv("PACS_DATA", str(tmp_path / "var"))
    monkeypatch.setenv("PACS_DATABASE_URL", database)
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *words: CliRunner().invoke(app, ["order", *map(str, words)], catch_exceptions=False)


def test_orders_are_entered_listed_and_closed(run: Run) -> None:
    """An order is in the list until it is said to be over."""
    assert run("add", *ORDER).exit_code == 0
    assert "A1" in run("list").output
    assert run("status", "A1", "cancelled").exit_code == 0
    assert "A1" not in run("list").output
    assert run("add", *ORDER).exit_code == 0  # the ordering system repeats itself: cancelled it stays
    assert "A1" not in run("list").output
    with pytest.raises(NotFound):
        run("status", "A9", "COMPLETED")
    with pytest.raises(InvalidRequest):
        run("add", "PatientID")


def test_import_enters_good_lines_and_lists_bad_ones(run: Run, tmp_path: Path) -> None:
    """Scripts see the exit code, people the line and the column."""
    head = ",".join(pair.partition("=")[0] for pair in ORDER)
    good = ",".join(pair.partition("=")[2] for pair in ORDER)
    file = tmp_path / "orders.csv"
    file.write_text(f"{head}\n{good}\n{good.replace('A1', 'A2').replace('08:30', 'soon')}\n", encoding="utf-8")
    imported = run("import", file)
    assert imported.exit_code == 1
    assert "1 orders" in imported.output
    assert "line 3: ScheduledProcedureStepStartTime" in imported.stderr
    with pytest.raises(InvalidRequest):
        run("import", tmp_path / "nowhere.csv")
