"""What a search asks, understood from the parameters of QIDO-RS (PS3.18 8.3.4, 10.6.1; matching: PS3.4 C.2.2.2).

Law: pure. A search that the archive would have to narrow or widen silently is refused with a sentence that says why: a
doctor who sees too few studies believes that there are no more, one who sees too many may open the wrong patient's.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydicom.datadict import dictionary_has_tag, tag_for_keyword

from pacs.dataset.identity import is_safe_uid
from pacs.dates import dates_of, times_of
from pacs.errors import InvalidRequest
from pacs.levels import BY_PATH, LEVELS, Attribute, Level
from pacs.names import WILDCARDS, fold_pattern

Kind = Literal["exact", "wildcard", "range", "uid list", "name"]
DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
_MAX_OFFSET = 2**31 - 1
_MAX_VALUE = 1024  # characters of one value
_MAX_VALUES = 1000  # of one list
_WHOLE_NUMBER = re.compile(r"^[+-]?[0-9]{1,10}$")
_BOOLEANS = {"true": True, "false": False}
# parameters that are no attributes: read below, by the front door (accept, charset), or always granted
_NOT_ATTRIBUTES = frozenset({"fuzzymatching", "emptyvaluematching", "includefield", "limit", "offset"}) | frozenset(
    {"accept", "charset", "multiplevaluematching"}
)
_MODALITY, _MODALITIES_IN_STUDY = (0x00080060,), (0x00080061,)


@dataclass(frozen=True, slots=True)
class Match:
    """One condition; what ``values`` are depends on ``kind``.

    ``exact``: one or more alternatives; ``wildcard``: alternatives with ``*`` (any text) and ``?`` (one character);
    ``range``: first and last, either may be "" (open), both included; ``uid list``: alternatives;
    ``name``: folded words which all must be found as whole words of the folded name, in any order, ``*`` and ``?`` as
    in ``wildcard``. Numbers are decimal text without padding, dates and times as `pacs.dates` has them.
    """

    attribute: Attribute
    kind: Kind
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A search at one level: all of ``matches`` hold; ``includefield`` are top-level tags as DICOM JSON spells them."""

    level: Level
    matches: tuple[Match, ...]
    includefield: tuple[str, ...]
    include_all: bool
    limit: int
    offset: int
    fuzzymatching: bool


def parse_query(level: str, params: Sequence[tuple[str, str]]) -> Query:
    """The search at ``level`` (study, series or instance) that ``params`` ask for; raises InvalidRequest."""
    if level not in LEVELS[1:]:
        raise InvalidRequest(f"there is no search at level {level[:64]!r}")
    fuzzy = any(_boolean(name, value) for name, value in params if name == "fuzzymatching")
    if any(_boolean(name, value) for name, value in params if name == "emptyvaluematching"):
        raise InvalidRequest("matching of empty values is not supported")
    fields = [field.strip() for name, value in params if name == "includefield" for field in value.split(",")]
    return Query(
        level=level,
        matches=tuple(
            match
            for name, value in params
            if name not in _NOT_ATTRIBUTES and (match := _match(level, name, value, fuzzy=fuzzy))
        ),
        includefield=tuple(dict.fromkeys(f"{_path(field)[0]:08X}" for field in fields if field not in {"", "all"})),
        include_all="all" in fields,
        limit=min(_count("limit", params, DEFAULT_LIMIT), MAX_LIMIT),
        offset=_count("offset", params, 0),
        fuzzymatching=fuzzy,
    )


def _boolean(name: str, value: str) -> bool:
    try:
        return _BOOLEANS[value.strip().lower()]
    except KeyError:
        raise InvalidRequest(f"{name} is true or false") from None


def _count(wanted: str, params: Sequence[tuple[str, str]], default: int) -> int:
    found = [value.strip() for name, value in params if name == wanted]
    if not found:
        return default
    if len(found) > 1 or not (found[0].isascii() and found[0].isdigit()) or len(found[0]) > 10:
        raise InvalidRequest(f"{wanted} is one whole number")
    return min(int(found[0]), _MAX_OFFSET)


def _path(name: str) -> tuple[int, ...]:
    """Tags of ``StudyDate``, ``00080020``, or ``RequestAttributesSequence.00401001``; raises InvalidRequest."""
    return tuple(_tag(part, name) for part in name.split("."))


def _tag(part: str, name: str) -> int:
    if len(part) == 8 and all(char in "0123456789abcdefABCDEF" for char in part):
        tag = int(part, 16)
        if tag & 0x10000 or dictionary_has_tag(tag):
            return tag
    elif part.isascii() and (by_keyword := tag_for_keyword(part)) is not None:
        return by_keyword
    raise InvalidRequest(f"there is no attribute {name[:64]!r}")


def _match(level: Level, name: str, value: str, *, fuzzy: bool) -> Match | None:
    """The condition that ``name=value`` makes; None for one that everything meets (PS3.4 C.2.2.2.3)."""
    path = _path(name)
    if level == "study" and path == _MODALITY:  # of a study, people mean the modalities in it
        path = _MODALITIES_IN_STUDY
    attribute = BY_PATH.get(path)
    if attribute is None or not attribute.matching:
        raise InvalidRequest(f"{name[:64]} cannot be searched for")
    if LEVELS.index(attribute.level) > LEVELS.index(level):
        raise InvalidRequest(f"{name[:64]} cannot be searched for at level {level}")
    return match_of(attribute, value, fuzzy=fuzzy)


def match_of(attribute: Attribute, value: str, *, fuzzy: bool = False) -> Match | None:
    """The condition that ``value`` makes for a searchable attribute; None for one that everything meets.

    For DIMSE and DICOMweb alike (PS3.4 C.2.2.2); several values are split by backslashes. Raises InvalidRequest.
    """
    if len(value) > _MAX_VALUE and attribute.matching != "uid":
        raise InvalidRequest(f"the value of {attribute.keyword} is too long")
    value = value.replace("\0", "").strip()
    if not value.strip("*"):
        return None
    kind, values = _PARSERS[attribute.matching](attribute, value)
    if fuzzy and kind == "name":  # what was typed may be the beginning of each word
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
