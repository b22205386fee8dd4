"""The parameters of QIDO-RS, understood (PS3.18 8.3.4, 10.6.1).

Law: pure; see the package. A parameter is a search key, a wish for the answer, or a mistake that is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.datadict import dictionary_has_tag, tag_for_keyword

from pacs.errors import InvalidRequest
from pacs.levels import BY_PATH, LEVELS, Level
from pacs.query.matching import Match, match_of
from pacs.query.moments import LOCAL_OFFSET, combined

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
_MAX_OFFSET = 2**31 - 1
_BOOLEANS = {"true": True, "false": False}
# parameters that are no attributes: read below, by the front door (accept, charset), or always granted
_NOT_ATTRIBUTES = frozenset({"fuzzymatching", "emptyvaluematching", "includefield", "limit", "offset"}) | frozenset(
    {"accept", "charset", "multiplevaluematching"}
)
_MODALITY, _MODALITIES_IN_STUDY = (0x00080060,), (0x00080061,)
_SPECIFIC_CHARACTER_SET, _TIMEZONE_OFFSET_FROM_UTC = 0x00080005, 0x00080201

Cursor = tuple[tuple[str, str | int], ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A search at one level: all of ``matches`` hold; ``includefield`` are top-level tags as DICOM JSON spells them.

    ``named`` are levels that the resource names, whose attributes the asker need not be told (PS3.18 10.6.3.3).
    ``after`` is the place in the order behind which the page begins, as a result said it; () is the beginning.
    """

    level: Level
    matches: tuple[Match, ...]
    includefield: tuple[str, ...]
    include_all: bool
    limit: int
    offset: int
    fuzzymatching: bool
    named: tuple[Level, ...] = ()
    after: Cursor = ()


def parse_query(level: str, params: Sequence[tuple[str, str]], *, named: tuple[Level, ...] = ()) -> Query:
    """The search at ``level`` (patient, study, series or instance) that ``params`` ask for; raises InvalidRequest.

    A key without a value, or with one that everything meets, asks for its attribute in the answer (PS3.4 C.2.2.2.3).
    """
    if level not in LEVELS:
        raise InvalidRequest(f"there is no search at level {level[:64]!r}")
    fuzzy, empty = _flag("fuzzymatching", params), _flag("emptyvaluematching", params)
    fields = [field.strip() for name, value in params if name == "includefield" for field in value.split(",")]
    fields = [field for field in fields if field]
    matches, ranges, offset = [], set(), LOCAL_OFFSET
    for name, value in params:
        if name in _NOT_ATTRIBUTES:
            continue
        path = _path(name)
        if path == (_TIMEZONE_OFFSET_FROM_UTC,) and value.strip(" *"):  # says how to read the others, PS3.4 C.2.2.2
            offset = value
        elif _is_wish(path, value):
            fields.append(name)
        elif match := _match(level, path, name, value, fuzzy=fuzzy, empty=empty):
            matches.append(match)
            ranges |= {match.attribute.keyword} if "-" in value else set()
    return Query(
        level=level,
        matches=combined(matches, ranges=ranges, offset=offset),
        includefield=tuple(dict.fromkeys(f"{_path(field)[0]:08X}" for field in fields if field != "all")),
        include_all="all" in fields,
        limit=min(_count("limit", params, DEFAULT_LIMIT), MAX_LIMIT),
        offset=_count("offset", params, 0),
        fuzzymatching=fuzzy,
        named=named,
    )


def _flag(wanted: str, params: Sequence[tuple[str, str]]) -> bool:
    return any(_boolean(name, value) for name, value in params if name == wanted)


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


def _is_wish(path: tuple[int, ...], value: str) -> bool:
    """Whether a key only asks for its attribute: one that everything meets, or that says how to read another."""
    private_creator = path[0] & 0x10000 and path[0] & 0xFFFF <= 0xFF
    never_matched = private_creator or path == (_SPECIFIC_CHARACTER_SET,)  # PS3.4 C.2.2.2
    return bool(never_matched) or not value.replace("\0", "").strip(" *")


def _match(level: Level, path: tuple[int, ...], name: str, value: str, *, fuzzy: bool, empty: bool) -> Match | None:
    """The condition that ``name=value`` makes, None when nothing of it is left to compare."""
    if level == "study" and path == _MODALITY:  # of a study, people mean the modalities in it
        path = _MODALITIES_IN_STUDY
    attribute = BY_PATH.get(path)
    if attribute is None or not attribute.matching:
        raise InvalidRequest(f"{name[:64]} cannot be searched for")
    if LEVELS.index(attribute.level) > LEVELS.index(level):
        raise InvalidRequest(f"{name[:64]} cannot be searched for at level {level}")
    return match_of(attribute, value, fuzzy=fuzzy, empty=empty)
