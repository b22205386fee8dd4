"""Searches over real rows: every kind of matching, order, pages, what an answer holds."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import psycopg
import pytest

from pacs.errors import InvalidRequest, TooBroad
from pacs.model import Location, ManifestEntry
from pacs.query import parse_query
from pacs.rows import rows_of
from storage.index import Index
from storage.index.search import SearchResult, find_pages, search
from storage.index.writing import Filed, Pack, add_instances, add_pack
from storage.packs import Member

HOSPITAL = "default"
VR = {"00100010": "PN", "00080090": "PN", "00200011": "IS", "00200013": "IS", "00280010": "US", "00280011": "US"}


def filed(number: int, *, study: str, series: str, received_at: int = 0, **tags: Any) -> Filed:
    """An instance as a modality might have described it; ``tags`` are ``_00100010="Nguyễn^Văn A"``."""
    uid = f"{series}.{number}"
    metadata: dict[str, Any] = {}
    for name, value in tags.items():
        tag = name.removeprefix("_")
        content = {"Alphabetic": value} if VR.get(tag) == "PN" else value
        metadata[tag] = {"vr": VR.get(tag, "LO"), "Value": [content]}
    entry = ManifestEntry(
        sop_instance_uid=uid,
        study_instance_uid=study,
        series_instance_uid=series,
        digest=sha256(uid.encode()).hexdigest(),
        received_at=received_at or number,
        received_size=1,
        received_transfer_syntax_uid="1.2.840.10008.1.2.1",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        verdict="as received",
        reason="",
        before=-1,
        frames=((200, 10),),
    )
    return Filed(entry, rows_of(entry, metadata), Location("packs/00/0.zip", 0, 1, False, -1, 0), 1, number)


def file(index: Index, *instances: Filed) -> None:
    with index.transaction(HOSPITAL) as connection:
        pack_pk = add_pack(connection, Pack("packs/00/0.zip", 1, Member(0, 1, False, 1, 0)))
        add_instances(connection, pack_pk, instances)


def ask(index: Index, level: str, *params: tuple[str, str]) -> SearchResult:
    return search(index, HOSPITAL, parse_query(level, params))


def studies(index: Index, *params: tuple[str, str]) -> list[str]:
    return [item["0020000D"]["Value"][0] for item in ask(index, "study", *params).items]


@pytest.fixture
def index(database: str) -> Iterator[Index]:
    with Index(database) as index:
        yield index


@pytest.fixture
def people(index: Index) -> Index:
    """Five studies, named by their patients."""
    names = ("Nguyễn^Văn A", "NGUYEN VAN A44T", "Trần^Thị Đào", "Nguyen^Lan", "O'Neil_100%^X")
    for number, name in enumerate(names, 1):
        file(
            index,
            filed(
                1,
                study=f"1.{number}",
                series=f"1.{number}.1",
                _00100010=name,
                _00100020=f"P{number}",
                _00080020=f"2024010{number}",
                _00080030="081530",
                _00080050=f"ACC_{number}",
                _00080060="CT" if number % 2 else "MR",
                _00080090="Phạm^Bác Sĩ",
                _00200011=number,
                _00200013=7,
                _00280010=512,
                _00280011=512,
            ),
        )
    return index


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("nguyen", {"1.1", "1.2", "1.4"}),
        ("van nguyễn", {"1.1", "1.2"}),
        ("VĂN^NGUYỄN", {"1.1", "1.2"}),
        ("Văn A", {"1.1"}),
        ("a*", {"1.1", "1.2"}),
        ("*an", {"1.1", "1.2", "1.3", "1.4"}),
        ("n*n", {"1.1", "1.2", "1.4"}),
        ("tran dao", {"1.3"}),
        ("ĐÀO", {"1.3"}),
        ("t?i", {"1.3"}),
        ("th?", {"1.3"}),
        ("nguy", set()),
        ("100%", {"1.5"}),
        ("_", {"1.1", "1.2", "1.3", "1.4", "1.5"}),
    ],
)
def test_names_are_found_without_accents_case_or_order(people: Index, value: str, found: set[str]) -> None:
    """Whole folded words in any order; wildcards stay within a word; SQL's own wildcards mean nothing."""
    assert set(studies(people, ("PatientName", value))) == found


def test_fuzzy_matching_takes_beginnings_of_words(people: Index) -> None:
    """What was typed so far finds the names that go on like it."""
    assert set(studies(people, ("PatientName", "ngu v"), ("fuzzymatching", "true"))) == {"1.1", "1.2"}


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("PatientID", "P3", {"1.3"}),
        ("PatientID", "P*", {"1.1", "1.2", "1.3", "1.4", "1.5"}),
        ("PatientID", "?3", {"1.3"}),
        ("AccessionNumber", "ACC_1", {"1.1"}),
        ("AccessionNumber", "ACC?1", {"1.1"}),
        ("AccessionNumber", "A%1", set()),
        ("StudyInstanceUID", "1.1,1.4", {"1.1", "1.4"}),
        ("StudyDate", "20240102-20240103", {"1.2", "1.3"}),
        ("StudyDate", "20240104-", {"1.4", "1.5"}),
        ("StudyDate", "-20240101", {"1.1"}),
        ("StudyDate", "2024", {"1.1", "1.2", "1.3", "1.4", "1.5"}),
        ("StudyTime", "08", {"1.1", "1.2", "1.3", "1.4", "1.5"}),
        ("StudyTime", "0816-", set()),
        ("ModalitiesInStudy", "MR", {"1.2", "1.4"}),
        ("ModalitiesInStudy", "M*", {"1.2", "1.4"}),
        ("ModalitiesInStudy", "CT\\MR", {"1.1", "1.2", "1.3", "1.4", "1.5"}),
        ("ReferringPhysicianName", "bac si pham", {"1.1", "1.2", "1.3", "1.4", "1.5"}),
        ("PatientID", "'; DROP TABLE study; --", set()),
        ("PatientID", "%s %(limit)s {}", set()),
    ],
)
def test_attributes_are_matched_by_their_kind(people: Index, name: str, value: str, found: set[str]) -> None:
    """Exact, wildcard, range, UID list and multi-valued matching each find what PS3.4 C.2.2.2 says."""
    assert set(studies(people, (name, value))) == found


def test_pages_follow_each_other_and_say_what_remains(people: Index) -> None:
    """Newest first; pages neither repeat nor skip, and each says how many are left."""
    assert studies(people) == ["1.5", "1.4", "1.3", "1.2", "1.1"]
    first = ask(people, "study", ("limit", "2"))
    assert first.remaining == 3
    assert studies(people, ("limit", "2"), ("offset", "2")) == ["1.3", "1.2"]
    assert ask(people, "study", ("limit", "2"), ("offset", "4")).remaining == 0
    assert ask(people, "study", ("limit", "0")) == SearchResult([], 5)
    assert ask(people, "study", ("offset", "1000000")) == SearchResult([], 0)


def test_a_study_says_what_the_standard_requires(people: Index) -> None:
    """PS3.18 Table 10.6.3-3: required attributes are there even when empty, counts and modalities are true."""
    (item,) = ask(people, "study", ("PatientID", "P1")).items
    assert list(item) == sorted(item)
    assert item["00080061"] == {"vr": "CS", "Value": ["CT"]}
    assert item["00201206"] == {"vr": "IS", "Value": [1]}
    assert item["00201208"] == {"vr": "IS", "Value": [1]}
    assert item["00080056"] == {"vr": "CS", "Value": ["ONLINE"]}
    assert item["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Nguyễn^Văn A"}]}
    assert item["00200010"] == {"vr": "SH"}


def test_series_and_instances_say_what_they_are(people: Index) -> None:
    """Each level names all UIDs above it; a level that the search did not name brings its attributes along."""
    named = parse_query("series", [("StudyInstanceUID", "1.2")], named=("study",))
    (series,) = search(people, HOSPITAL, named).items
    assert series["0020000D"]["Value"] == ["1.2"]
    assert series["0020000E"]["Value"] == ["1.2.1"]
    assert series["00200011"]["Value"] == [2]
    assert series["00201209"]["Value"] == [1]
    assert "00100010" not in series
    assert "00100010" in ask(people, "series").items[0]
    keys = [("StudyInstanceUID", "1.2"), ("SeriesInstanceUID", "1.2.1")]
    (instance,) = search(people, HOSPITAL, parse_query("instance", keys, named=("study", "series"))).items
    assert instance["00080018"]["Value"] == ["1.2.1.1"]
    assert instance["00200013"]["Value"] == [7]
    assert instance["00280010"]["Value"] == [512]
    assert "00080060" not in instance
    assert ask(people, "series", ("SeriesNumber", "3")).items[0]["0020000D"]["Value"] == ["1.3"]
    assert ask(people, "instance", ("InstanceNumber", "99")).items == []


def test_included_fields_are_given_when_stored(index: Index) -> None:
    """An optional attribute comes when it is asked for by name or with all."""
    file(index, filed(1, study="1", series="1.1", _00080080="Bệnh viện"))
    assert "00080080" not in ask(index, "study").items[0]
    for field in ("InstitutionName", "00080080", "all"):
        assert ask(index, "study", ("includefield", field)).items[0]["00080080"]["Value"] == ["Bệnh viện"]


def test_an_attribute_inside_a_sequence_is_matched(index: Index) -> None:
    """Requested Procedure ID lies in an item of Request Attributes Sequence (PS3.18 8.3.4.1)."""
    item = {"00401001": {"vr": "SH", "Value": ["RP7"]}}
    one = filed(1, study="1", series="1.1")
    one.rows.series.attributes["00400275"] = {"vr": "SQ", "Value": [item]}
    file(index, one, filed(2, study="1", series="1.2"))
    name = "RequestAttributesSequence.RequestedProcedureID"
    assert [found["0020000E"]["Value"] for found in ask(index, "series", (name, "RP7")).items] == [["1.1"]]
    assert [found["0020000E"]["Value"] for found in ask(index, "series", (name, "RP*")).items] == [["1.1"]]
    assert ask(index, "series", (name, "RP8")).items == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("StudyTime", {"1"}),
        ("PatientName", {"1"}),
        ("ModalitiesInStudy", {"1"}),
        ("InstitutionName", {"1", "2"}),
        ("OtherPatientIDsSequence.PatientID", set()),
        ("StudyDate", set()),
    ],
)
def test_empty_values_are_found_when_asked_for(index: Index, name: str, found: set[str]) -> None:
    """Two quotation marks mean no value, wherever it would stand (PS3.4 C.2.2.2.7); in a sequence, in an item of it."""
    day = "20240101"
    file(index, filed(1, study="1", series="1.1", _00080020=day))
    file(index, filed(1, study="2", series="2.1", _00080020=day, _00080030="10", _00100010="A", _00080060="CT"))
    assert set(studies(index, (name, '""'), ("emptyvaluematching", "true"))) == found


def test_a_study_without_a_time_is_not_hidden_by_moments(index: Index) -> None:
    """On the days asked for it may have been at any hour."""
    for number, (day, time) in enumerate((("20240101", "07"), ("20240101", "09"), ("20240101", ""), ("20240103", ""))):
        file(index, filed(1, study=f"1.{number}", series=f"1.{number}.1", _00080020=day, _00080030=time))
    asked = (("StudyDate", "20240101-20240102"), ("StudyTime", "08-12"))
    assert set(studies(index, *asked)) == {"1.1", "1.2"}


def test_a_series_is_found_by_its_own_modality(index: Index) -> None:
    """Another series of the same study is not."""
    file(index, filed(1, study="1", series="1.1", _00080060="CT"), filed(1, study="1", series="1.2", _00080060="SR"))
    assert [item["0020000E"]["Value"] for item in ask(index, "series", ("Modality", "SR")).items] == [["1.2"]]


def test_values_come_from_the_instance_received_first(database: str, second_database: str) -> None:
    """Whatever the order of filing, patient, study and series say what their first received instance says."""
    early = {"_00100010": "First", "_00100020": "P", "_00080060": "CT", "_00080020": "20240101"}
    late = {"_00100010": "Second", "_00100020": "P", "_00080060": "MR", "_00080020": "20250101"}
    made = [
        filed(1, study="1", series="1.1", received_at=10, **early),
        filed(2, study="1", series="1.1", received_at=20, **late),
        filed(3, study="1", series="1.2", received_at=15, **late),
    ]
    answers = []
    for url, order in ((database, made), (second_database, made[::-1])):
        with Index(url) as index:
            for one in order:
                file(index, one)
            answers.append([ask(index, level) for level in ("study", "series", "instance")])
    assert answers[0] == answers[1]
    (study,) = answers[0][0].items
    assert study["00100010"]["Value"] == [{"Alphabetic": "First"}]
    assert study["00080061"]["Value"] == ["CT", "MR"]
    assert study["00201208"]["Value"] == [3]
    assert studies_named(database, "second") == []


def studies_named(url: str, name: str) -> list[str]:
    with Index(url) as index:
        return studies(index, ("PatientName", name))


def test_one_study_uid_under_two_patients_is_two_studies(index: Index) -> None:
    """The same Study Instance UID under two patients mixes nothing and hides nothing; nameless patients never merge."""
    file(
        index,
        filed(1, study="1", series="1.1", _00100020="A"),
        filed(2, study="1", series="1.1", _00100020="B"),
        filed(3, study="2", series="2.1"),
        filed(4, study="3", series="3.1"),
    )
    assert sorted(studies(index)) == ["1", "1", "2", "3"]
    found = [item["00100020"].get("Value") for item in ask(index, "study").items]
    assert sorted(found, key=str) == [None, None, ["A"], ["B"]]


def test_whatever_a_sender_wrote_can_be_filed(index: Index) -> None:
    """NUL, lone surrogates, absurd numbers and endless texts are filed, because the image must not be lost."""
    file(
        index,
        filed(
            1,
            study="1",
            series="1.1",
            _00100010="A\0B\ud800",
            _00100020="x" * 10_000,
            _00200011=10**12,
            _00200013=float("inf"),
            _00280010=-1,
            _00081030="\u0000",
            _00080080={"deep": [float("nan"), "\0"]},
        ),
    )
    assert len(ask(index, "instance", ("includefield", "all")).items) == 1


def test_a_search_that_the_index_cannot_compare_is_refused(index: Index) -> None:
    """A value no column can hold is an invalid request, not a failing archive."""
    query = parse_query("study", [("PatientID", "x")])
    broken = type(query.matches[0])(query.matches[0].attribute, "exact", ("\0",))
    with pytest.raises(InvalidRequest):
        search(index, HOSPITAL, type(query)("study", (broken,), (), False, 1, 0, False))


def test_patients_are_found_with_what_is_theirs(people: Index) -> None:
    """A patient has the attributes of the first study and counts over all of them (PS3.4 C.6.1.1.2)."""
    file(people, filed(2, study="1.9", series="1.9.1", received_at=99, _00100010="Other", _00100020="P1"))
    (item,) = ask(people, "patient", ("PatientName", "van a"), ("NumberOfPatientRelatedStudies", "")).items
    assert item["00100020"]["Value"] == ["P1"]
    assert item["00100010"]["Value"] == [{"Alphabetic": "Nguyễn^Văn A"}]
    assert item["00201200"]["Value"] == [2]
    assert "00080020" not in item
    (item,) = ask(people, "patient", ("PatientID", "P1"), ("includefield", "all")).items
    assert [item[tag]["Value"] for tag in ("00201200", "00201202", "00201204")] == [[2], [2], [2]]


@pytest.mark.parametrize("level", ["patient", "study", "series", "instance"])
def test_everything_is_found_page_by_page(index: Index, monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    """Going on behind the last row neither repeats nor skips, whatever has no date, time or number."""
    monkeypatch.setattr("storage.index.search.PAGE", 2)
    for number, (day, series_number) in enumerate(
        [("20240101", 1), ("", None), ("20240101", None), ("20240102", 2), ("20240101", 1)]
    ):
        for series in (1, 2):
            file(
                index,
                filed(
                    number + series,
                    study=f"1.{number}",
                    series=f"1.{number}.{series}",
                    _00080020=day,
                    _00200011=series_number,
                    _00100020=f"P{number}",
                ),
            )
    whole = ask(index, level).items
    pages = find_pages(index, HOSPITAL, parse_query(level, [("limit", "1")]))
    assert [item for page in pages for item in page] == whole
    first = ask(index, level, ("limit", "3"))
    second = search(index, HOSPITAL, replace(parse_query(level, []), after=first.last))
    assert first.items + second.items == whole
    assert second.last == ()


def test_a_search_that_takes_too_long_is_told_to_be_narrower(database: str) -> None:
    """A search waits and works only so long; then it says so, and the archive goes on."""
    with Index(database, search_seconds=0.05) as index:
        with psycopg.connect(database) as other:
            other.execute("LOCK TABLE h_default.study")
            with pytest.raises(TooBroad):
                ask(index, "study")
            with pytest.raises(TooBroad):
                list(find_pages(index, HOSPITAL, parse_query("study", [])))
        assert ask(index, "study").items == []
