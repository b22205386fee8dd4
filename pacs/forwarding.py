"""Forward rules: which instances go on their way by themselves, and whom a study is announced to.

Law: pure. Nothing is sent back to where it came from: two archives that forward to each other would never stop.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pacs.errors import InvalidRequest


class Sends(StrEnum):
    """What a rule sends."""

    INSTANCES = "instances"  # C-STORE
    AVAILABILITY = "availability"  # Instance Availability Notification (PS3.4 R), when the study is quiet


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardRule:
    """A condition and a destination; "" matches everything.

    Hours are local hours of receipt: from ``from_hour`` up to, not including, ``until_hour``, and past midnight when
    the first is the larger. With ``to_commit`` the destination is asked for Storage Commitment of all it then gets.
    """

    destination: str
    sends: Sends = Sends.INSTANCES
    modality: str = ""
    calling_ae_title: str = ""
    body_part_examined: str = ""
    from_hour: int = 0
    until_hour: int = 24
    to_commit: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """What rules look at of one instance."""

    modality: str
    calling_ae_title: str
    body_part_examined: str
    hour: int


def destinations(rules: Iterable[ForwardRule], arrival: Arrival) -> frozenset[tuple[Sends, str]]:
    """What is sent where because of this instance."""
    return frozenset(
        (rule.sends, rule.destination)
        for rule in rules
        if rule.modality in ("", arrival.modality)
        and rule.calling_ae_title in ("", arrival.calling_ae_title)
        and rule.body_part_examined.upper() in ("", arrival.body_part_examined.upper())
        and _within(rule, arrival.hour)
        and rule.destination != arrival.calling_ae_title
    )


def checked_rule(rule: ForwardRule) -> ForwardRule:
    """The same rule; raises InvalidRequest naming what makes no sense."""
    if not 1 <= len(rule.destination) <= 16:
        raise InvalidRequest("a destination is an AE title of 1 to 16 characters")
    if rule.to_commit and rule.sends != Sends.INSTANCES:
        raise InvalidRequest("who is only notified has nothing to commit")
    if not (0 <= rule.from_hour <= 23 and 1 <= rule.until_hour <= 24) or rule.from_hour == rule.until_hour:
        raise InvalidRequest("hours go from 0 to 24, as in 7-19 or 19-7")
    return rule


def _within(rule: ForwardRule, hour: int) -> bool:
    if rule.from_hour < rule.until_hour:
        return rule.from_hour <= hour < rule.until_hour
    return hour >= rule.from_hour or hour < rule.until_hour
