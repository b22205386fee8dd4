import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.errors import InvalidRequest
from pacs.query import DEFAULT_LIMIT, MAX_LIMIT, Query, parse_query


def only(level: str, name: str, value: str, **more: str) -> tuple[str, str, tuple[str, ...]]:
    """Keyword, kind and values of the one condition."""
    (match,) = parse_query(level, [(name, value), *more.items()]).matches
    return match.attribute.keyword, match.kind, match.values


@pytest.mark.parametrize("name", ["StudyDate", "00080020"])
def test_an_attribute_is_named_by_keyword_or_tag(name: str) -> None:
    """PS3.18 8.3.4.1 allows both."""
    assert only("study", name, "20240115") == ("StudyDate", "range", ("20240115", "20240115"))


@pytest.mark.parametrize(
    "name",
    ["RequestAttributesSequence.RequestedProcedureID", "00400275.00401001", "RequestAttributesSequence.00401001"],
)
def test_an_attribute_inside_a_sequence_is_named_by_its_path(name: str) -> None:
    """Parts of a path are joined by full stops, keywords and tags in any mixture."""
    assert only("series", name, "A1") == ("RequestAttributesSequence.RequestedProcedureID", "exact", ("A1",))


@pytest.mark.parametrize(
    ("value", "kind", "values"),
    [
        ("20240101-20241231", "range", ("20240101", "20241231")),
        ("20240101-", "range", ("20240101", "")),
        ("-2024", "range", ("", "20241231")),
        ("2023-2024", "range", ("20230101", "20241231")),
    ],
)
def test_dates_make_ranges(value: str, kind: str, values: tuple[str, ...]) -> None:
    """Both ends belong to a range; a missing one is open."""
    assert only("study", "StudyDate", value) == ("StudyDate", kind, values)


@pytest.mark.parametrize("separator", ["\\", ","])
def test_uids_are_listed_with_comma_or_backslash(separator: str) -> None:
    """Viewers use both."""
    value = f"1.2{separator}1.3"
    assert only("study", "StudyInstanceUID", value) == ("StudyInstanceUID", "uid list", ("1.2", "1.3"))


@pytest.mark.parametrize(
    ("value", "fuzzy", "words"),
    [
        ("NGUYỄN^Văn", "false", ("nguyen", "van")),
        ("*guyễn v*", "false", ("*guyen", "v*")),
        ("nguyen v", "true", ("nguyen*", "v*")),
        ("Đ?", "false", ("d?",)),
    ],
)
def test_names_are_words_without_accents(value: str, fuzzy: str, words: tuple[str, ...]) -> None:
    """Names match word by word; fuzzy means that a word may go on."""
    assert only("study", "PatientName", value, fuzzymatching=fuzzy) == ("PatientName", "name", words)


@pytest.mark.parametrize(
    ("name", "value", "kind", "values"),
    [
        ("PatientID", "00123", "exact", ("00123",)),
        ("PatientID", "*12?", "wildcard", ("*12?",)),
        ("AccessionNumber", "A\\B", "exact", ("A", "B")),
        ("ModalitiesInStudy", "ct", "exact", ("CT",)),
        ("StudyTime", "10-1200", "range", ("100000", "120059.999999")),
    ],
)
def test_texts_match_exactly_or_by_wildcard(name: str, value: str, kind: str, values: tuple[str, ...]) -> None:
    """Zeros in front of an ID count; codes are in capitals."""
    assert only("study", name, value) == (name, kind, values)


def test_numbers_lose_their_padding() -> None:
    """IS values are compared as numbers."""
    assert only("series", "SeriesNumber", " 03 ") == ("SeriesNumber", "exact", ("3",))


def test_the_modality_of_a_study_is_among_its_modalities() -> None:
    """Many clients ask studies for Modality."""
    assert only("study", "Modality", "CT")[0] == "ModalitiesInStudy"


@pytest.mark.parametrize("value", ["", " ", "*", "**"])
def test_a_value_that_everything_has_is_no_condition(value: str) -> None:
    """PS3.4 C.2.2.2.3: universal matching."""
    assert parse_query("study", [("PatientName", value), ("StudyDate", value)]).matches == ()


def test_a_key_without_a_value_asks_for_its_attribute() -> None:
    """PS3.4 C.2.2.2.3; a private creator says whose the private attributes are, and is never matched."""
    keys = [("PatientWeight", ""), ("00091001", ""), ("00090010", "ACME"), ("SpecificCharacterSet", "ISO_IR 6")]
    query = parse_query("instance", keys)
    assert query.matches == ()
    assert query.includefield == ("00101030", "00091001", "00090010", "00080005")


def test_paging_has_defaults_and_bounds() -> None:
    """Nobody gets the whole archive in one answer."""
    assert parse_query("study", []) == Query("study", (), (), False, DEFAULT_LIMIT, 0, False)
    asked = parse_query("study", [("limit", "999999"), ("offset", "40")])
    assert (asked.limit, asked.offset) == (MAX_LIMIT, 40)


def test_fields_are_asked_for_one_by_one_in_lists_or_all() -> None:
    """``includefield`` may come several times, with commas, by keyword, tag or path."""
    asked = [("includefield", "StudyDescription,00080060"), ("includefield", "00400275.00401001")]

    assert parse_query("study", asked).includefield == ("00081030", "00080060", "00400275")
    assert parse_query("study", [("includefield", "all")]).include_all


@pytest.mark.parametrize(
    ("level", "name", "value"),
    [
        ("study", "NoSuchAttribute", "x"),
        ("study", "99999999", "x"),
        ("hospital", "PatientName", "x"),
        ("study", "PatientBirthName", "x"),
        ("study", "SOPInstanceUID", "1.2"),
        ("series", "InstanceNumber", "1"),
        ("study", "StudyDate", "yesterday"),
        ("study", "StudyDate", "20240101-20240102-20240103"),
        ("study", "StudyTime", "99"),
        ("study", "StudyInstanceUID", "1.2;DROP"),
        ("series", "SeriesNumber", "one"),
        ("series", "SeriesNumber", "9" * 30),
        ("study", "limit", "-1"),
        ("study", "limit", "ten"),
        ("study", "offset", "²"),
        ("study", "fuzzymatching", "perhaps"),
        ("study", "includefield", "NoSuchAttribute"),
        ("study", "PatientName", "x" * 2000),
        ("study", "emptyvaluematching", "perhaps"),
    ],
)
def test_what_cannot_be_answered_is_refused(level: str, name: str, value: str) -> None:
    """Unknown attributes, those of a lower level and malformed values are errors with a reason, never ignored."""
    with pytest.raises(InvalidRequest) as refused:
        parse_query(level, [(name, value)])
    assert refused.value.detail


@given(st.sampled_from(["PatientName", "StudyDate", "StudyTime", "StudyInstanceUID", "PatientID", "limit"]), st.text())
def test_any_value_is_understood_or_refused(name: str, value: str) -> None:
    """No value makes anything but a query or InvalidRequest."""
    try:
        query = parse_query("study", [(name, value)])
    except InvalidRequest:
        return
    assert all(isinstance(value, str) for match in query.matches for value in match.values)
