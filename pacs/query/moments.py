"""A date and the time beside it as moments (PS3.4 C.2.2.2.5.4), and in whose time zone (PS3.3 C.12.1.1.4).

Law: pure. Two ranges together mean everything between two moments, not the same hours of every day. Values that
instances bring say no zone: they are the hospital's local time.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pacs.errors import InvalidRequest
from pacs.levels import BY_KEYWORD
from pacs.query.matching import Match

LOCAL_OFFSET = "+0700"  # Asia/Ho_Chi_Minh, summer and winter
PAIRS: Mapping[str, str] = {
    "StudyDate": "StudyTime",
    "PerformedProcedureStepStartDate": "PerformedProcedureStepStartTime",
    "ContentDate": "ContentTime",
    "ScheduledProcedureStepStartDate": "ScheduledProcedureStepStartTime",
}
_OFFSET = re.compile(r"^([+-]?)([01][0-9])([0-5][0-9])$")
_DAY = ("000000", "235959.999999")


def minutes_of(offset: str) -> int:
    """Minutes ahead of UTC that ``&ZZXX`` says (PS3.5 6.2, DT); a plus may have become a space on its way."""
    found = _OFFSET.match(offset.strip())
    if not found:
        raise InvalidRequest("TimezoneOffsetFromUTC is a sign and four digits such as +0700")
    minutes = int(found[2]) * 60 + int(found[3])
    return -minutes if found[1] == "-" else minutes


def combined(matches: Sequence[Match], *, ranges: Collection[str], offset: str = LOCAL_OFFSET) -> tuple[Match, ...]:
    """The same conditions with each pair of date and time as one, in local time.

    ``ranges`` are the keywords whose values were written as ranges; ``offset`` is the zone that dates and times of the
    search are in. Raises InvalidRequest where another zone would need hours that cross midnight.
    """
    shift = minutes_of(LOCAL_OFFSET) - minutes_of(offset)
    found = {match.attribute.keyword: match for match in matches if match.kind == "range"}
    result = list(matches)
    for date, time in PAIRS.items():
        if date in found and (shift or {date, time} <= set(ranges) & set(found)):
            result = [match for match in result if match is not found[date] and match is not found.get(time)]
            result.append(_moments(found[date], found.get(time), shift))
        elif time in found and shift:
            result[result.index(found[time])] = _shifted_hours(found[time], shift)
    return tuple(result)


def _moments(date: Match, time: Match | None, shift: int) -> Match:
    """Everything from the first moment of the first day to the last of the last."""
    (first_day, last_day), (first, last) = date.values, time.values if time else ("", "")
    begin = _shifted(first_day, first or _DAY[0], shift) if first_day else ("", "")
    end = _shifted(last_day, last or _DAY[1], shift) if last_day else ("", "")
    return Match(date.attribute, "moments", (*begin, *end))


def _shifted(day: str, time: str, shift: int) -> tuple[str, str]:
    if not shift:
        return day, time
    whole, dot, fraction = time.partition(".")
    try:
        moment = datetime.strptime(day + whole, "%Y%m%d%H%M%S") + timedelta(minutes=shift)  # noqa: DTZ007  # zone is ours
    except (ValueError, OverflowError):
        raise InvalidRequest("a moment outside of the calendar") from None
    return f"{moment:%Y%m%d}", f"{moment:%H%M%S}{dot}{fraction}"


def _shifted_hours(time: Match, shift: int) -> Match:
    """Hours of any day; an open end is the day's own, so it moves too."""
    day = "20000102"
    begin, end = (_shifted(day, value or edge, shift) for value, edge in zip(time.values, _DAY, strict=True))
    if begin[0] != end[0]:
        raise InvalidRequest(f"{time.attribute.keyword} crosses midnight in local time; please add a date")
    return replace(time, values=(begin[1], end[1]))


def time_of_pair(match: Match) -> str:
    """The column of the time that belongs to a date."""
    return BY_KEYWORD[PAIRS[match.attribute.keyword]].column
