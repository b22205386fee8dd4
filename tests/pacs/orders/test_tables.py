import json

import pytest

from pacs.errors import InvalidRequest
from pacs.orders.tables import read_table

HEAD = "PatientID,PatientName,AccessionNumber,Modality,ScheduledProcedureStepStartDate,ScheduledProcedureStepStartTime"
GOOD = "P1,NGUYỄN^VĂN A,A1,CT,20240131,0830"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_of_any_spreadsheet(delimiter: str) -> None:
    """Spreadsheets write commas, semicolons or tabs, a byte order mark and empty lines."""
    text = f"\ufeff{HEAD}\r\n\r\n{GOOD}\r\n".replace(",", delimiter)
    ((row),) = read_table(text.encode())
    assert row.order is not None
    assert (row.line, row.order.patient_id, row.order.accession_number) == (3, "P1", "A1")


def test_bad_lines_are_named_and_the_others_read() -> None:
    """One typing error must not cost a morning's list."""
    text = f"{HEAD}\n{GOOD}\nP2,B,A2,CT,tomorrow,0830\nP3,C,A3,MR,20240131,0900,surplus\nP4,D,A4,US,20240131,10"
    rows = list(read_table(text.encode()))
    assert [row.line for row in rows] == [2, 3, 4, 5]
    assert [bool(row.order) for row in rows] == [True, False, False, True]
    assert "ScheduledProcedureStepStartDate" in rows[1].problem
    assert "no column ?" in rows[2].problem


def test_json_is_a_list_of_objects() -> None:
    """What is no object, or holds something else than texts and numbers, is the error of its place."""
    good = dict(zip(HEAD.split(","), GOOD.split(","), strict=True))
    rows = list(read_table(json.dumps([good, {**good, "PatientWeight": 62.5}, {**good, "PatientID": []}, 7]).encode()))
    assert [bool(row.order) for row in rows] == [True, True, False, False]


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"[1, 2", b'PatientID,"x\n'])
def test_what_is_no_table_is_refused_whole(data: bytes) -> None:
    """A file that cannot be read is one error and not one for each line."""
    with pytest.raises(InvalidRequest):
        list(read_table(data))
