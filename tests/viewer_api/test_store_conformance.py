"""docs/conformance.md on storing must not promise what the code does not do, nor hide what it does."""

import re
from pathlib import Path

import pytest

from viewer_api.dicomweb.store_composed import MAX_PARTS
from viewer_api.dicomweb.store_outcome import COERCED, DUPLICATE, FAILURE_REASON
from viewer_api.dicomweb.store_parts import MAX_METADATA

HERE = Path(__file__).parent
STORE = (HERE.parents[1] / "docs" / "conformance.md").read_text().partition("### 7.3 Store")[2].partition("\n### ")[0]
TESTS = "".join((HERE / name).read_text() for name in ("test_store.py", "test_store_metadata.py"))
ROWS = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in STORE.splitlines() if line[:2] == "| "]


@pytest.mark.parametrize("row", [row for row in ROWS if row[0].startswith("PS3.")], ids=lambda row: row[2])
def test_each_row_is_shown_by_a_test_that_names_its_section(row: list[str]) -> None:
    """What is claimed is tested over the wire, and the test says which section it is about."""
    found = re.search(rf'def test_{row[2]}\(.*?"""(.*?)"""', TESTS, re.DOTALL)
    assert found, row[2]
    assert row[0] in found[1], row


def test_reasons_are_those_of_the_code() -> None:
    """Every Failure and Warning Reason that can be answered is listed, and no other."""
    assert {int(row[1], 16) for row in ROWS if row[1].startswith("0x")} == {
        COERCED,
        DUPLICATE,
        *FAILURE_REASON.values(),
    }


def test_limits_are_those_of_the_code() -> None:
    """Numbers that a sender goes by are not left behind by a change."""
    assert f"{MAX_METADATA // 1024**2} MiB of metadata or {MAX_PARTS:,} parts" in STORE
