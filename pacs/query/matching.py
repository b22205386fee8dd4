"""From the value of a key to a condition (PS3.4 C.2.2.2).

Law: one rule for each kind of attribute, in one table. What cannot be compared is refused with a sentence.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from pacs.dataset.identity import is_safe_uid
from pacs.dates import dates_of, times_of
from pacs.errors import InvalidRequest
from pacs.levels import Attribute
from pacs.names import WILDCARDS, fold_pattern

Kind = Literal["exact", "wildcard", "range", "uid list", "name", "empty", "moments"]
EMPTY = '""'  # two quotation marks ask for empty values (PS3.4 C.2.2.2.7)
_MAX_VALUE = 1024  # characters of one value
_MAX_VALUES = 1000  # of one list
_WHOLE_NUMBER = re.compile(r"^[+-]?[0-9]{1,10}$")


@dataclass(frozen=True, slots=True)
class Match:
    """One condition; what ``values`` are depends on ``kind``.

    ``exact``: one or more alternatives; ``wildcard``: alternatives with ``*`` (any text) and ``?`` (one character);
    ``range``: first and last, either may be "" (open), both included; ``uid list``: alternatives;
    ``name``: folded words which all must be found as whole words of the folded name, in any order, ``*`` and ``?`` as
    in ``wildcard``; ``empty``: no value at all; ``moments``: of a date and the time beside it, date and time of the
    first and of the last moment. Numbers are decimal text without padding, dates and times as `pacs.dates` has them.
    """

    attribute: Attribute
    kind: Kind
    values: tuple[str, ...]


def match_of(attribute: Attribute, value: str, *, fuzzy: bool = False, empty: bool = False) -> Match | None:
    """The condition that ``value`` makes for a searchable attribute; None for one that everything meets.

    For DIMSE and DICOMweb alike; several values are split by backslashes. With ``fuzzy`` what was typed may be the
    beginning of each word of a name, with ``empty`` two quotation marks ask for no value. Raises InvalidRequest.
    """
    if len(value) > _MAX_VALUE and attribute.matching != "uid":
        raise InvalidRequest(f"the value of {attribute.keyword} is too long")
    value = value.replace("\0", "").strip()
    if not value.strip("*"):
        return None
    if empty and value == EMPTY:
        return Match(attribute, "empty", ())
    kind, values = _PARSERS[attribute.matching](attribute, value)
    if fuzzy and kind == "name":
        values = tuple(dict.fromkeys(word.rstrip("*") + "*" for word in values))
    return Match(attribute, kind, values) if values else None


_Parsed = tuple[Kind, tuple[str, ...]]


def _text(attribute: Attribute, value: str) -> _Parsed:
    if attribute.vr == "CS":
        value = value.upper()
    values = tuple(one.strip() for one in value.split("\\") if one.strip())
    return "wildcard" if set(WILDCARDS) & set(value) else "exact", values


def _name(_: Attribute, value: str) -> _Parsed:
    words = fold_pattern(value).split()
    return "name", tuple(dict.fromkeys(word for word in words if word.strip("*")))


def _uid(attribute: Attribute, value: str) -> _Parsed:
    uids = tuple(one.strip() for one in value.replace("\\", ",").split(",") if one.strip())
    if len(uids) > _MAX_VALUES or not all(is_safe_uid(uid) for uid in uids):
        raise InvalidRequest(f"{attribute.keyword} is a list of at most {_MAX_VALUES} UIDs")
    return "uid list", uids


def _number(attribute: Attribute, value: str) -> _Parsed:
    numbers = [one.strip() for one in value.split("\\") if one.strip()]
    if not all(_WHOLE_NUMBER.match(one) for one in numbers):
        raise InvalidRequest(f"{attribute.keyword} is a whole number")
    return "exact", tuple(str(int(one)) for one in numbers)


def _range(attribute: Attribute, value: str) -> _Parsed:
    """A date or time stands for all that begin with it: 2024 for a year, 10 for an hour (PS3.4 C.2.2.2.5)."""
    understand = dates_of if attribute.matching == "date" else times_of
    whole = understand(value)
    if whole:
        return "range", whole
    first, dash, last = (part.strip() for part in value.partition("-"))
    lower, upper = understand(first) if first else ("", ""), understand(last) if last else ("", "")
    if not dash or lower is None or upper is None or not first + last:
        example = _EXAMPLES[attribute.matching]
        raise InvalidRequest(f"{attribute.keyword} is a {attribute.matching} or a range such as {example}")
    return "range", (lower[0], upper[1])


_EXAMPLES = {"date": "20240101-20241231", "time": "080000-1200"}
_PARSERS: Mapping[str, Callable[[Attribute, str], _Parsed]] = {
    "date": _range,
    "name": _name,
    "number": _number,
    "text": _text,
    "time": _range,
    "uid": _uid,
}
