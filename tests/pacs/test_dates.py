import pytest

from pacs.dates import date_of, dates_of, time_of, times_of


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("20240229", "20240229"),
        ("2024.02.29", "20240229"),
        ("2024-02-29", "20240229"),
        ("20230229", ""),
        ("00000000", ""),
        ("20241301", ""),
        ("2024", ""),
        ("20240101 x", ""),
        ("２０２４0101", "20240101"),
        ("", ""),
    ],
)
def test_a_column_holds_a_date_that_exists_or_nothing(text: str, date: str) -> None:
    """Dates of ACR-NEMA and ISO 8601 become eight digits; everything else is no date."""
    assert date_of(text) == date


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("235960", "235960"),
        ("101530.250000", "101530.250000"),
        ("10", "100000"),
        ("1015", "101500"),
        ("10:15:30", "101530"),
        ("240000", ""),
        ("1060", ""),
        ("101", ""),
        ("noon", ""),
    ],
)
def test_a_column_holds_a_time_that_exists_or_nothing(text: str, time: str) -> None:
    """Missing minutes and seconds are zero, so that texts compare like times."""
    assert time_of(text) == time


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("2024", ("20240101", "20241231")),
        ("202402", ("20240201", "20240229")),
        ("20240215", ("20240215", "20240215")),
        ("2024.02.15", ("20240215", "20240215")),
        ("202413", None),
        ("20240231", None),
        ("x", None),
    ],
)
def test_a_part_of_a_date_is_all_its_days(text: str, days: tuple[str, str] | None) -> None:
    """A year or a month stands for its first to its last day."""
    assert dates_of(text) == days


@pytest.mark.parametrize(
    ("text", "moments"),
    [
        ("10", ("100000", "105959.999999")),
        ("1015", ("101500", "101559.999999")),
        ("101530", ("101530", "101530.999999")),
        ("101530.5", ("101530.5", "101530.599999")),
        ("10:15", ("101500", "101559.999999")),
        ("25", None),
    ],
)
def test_a_part_of_a_time_is_all_its_moments(text: str, moments: tuple[str, str] | None) -> None:
    """An hour stands for its first to its last microsecond."""
    assert times_of(text) == moments
