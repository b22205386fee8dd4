from collections.abc import Callable
from typing import Any

import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset

from pacs.modalities import Admitted, Right

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


@pytest.mark.parametrize(
    ("values", "studies"),
    [
        ({"PatientID": "P1"}, "12"),
        ({"PatientID": "P*"}, "1234567"),
        ({"PatientID": "P?"}, "1234567"),
        ({"AccessionNumber": "A3"}, "3"),
        ({"AccessionNumber": "*"}, "1234567"),
        ({"StudyInstanceUID": ["1.2.3.1", "1.2.3.4", "1.2.3.99"]}, "14"),
        ({"StudyDate": "20240105"}, "1"),
        ({"StudyDate": "20240213-20240301"}, "34"),
        ({"StudyDate": "-20240212"}, "12"),
        ({"StudyDate": "20240304-"}, "7"),
        ({"StudyTime": "0700-0815"}, "17"),
        ({"StudyDate": "20240212-20240213", "StudyTime": "230000-235959"}, "2"),
        ({"ModalitiesInStudy": "CT"}, "135"),
        ({"ModalitiesInStudy": ["MR", "US"]}, "26"),
        ({"Modality": "CR"}, "4"),
        ({"PatientName": "nguyen van a"}, "12"),
        ({"PatientName": "*BUOI*"}, "3"),
        ({"PatientName": "Nguyen^Van"}, "12"),
        ({"PatientName": "NGUY"}, ""),
        ({"PatientBirthDate": "19700101"}, "1234567"),
        ({"StudyID": "5"}, "5"),
    ],
)
def test_every_kind_of_matching(peer: Any, keys: Keys, values: dict[str, Any], studies: str) -> None:
    """Single values, wildcards, ranges, lists of UIDs, universal matching and names without regard to accents."""
    asked = {"StudyID": "", **values}
    assert numbers(peer.matches(STUDY_ROOT, keys("STUDY", **asked))) == list(studies)


@pytest.mark.parametrize(
    ("character_set", "name", "studies"),
    [
        ("ISO_IR 192", "NGUYỄN^VĂN A", "12"),
        ("ISO_IR 100", "Äneas^Rüdiger", "4"),
        ("GB18030", "*王^小东*", "5"),
        ("\\ISO 2022 IR 87", "*山田*", "6"),
        ("ISO_IR 100", "Tràn^Thi*", "3"),
        ("", "Wang*", "5"),
    ],
)
def test_asked_in_one_character_set_found_in_another(
    peer: Any, keys: Keys, character_set: str, name: str, studies: str
) -> None:
    """The question is read in its own Specific Character Set, whatever the instances were written in."""
    terms = character_set.split("\\")
    asked = keys("STUDY", SpecificCharacterSet=terms, PatientName=name, StudyID="")
    assert numbers(peer.matches(STUDY_ROOT, asked)) == list(studies)


@pytest.mark.parametrize(
    ("requested", "registered", "study", "answered", "name"),
    [
        ("ISO_IR 100", "", "1.2.3.4", "ISO_IR 100", "Äneas^Rüdiger"),
        ("ISO_IR 100", "", "1.2.3.1", "ISO_IR 192", "NGUYỄN^VĂN A"),
        ("", "", "1.2.3.1", "ISO_IR 192", "NGUYỄN^VĂN A"),
        ("", "", "1.2.3.7", "", "LE VAN C44T"),
        ("GB18030", "", "1.2.3.1", "GB18030", "NGUYỄN^VĂN A"),
        ("\\ISO 2022 IR 87", "", "1.2.3.6", ["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO_IR 192", "FOLDED", "1.2.3.1", "", "NGUYEN^VAN A"),
        ("", "ISO_IR 100", "1.2.3.4", "ISO_IR 100", "Äneas^Rüdiger"),
        ("", "ISO_IR 100", "1.2.3.1", "", "NGUYEN^VAN A"),
    ],
)
def test_answered_in_a_set_that_the_requestor_reads(  # noqa: PLR0917  # fixtures and cases
    peer: Any, keys: Keys, requested: str, registered: str, study: str, answered: Any, name: str
) -> None:
    """Its own set where that has all letters, else UTF-8; what the registry says of a device goes before."""
    peer.admitted["READER"] = Admitted("default", character_set=registered)
    asked = keys("STUDY", SpecificCharacterSet=requested.split("\\"), PatientName="", StudyInstanceUID=study)
    (found,) = peer.matches(STUDY_ROOT, asked, calling="READER")
    assert found.get("SpecificCharacterSet", "") == answered
    assert str(found.PatientName) == name


def test_relational_queries_need_negotiation(peer: Any, keys: Keys) -> None:
    """Without, a missing unique key above does not match the model; with, any level is searched as a whole."""
    asked = keys("SERIES", SeriesInstanceUID="", PatientName="NGUYEN*")
    ((status, _),) = peer.find(STUDY_ROOT, asked)
    assert status == 0xA900
    assert len(peer.matches(STUDY_ROOT, asked, extended=RELATIONAL)) == 3
    assert len(peer.matches(STUDY_ROOT, keys("IMAGE", SOPInstanceUID=""), extended=RELATIONAL)) == 10


def test_date_and_time_combine_when_agreed(peer: Any, keys: Keys) -> None:
    """From half past ten in the evening to one in the morning is one night, and not an empty set of hours."""
    asked = keys("STUDY", StudyDate="20240212-20240213", StudyTime="223000-010000", StudyID="")
    assert numbers(peer.matches(STUDY_ROOT, asked)) == []
    assert numbers(peer.matches(STUDY_ROOT, asked, extended=COMBINED)) == ["2", "3"]


def test_fuzzy_names_and_empty_values_when_agreed(peer: Any, keys: Keys) -> None:
    """Beginnings of names, and values that are not there, are found by those who know to ask for them."""
    assert numbers(peer.matches(STUDY_ROOT, keys("STUDY", PatientName="NGUY", StudyID=""), extended=FUZZY)) == [
        "1",
        "2",
    ]
    nothing = keys("STUDY", AccessionNumber='""', StudyID="")
    assert numbers(peer.matches(STUDY_ROOT, nothing, extended=EMPTY)) == ["7"]
    assert numbers(peer.matches(STUDY_ROOT, nothing)) == []


def test_another_time_zone_when_agreed(peer: Any, keys: Keys) -> None:
    """Times are compared as moments, and the answer says in which zone it is."""
    asked = keys("STUDY", StudyDate="20240212", TimezoneOffsetFromUTC="+0000", StudyID="")
    found = peer.matches(STUDY_ROOT, asked, extended=b"\0\0\0\1")
    assert numbers(found) == ["2", "3"]  # half past midnight here is the evening before there
    assert found[0].TimezoneOffsetFromUTC == "+0700"


def test_computed_keys(peer: Any, keys: Keys) -> None:
    """Counts and classes that no instance says are known all the same."""
    (study,) = peer.matches(
        STUDY_ROOT,
        keys(
            "STUDY",
            StudyInstanceUID="1.2.3.1",
            NumberOfStudyRelatedSeries="",
            NumberOfStudyRelatedInstances="",
            ModalitiesInStudy="",
            SOPClassesInStudy="",
        ),
    )
    assert (study.NumberOfStudyRelatedSeries, study.NumberOfStudyRelatedInstances) == (2, 3)
    assert (study.ModalitiesInStudy, study.SOPClassesInStudy) == ("CT", "1.2.840.10008.5.1.4.1.1.2")
    counts = {f"NumberOfPatientRelated{what}": "" for what in ("Studies", "Series", "Instances")}
    (patient,) = peer.matches(PATIENT_ROOT, keys("PATIENT", PatientID="P1", **counts))
    assert [patient[keyword].value for keyword in counts] == [2, 3, 5]
    above = {"StudyInstanceUID": "1.2.3.1", "NumberOfSeriesRelatedInstances": ""}
    series = peer.matches(STUDY_ROOT, keys("SERIES", SeriesInstanceUID="", **above))
    assert sorted(one.NumberOfSeriesRelatedInstances for one in series) == [1, 2]


def test_a_class_that_a_study_must_have(peer: Any, keys: Keys) -> None:
    """SOP Classes in Study narrows a search."""
    for uid, count in (("1.2.840.10008.5.1.4.1.1.2", 7), ("1.2.840.10008.5.1.4.1.1.4", 0)):
        assert len(peer.matches(STUDY_ROOT, keys("STUDY", SOPClassesInStudy=uid, StudyInstanceUID=""))) == count


def test_keys_inside_a_sequence(peer: Any, keys: Keys) -> None:
    """A requested procedure finds its series, and the answer holds only the keys of the item asked for."""
    item = keys(RequestedProcedureID="R4")
    asked = keys("SERIES", SeriesInstanceUID="", RequestAttributesSequence=[item])
    (found,) = peer.matches(STUDY_ROOT, asked, extended=RELATIONAL)
    assert [element.keyword for element in found.RequestAttributesSequence[0]] == ["RequestedProcedureID"]


def test_keys_that_we_do_not_have_are_answered_empty_with_a_warning(peer: Any, keys: Keys) -> None:
    """The requestor learns that a key was not looked at."""
    known = peer.find(STUDY_ROOT, keys("STUDY", StudyInstanceUID="1.2.3.1", PatientName=""))
    assert [status for status, _ in known] == [0xFF00, 0]
    unknown = peer.find(STUDY_ROOT, keys("STUDY", StudyInstanceUID="1.2.3.1", PatientAlternativeCalendar="X"))
    assert [status for status, _ in unknown] == [0xFF01, 0]
    assert "PatientAlternativeCalendar" in unknown[0][1]


@pytest.mark.parametrize(
    ("sop_class", "level", "values", "status"),
    [
        (STUDY_ROOT, "", {"PatientID": "P1"}, 0xA900),
        (STUDY_ROOT, "PATIENT", {"PatientID": "P1"}, 0xA900),
        (PATIENT_STUDY_ONLY, "SERIES", {"PatientID": "P1", "StudyInstanceUID": "1"}, 0xA900),
        (PATIENT_ROOT, "STUDY", {"PatientID": "*"}, 0xA900),
        (STUDY_ROOT, "STUDY", {"NumberOfFrames": "x", "InstanceNumber": "a"}, 0),
        (STUDY_ROOT, "STUDY", {"StudyInstanceUID": "1.2.3\\..\\x"}, 0xC000),
    ],
)
def test_what_cannot_be_asked_is_refused(  # noqa: PLR0917  # fixtures and cases
    peer: Any, keys: Keys, sop_class: str, level: str, values: dict[str, str], status: int
) -> None:
    """An Identifier outside of its model, and values that cannot be compared, fail and say why."""
    asked = Dataset()
    asked.QueryRetrieveLevel = level
    for keyword, value in values.items():
        asked.add_new(keyword, dictionary_VR(keyword), "")
        asked[keyword]._value = value  # as broken as peers send it
    assert peer.find(sop_class, asked)[-1][0] == status


def test_right_to_query_is_the_registrys(peer: Any, keys: Keys) -> None:
    """A modality that may only store gets no presentation context for queries."""
    peer.admitted["SCANNER"] = Admitted("default", frozenset({Right.STORE}))
    with pytest.raises(AssertionError):
        peer.matches(STUDY_ROOT, keys("STUDY", PatientID=""), calling="SCANNER")


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
def test_every_transfer_syntax_of_messages(peer: Any, keys: Keys, syntax: str) -> None:
    """Implicit, big endian and deflated Identifiers are read and answered alike."""
    asked = keys("STUDY", StudyInstanceUID="1.2.3.2", NumberOfStudyRelatedInstances="", ProcedureCodeSequence=[])
    (found,) = peer.matches(STUDY_ROOT, asked, syntax=syntax)
    assert (found.StudyInstanceUID, found.NumberOfStudyRelatedInstances) == ("1.2.3.2", 2)
