"""Performed procedure steps: the table of PS3.4 F.7.2 restated, and what a step refers to."""

from typing import Any

import pytest

from pacs.performed import Refusal, changed, check_created, references, status_of, studies_of


def element(vr: str, *values: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def begun(**others: Any) -> dict[str, Any]:
    """A step with nothing but its Type 1 attributes."""
    return {
        "00400270": element("SQ", {"0020000D": element("UI", "1.2.3")}),
        "00400253": element("SH", "P1"),
        "00400241": element("AE", "CT1"),
        "00400244": element("DA", "20260101"),
        "00400245": element("TM", "0800"),
        "00400252": element("CS", "IN PROGRESS"),
        "00080060": element("CS", "CT"),
        **others,
    }


def test_every_type_1_attribute_is_demanded() -> None:
    """Without one of them a step is refused with 0120, with an empty one with 0121."""
    check_created(begun())
    for tag in begun():
        lacking = {name: value for name, value in begun().items() if name != tag}
        with pytest.raises(Refusal) as caught:
            check_created(lacking)
        assert (caught.value.status, caught.value.tags) == (0x0120, (tag,))
        with pytest.raises(Refusal) as caught:
            check_created({**begun(), tag: {"vr": "LO"}})
        assert (caught.value.status, caught.value.tags) == (0x0121, (tag,))


def test_a_step_ends_with_its_time_and_when_completed_with_its_series() -> None:
    """Discontinued needs end date and time, completed the Performed Series Sequence too; other words are no status."""
    end = {"00400250": element("DA", "20260101"), "00400251": element("TM", "0815")}
    after, fixed = changed(begun(), {**end, "00400252": element("CS", "DISCONTINUED")})
    assert (status_of(after), fixed) == ("DISCONTINUED", ())
    for changes, status in (
        ({**end, "00400252": element("CS", "COMPLETED")}, 0x0120),
        ({"00400252": element("CS", "DISCONTINUED")}, 0x0120),
        ({"00400252": element("CS", "DONE")}, 0x0106),
    ):
        with pytest.raises(Refusal) as caught:
            changed(begun(), changes)
        assert caught.value.status == status
    with pytest.raises(Refusal) as caught:
        changed(after, {})
    assert (caught.value.status, caught.value.error_id) == (0x0110, 0xA506)


def test_references_are_found_in_all_series_images_or_not() -> None:
    """Images and other instances of every series count; items without UID do not."""
    series = [
        {"00081140": element("SQ", {"00081155": element("UI", "1.1")}, {})},
        {"00400220": element("SQ", {"00081155": element("UI", "1.2")})},
        {},
    ]
    step = begun(**{"00400340": element("SQ", *series)})
    assert references(step) == {"1.1", "1.2"}
    assert studies_of(step) == {"1.2.3"}
