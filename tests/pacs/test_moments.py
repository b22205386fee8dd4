import pytest

from pacs.errors import InvalidRequest
from pacs.query import parse_query

Conditions = set[tuple[str, str, tuple[str, ...]]]


def conditions(*params: tuple[str, str], level: str = "study") -> Conditions:
    """Keyword, kind and values of each condition."""
    return {(one.attribute.keyword, one.kind, one.values) for one in parse_query(level, params).matches}


def test_two_ranges_mean_everything_between_two_moments() -> None:
    """PS3.4 C.2.2.2.5.4: from the evening of one day to the morning of another, not the same hours of every day."""
    asked = conditions(("StudyDate", "20240101-20240103"), ("StudyTime", "2000-0600"))
    assert asked == {("StudyDate", "moments", ("20240101", "200000", "20240103", "060059.999999"))}


@pytest.mark.parametrize(
    ("date", "time", "moments"),
    [
        ("20240101-", "08-", ("20240101", "080000", "", "")),
        ("-20240101", "-08", ("", "", "20240101", "085959.999999")),
        ("20240101-20240102", "08-", ("20240101", "080000", "20240102", "235959.999999")),
        ("20240101-20240102", "-08", ("20240101", "000000", "20240102", "085959.999999")),
    ],
)
def test_an_open_end_stays_open_or_is_the_end_of_its_day(date: str, time: str, moments: tuple[str, ...]) -> None:
    """What a range leaves out is unbounded; a day without an hour is the whole day."""
    assert conditions(("StudyDate", date), ("StudyTime", time)) == {("StudyDate", "moments", moments)}


@pytest.mark.parametrize(("date", "time"), [("20240101", "0800-0900"), ("20240101-20240102", "08")])
def test_a_single_value_and_a_range_are_two_conditions(date: str, time: str) -> None:
    """Only two ranges are combined."""
    asked = conditions(("StudyDate", date), ("StudyTime", time))
    assert {(keyword, kind) for keyword, kind, _ in asked} == {("StudyDate", "range"), ("StudyTime", "range")}


@pytest.mark.parametrize(
    ("offset", "date", "time", "moments"),
    [
        ("+0000", "20240101", "", ("20240101", "070000", "20240102", "065959.999999")),
        (" 0000", "20240101", "", ("20240101", "070000", "20240102", "065959.999999")),
        ("-0500", "20240101", "20", ("20240102", "080000", "20240102", "085959.999999")),
        ("+1030", "20240101", "02", ("20231231", "223000", "20231231", "232959.999999")),
        ("+0000", "20240101-", "", ("20240101", "070000", "", "")),
    ],
)
def test_days_of_another_zone_are_moments_of_ours(offset: str, date: str, time: str, moments: tuple[str, ...]) -> None:
    """PS3.4 C.2.2.2.5: with Timezone Offset From UTC, hours and midnight of the search are in that zone."""
    asked = [("TimezoneOffsetFromUTC", offset), ("StudyDate", date), ("StudyTime", time)]
    assert conditions(*asked) == {("StudyDate", "moments", moments)}


def test_hours_of_another_zone_are_hours_of_ours() -> None:
    """Hours without a date move as far as they stay within one day."""
    asked = conditions(("TimezoneOffsetFromUTC", "+0000"), ("StudyTime", "01-02"))
    assert asked == {("StudyTime", "range", ("080000", "095959.999999"))}


def test_our_own_zone_changes_nothing() -> None:
    """A search that names the local zone is the same search."""
    assert conditions(("TimezoneOffsetFromUTC", "+0700"), ("StudyDate", "20240101")) == conditions(
        ("StudyDate", "20240101")
    )


@pytest.mark.parametrize(
    ("offset", "keyword", "value"),
    [
        ("Hanoi", "StudyDate", "20240101"),
        ("+2500", "StudyDate", "20240101"),
        ("+0000", "StudyTime", "16-18"),
        ("-0500", "StudyDate", "99991231"),
    ],
)
def test_what_has_no_moment_is_refused(offset: str, keyword: str, value: str) -> None:
    """Hours across midnight without a date, and zones that are none, are errors with a reason."""
    with pytest.raises(InvalidRequest):
        conditions(("TimezoneOffsetFromUTC", offset), (keyword, value))


def test_the_date_of_birth_has_no_zone() -> None:
    """Only moments move."""
    asked = conditions(("TimezoneOffsetFromUTC", "+0000"), ("PatientBirthDate", "19700101"))
    assert asked == {("PatientBirthDate", "range", ("19700101", "19700101"))}
