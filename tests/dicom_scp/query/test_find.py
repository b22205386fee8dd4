from collections.abc import Callable
from typing import Any

import pytest
from pydicom.dataset import Dataset

PATIENT_ROOT = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
PATIENT_STUDY_ONLY = "1.2.840.10008.5.1.4.1.2.3.1"
RELATIONAL, COMBINED, FUZZY, EMPTY = b"\1", b"\0\1", b"\0\0\1", b"\0\0\0\0\0\1"
Keys = Callable[..., Dataset]


def numbers(found: list[Dataset]) -> list[str]:
    return sorted(str(one.StudyID) for one in found)


@pytest.mark.parametrize(
    ("sop_class", "level", "above", "count"),
    [
        (PATIENT_ROOT, "PATIENT", {}, 6),
        (PATIENT_ROOT, "STUDY", {"PatientID": "P1"}, 2),
        (PATIENT_ROOT, "SERIES", {"PatientID": "P1", "StudyInstanceUID": "1.2.3.1"}, 2),
        (
            PATIENT_ROOT,
            "IMAGE",
            {"PatientID": "P1", "StudyInstanceUID": "1.2.3.1", "SeriesInstanceUID": "1.2.3.1.1"},
            2,
        ),
        (STUDY_ROOT, "STUDY", {}, 7),
        (STUDY_ROOT, "SERIES", {"StudyInstanceUID": "1.2.3.1"}, 2),
        (STUDY_ROOT, "IMAGE", {"StudyInstanceUID": "1.2.3.1", "SeriesInstanceUID": "1.2.3.1.2"}, 1),
        (PATIENT_STUDY_ONLY, "PATIENT", {}, 6),
        (PATIENT_STUDY_ONLY, "STUDY", {"PatientID": "P1"}, 2),
    ],
)
def test_every_level_of_every_root(
    peer: Any, keys: Keys, sop_class: str, level: str, above: dict[str, str], *, count: int
) -> None:
    """Hierarchical queries walk down a model by unique keys."""
    unique = {"PATIENT": "PatientID", "STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID"}.get(level)
    found = peer.matches(sop_class, keys(level, **above, **({} if unique is None else {unique: ""}), SOPInstanceUID=""))
    assert len(found) == count
    for one in found:
        assert one.QueryRetrieveLevel == level
        assert one.RetrieveAETitle == "PACS"
        assert one.InstanceAvailability == "ONLINE"
