"""docs/conformance.md on retrieving must not promise what the code does not do, nor hide what it does."""

import re
from pathlib import Path

import pytest

from pacs.transcode import CONVERTIBLE

HERE = Path(__file__).parent
STATEMENT = (HERE.parents[1] / "docs" / "conformance.md").read_text()
RETRIEVE = STATEMENT.partition("### 7.2 Retrieve")[2].partition("\n### ")[0]
TESTS = (HERE / "test_retrieve.py").read_text()
ROWS = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in RETRIEVE.splitlines() if line[:2] == "| "]
MADE = [row for row in ROWS if row[1].startswith("1.2.840.")]
SHOWN = [row for row in ROWS if row[0].startswith(("PS3.", "RFC "))]


@pytest.mark.parametrize("row", SHOWN, ids=lambda row: row[2])
def test_each_row_is_shown_by_a_test_that_names_its_section(row: list[str]) -> None:
    """What is claimed is tested over the wire, and the test says which section it is about."""
    found = re.search(rf'def test_{row[2]}\(.*?"""(.*?)"""', TESTS, re.DOTALL)
    assert found, row[2]
    assert all(section in found[1] for section in row[0].removeprefix("PS3.18 ").split(", ")), row


def test_transfer_syntaxes_are_those_of_the_code() -> None:
    """Every transfer syntax that can be made is listed, and no other."""
    assert {row[1] for row in MADE} == CONVERTIBLE
