import pytest

from viewer_api import display


@pytest.mark.parametrize(
    ("sent", "shown"),
    [("20261123", "23/11/2026"), ("2026.11.23", "23/11/2026"), ("", ""), ("1957", "1957"), ("hôm qua", "hôm qua")],
)
def test_dates_are_day_first_and_never_guessed(sent: str, shown: str) -> None:
    """A DICOM date is shown as people here write it; anything else as it came."""
    assert display.date(sent) == shown


@pytest.mark.parametrize(("sent", "shown"), [("140233.5", "14:02"), ("14:02:33", "14:02"), ("", ""), ("9", "9")])
def test_times_lose_their_seconds_only(sent: str, shown: str) -> None:
    """A DICOM time is shown as hours and minutes."""
    assert display.time(sent) == shown


def test_a_name_is_shown_in_the_order_sent() -> None:
    """Family name first, without the separators of the standard."""
    item = {"00100010": {"vr": "PN", "Value": [{"Alphabetic": "NGUYỄN^VĂN  A^^"}]}}
    assert display.PatientFacts.of(item).name == "NGUYỄN VĂN A"


def test_absent_and_strange_values_do_not_break_a_row() -> None:
    """An archive holds what modalities sent, nulls and nonsense included."""
    item = {
        "00100010": {"vr": "PN", "Value": [None]},
        "00100030": {"vr": "DA"},
        "00201206": {"vr": "IS", "Value": ["many"]},
        "00201208": {"vr": "IS", "Value": [1e400]},
    }
    facts = display.StudyFacts.of(item)
    assert (facts.patient.name, facts.patient.birth_date, facts.series, facts.instances) == ("", "", 0, 0)
