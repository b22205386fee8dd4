"""docs/conformance.md on search must not promise what the code does not do, nor hide what it does."""

import re
from pathlib import Path

import pytest

from pacs.levels import ATTRIBUTES, LEVELS, Level

HERE = Path(__file__).parent
STATEMENT = (HERE.parents[1] / "docs" / "conformance.md").read_text()
TESTS = (HERE / "test_search.py").read_text()
SEARCH = STATEMENT.partition("### 7.1 Search")[2].partition("\n## ")[0].partition("\n### ")[0]
ROWS = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in SEARCH.splitlines() if line[:2] == "| "]
MATCHING = {
    "single value, list, wildcards": "text",
    "words of the name": "name",
    "list of UIDs": "uid",
    "date or range": "date",
    "time or range": "time",
    "single value, list": "number",
}


@pytest.mark.parametrize("level", LEVELS)
def test_keys_are_those_of_the_table(level: Level) -> None:
    """Each key of each level is listed with its kind of matching, and no other."""
    listed = {
        (MATCHING[row[1]], keyword) for row in ROWS if row[0] == level for keyword in row[2].replace(" ", "").split(",")
    }
    assert listed == {(one.matching, one.keyword) for one in ATTRIBUTES if one.level == level and one.matching}


@pytest.mark.parametrize("row", [row for row in ROWS if row[0].startswith("PS3.")], ids=lambda row: row[2])
def test_each_row_is_shown_by_a_test_that_names_its_section(row: list[str]) -> None:
    """What is claimed is tested over the wire, and the test says which section it is about."""
    found = re.search(rf'def test_{row[2]}\(.*?"""(.*?)"""', TESTS, re.DOTALL)
    assert found, row[2]
    assert row[0].split()[-1].split("-")[0] in found[1], row
