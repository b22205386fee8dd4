"""Dates and times as the index compares them, and ranges of them as a search asks (PS3.5 6.2, PS3.4 C.2.2.2.5).

Law: a value that is no date or time is "", never an error: scanners write 00000000. All are texts of fixed form, so
that comparing texts compares moments: ``YYYYMMDD`` and ``HHMMSS`` with an optional fraction.
"""

import re
from calendar import monthrange

_DATE = re.compile(r"^(\d{4})([.\-]?)(\d{2})\2(\d{2})$")  # with full stops: ACR-NEMA 2.0
_PART_OF_DATE = re.compile(r"^(\d{4})(\d{2})?(\d{2})?$")
_TIME = re.compile(r"^(\d{2})(?::?(\d{2})(?::?(\d{2})(\.\d{1,6})?)?)?$")


def date_of(text: str) -> str:
    """``YYYYMMDD`` for a date that exists, otherwise ""."""
    found = _DATE.match(text)
    return _date(int(found[1]), int(found[3]), int(found[4])) if found else ""


def _date(year: int, month: int, day: int) -> str:
    exists = year > 0 and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]
    return f"{year:04d}{month:02d}{day:02d}" if exists else ""


def time_of(text: str) -> str:
    """``HHMMSS`` with the fraction it came with, missing parts as zero, otherwise ""."""
    found = _TIME.match(text)
    if not found or int(found[1]) > 23 or int(found[2] or 0) > 59 or int(found[3] or 0) > 60:
        return ""
    return f"{found[1]}{found[2] or '00'}{found[3] or '00'}{found[4] or ''}"


def dates_of(text: str) -> tuple[str, str] | None:
    """First and last day of ``text``, a year, a month or a day; None when it is none."""
    found = _PART_OF_DATE.match(text)
    if not found:
        exact = date_of(text)
        return (exact, exact) if exact else None
    year, month, day = int(found[1]), int(found[2] or 1), int(found[3] or 1)
    first = _date(year, month, day)
    if not first:
        return None
    last_month = month if found[2] else 12
    last = _date(year, last_month, day if found[3] else monthrange(year, last_month)[1])
    return first, last


def times_of(text: str) -> tuple[str, str] | None:
    """First and last moment of ``text``, an hour, a minute or a second; None when it is none."""
    first = time_of(text)
    if not first:
        return None
    if "." in first:
        return first, first.ljust(13, "9")
    digits = text.replace(":", "")
    return first, f"{digits}{'5959'[len(digits) - 2 :]}.999999"
