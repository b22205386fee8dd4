from collections.abc import Callable
from typing import Any

import pytest
from pydicom.dataset import Dataset

from pacs.modalities import Admitted
from pacs.orders import KEYWORDS, STEP_KEYWORDS, read_order
from storage.index.orders import change_status, put_orders

WORKLIST = "1.2.840.10008.5.1.4.31"
Keys = Callable[..., Dataset]
# Accession number, name, date, time, modality, station
ORDERS = (
    ("W1", "NGUYỄN^VĂN A", "20240705", "0900", "CT", "CT1"),
    ("W2", "TRẦN^THỊ BƯỞI", "20240705", "2230", "CT", "CT2"),
    ("W3", "LÊ^ĐỨC", "20240706", "0030", "MR", "MR1\\MR2"),
    ("W4", "Äneas^Rüdiger", "20240707", "1500", "US", ""),
    ("W5", "ĐỖ^NAM", "20240101", "1500", "US", ""),
)


@pytest.fixture(scope="module")
def worklist(peer: Any) -> Any:
    """The peer of an archive with orders, one of which is over."""
    put_orders(
        peer.archive.index,
        "default",
        [
            read_order(
                {
                    "AccessionNumber": accession,
                    "PatientName": name,
                    "PatientID": f"P{accession}",
                    "Modality": modality,
                    "ScheduledProcedureStepStartDate": date,
                    "ScheduledProcedureStepStartTime": time,
                    "ScheduledStationAETitle": station,
                    "ScheduledPerformingPhysicianName": "BÁC SĨ^MINH",
                    "RequestedProcedureDescription": "Chụp bụng",
                }
            )
            for accession, name, date, time, modality, station in ORDERS
        ],
    )
    with peer.archive.index.transaction("default") as connection:
        assert change_status(connection, "W5", "", "COMPLETED") == 1
    return peer


def accessions(found: list[Dataset]) -> list[str]:
    return sorted(one.AccessionNumber for one in found)


def asked(keys: Keys, step: dict[str, Any] | None = None, **values: Any) -> Dataset:
    return keys(
        **{"AccessionNumber": "", **values}, ScheduledProcedureStepSequence=[keys(**(step or {"Modality": ""}))]
    )


@pytest.mark.parametrize(
    ("step", "values", "found"),
    [
        ({}, {}, "1234"),
        ({"Modality": "CT"}, {}, "12"),
        ({"ScheduledStationAETitle": "CT1"}, {}, "14"),
        ({"ScheduledStationAETitle": "MR2", "Modality": "MR"}, {}, "3"),
        ({"ScheduledStationAETitle": "CT*"}, {}, "124"),
        ({"ScheduledProcedureStepStartDate": "20240705"}, {}, "12"),
        ({"ScheduledProcedureStepStartDate": "20240706-"}, {}, "34"),
        (
            {"ScheduledProcedureStepStartDate": "20240705-20240706", "ScheduledProcedureStepStartTime": "2200-0100"},
            {},
            "23",
        ),
        ({"ScheduledProcedureStepStartDate": "20240705", "ScheduledProcedureStepStartTime": "0800-1200"}, {}, "1"),
        ({"ScheduledPerformingPhysicianName": "*minh*"}, {}, "1234"),
        ({"ScheduledProcedureStepStatus": "COMPLETED"}, {}, "5"),
        ({}, {"PatientName": "tran*"}, "2"),
        ({}, {"PatientName": "LE^DUC"}, "3"),
        ({}, {"PatientID": "PW1"}, "1"),
        ({}, {"AccessionNumber": "W4"}, "4"),
        ({}, {"RequestedProcedureDescription": "Ch*"}, "1234"),
    ],
)
def test_keys_of_a_scanner(worklist: Any, keys: Keys, step: dict[str, str], values: dict[str, str], found: str) -> None:
    """Station, modality, period, patient and number; a step without a station is for any, a closed one for none."""
    charset = {"SpecificCharacterSet": "ISO_IR 192"}
    matches = worklist.matches(WORKLIST, asked(keys, step, **charset, **values))
    assert accessions(matches) == [f"W{number}" for number in found]


@pytest.mark.parametrize(
    ("requested", "registered", "answered", "names"),
    [
        ("ISO_IR 192", "", "ISO_IR 192", ["NGUYỄN^VĂN A", "Äneas^Rüdiger"]),
        ("", "", None, ["NGUYEN^VAN A", "Aneas^Rudiger"]),
        ("ISO_IR 100", "", None, ["NGUYEN^VAN A", "Äneas^Rüdiger"]),
        ("", "ISO_IR 192", "ISO_IR 192", ["NGUYỄN^VĂN A", "Äneas^Rüdiger"]),
        ("ISO_IR 192", "FOLDED", None, ["NGUYEN^VAN A", "Aneas^Rudiger"]),
    ],
)
def test_names_as_the_scanner_can_show_them(  # noqa: PLR0917  # fixtures and cases
    worklist: Any, keys: Keys, requested: str, registered: str, answered: str | None, names: list[str]
) -> None:
    """UTF-8 for who asks in it or is registered so; plain letters for a scanner of which nothing is known."""
    worklist.admitted["SCANNER"] = Admitted("default", character_set=registered)
    found = worklist.matches(WORKLIST, asked(keys, SpecificCharacterSet=requested, PatientName=""), calling="SCANNER")
    by_number = {one.AccessionNumber: one for one in found}
    assert [str(by_number[number].PatientName) for number in ("W1", "W4")] == names
    assert by_number["W1"].get("SpecificCharacterSet") == answered


def test_all_return_keys_and_the_uid_of_the_study(worklist: Any, keys: Keys) -> None:
    """Every attribute that a scanner may need is answered; the study has one UID for good, and the step who asks."""
    empty = dict.fromkeys((keyword for keyword in KEYWORDS if not keyword.endswith("Sequence")), None)
    step = dict.fromkeys((keyword for keyword in STEP_KEYWORDS if not keyword.endswith("Sequence")), None)
    once, again = (
        worklist.matches(WORKLIST, asked(keys, step, **{**empty, "AccessionNumber": "W4"}), calling="SONO")[0]
        for _ in range(2)
    )
    assert {element.keyword for element in once} >= set(empty)
    assert {element.keyword for element in once.ScheduledProcedureStepSequence[0]} == set(step)
    assert once.StudyInstanceUID == again.StudyInstanceUID
    assert once.StudyInstanceUID.startswith("2.25.")
    assert once.ScheduledProcedureStepSequence[0].ScheduledStationAETitle == "SONO"


def test_an_empty_sequence_asks_for_all_of_the_step(worklist: Any, keys: Keys) -> None:
    """Some scanners send no item, and want everything."""
    (found,) = worklist.matches(WORKLIST, keys(AccessionNumber="W1", ScheduledProcedureStepSequence=[]))
    assert found.ScheduledProcedureStepSequence[0].Modality == "CT"


def test_unknown_keys_and_values_that_make_no_sense(worklist: Any, keys: Keys) -> None:
    """A warning for what is not known, a failure for a date that is none."""
    warned = worklist.find(WORKLIST, asked(keys, AccessionNumber="W1", Occupation=""))
    assert [status for status, _ in warned] == [0xFF01, 0]
    step = keys()
    step.add_new(0x00400002, "DA", "")
    step[0x00400002]._value = "today"
    wrong = keys(ScheduledProcedureStepSequence=[step])
    assert [status for status, _ in worklist.find(WORKLIST, wrong)] == [0xC000]


def test_orders_of_one_procedure_share_a_study(worklist: Any) -> None:
    """Two steps under one number are one study; a repeated order keeps its own."""
    values = {
        "AccessionNumber": "W9",
        "PatientName": "X",
        "PatientID": "P9",
        "Modality": "NM",
        "ScheduledProcedureStepStartDate": "20200101",
        "ScheduledProcedureStepStartTime": "10",
    }
    steps = [read_order({**values, "ScheduledProcedureStepID": step}) for step in ("S1", "S2", "S1")]
    put_orders(worklist.archive.index, "default", steps)
    with worklist.archive.index.transaction("default") as connection:
        rows = connection.execute(
            "DELETE FROM scheduled_procedure_step WHERE accession_number = 'W9' RETURNING study_instance_uid"
        ).fetchall()
    assert len(rows) == 2
    assert len(set(rows)) == 1
