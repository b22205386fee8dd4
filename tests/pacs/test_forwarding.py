"""Forward rules: what matches, when, and what never does."""

import pytest

from pacs.errors import InvalidRequest
from pacs.forwarding import Arrival, ForwardRule, Sends, checked_rule, destinations

ARRIVAL = Arrival(modality="CT", calling_ae_title="CT1", body_part_examined="HEAD", hour=22)


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        (ForwardRule(destination="A"), True),
        (ForwardRule(destination="A", modality="CT", calling_ae_title="CT1", body_part_examined="head"), True),
        (ForwardRule(destination="A", modality="MR"), False),
        (ForwardRule(destination="A", calling_ae_title="CT2"), False),
        (ForwardRule(destination="A", body_part_examined="CHEST"), False),
        (ForwardRule(destination="A", from_hour=22, until_hour=23), True),
        (ForwardRule(destination="A", from_hour=7, until_hour=22), False),
        (ForwardRule(destination="A", from_hour=19, until_hour=7), True),
        (ForwardRule(destination="A", from_hour=23, until_hour=7), False),
        (ForwardRule(destination="CT1"), False),
    ],
)
def test_a_rule_matches_what_it_names(rule: ForwardRule, matches: bool) -> None:  # noqa: FBT001  # a table's column
    """Every condition must hold, hours may pass midnight, and nothing goes back to where it came from."""
    assert (destinations([rule], ARRIVAL) == {(Sends.INSTANCES, "A")}) is matches


def test_several_rules_for_one_destination_are_one() -> None:
    """An instance goes to a destination once, however many rules say so; a notification is another thing."""
    rules = [
        ForwardRule(destination="A"),
        ForwardRule(destination="A", modality="CT"),
        ForwardRule(destination="A", sends=Sends.AVAILABILITY),
    ]
    assert destinations(rules, ARRIVAL) == {(Sends.INSTANCES, "A"), (Sends.AVAILABILITY, "A")}


@pytest.mark.parametrize(
    "rule",
    [
        ForwardRule(destination=""),
        ForwardRule(destination="A" * 17),
        ForwardRule(destination="A", from_hour=5, until_hour=5),
        ForwardRule(destination="A", from_hour=24, until_hour=25),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: ForwardRule) -> None:
    """No destination, or hours that are none."""
    with pytest.raises(InvalidRequest):
        checked_rule(rule)
