"""Accept headers: what a client takes, best first (RFC 9110 12.5.1, PS3.18 8.7.4).

Law: pure. Parameters arrive quoted and unquoted (viewers send both), several values arrive in one header or many, and a
media range without ``q`` counts 1. Nothing here knows what an endpoint can offer; `wado` and `rendering` choose.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pacs.errors import NotAcceptable

MULTIPART = "multipart/related"
OCTET_STREAM = "application/octet-stream"
DICOM = "application/dicom"
ZIP = "application/zip"
DICOM_JSON = "application/dicom+json"

_WORD = r"[^\s;,=\"]+"
_PARAMETER = re.compile(rf'\s*;\s*({_WORD})\s*=\s*("(?:[^"\\]|\\.)*"|[^;,]*)')
_RANGE = re.compile(rf"\s*({_WORD})((?:{_PARAMETER.pattern})*)\s*(?:,|$)")


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One acceptable media range: ``type/subtype`` in lower case, its parameters, and its weight."""

    media_type: str
    parameters: Mapping[str, str]
    q: float

    @property
    def root_type(self) -> str:
        """The type of the parts when this is ``multipart/related``, else the type itself; ``*/*`` when not said."""
        if self.media_type == MULTIPART:
            return self.parameters.get("type", "*/*").lower()
        return self.media_type

    @property
    def multipart(self) -> bool:
        """Whether this range asks for ``multipart/related``."""
        return self.media_type == MULTIPART

    @property
    def transfer_syntax(self) -> str:
        """The transfer syntax asked for: a UID, ``*``, or empty when not said (PS3.18 8.7.3.5.2)."""
        return self.parameters.get("transfer-syntax", "")

    def covers(self, media_type: str) -> bool:
        """Whether ``media_type`` lies in this range, by root type."""
        kind = self.root_type
        return kind in {"*/*", media_type} or (kind.endswith("/*") and media_type.startswith(kind[:-1]))


ANYTHING = MediaRange("*/*", {}, 1.0)


def parse_parameters(text: str) -> dict[str, str]:
    """``; a=b; c="d"`` as a mapping with lower-case names and unquoted values."""
    found = {}
    for name, value in _PARAMETER.findall(text):
        unquoted = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value.strip()
        found[name.lower()] = unquoted
    return found


def parse_media_type(text: str) -> tuple[str, dict[str, str]]:
    """A Content-Type value as lower-case type and parameters."""
    kind, _, rest = text.partition(";")
    return kind.strip().lower(), parse_parameters(";" + rest)


def acceptable(headers: Iterable[str]) -> tuple[MediaRange, ...]:
    """All media ranges of the Accept header fields, best first; no header means anything (RFC 9110 12.5.1)."""
    ranges = []
    for header in headers:
        for match in _RANGE.finditer(header):
            parameters = parse_parameters(match[2])
            ranges.append(MediaRange(match[1].lower(), parameters, _weight(parameters.pop("q", "1"))))
    if not ranges:
        return (ANYTHING,)
    return tuple(sorted((r for r in ranges if r.q > 0), key=lambda r: -r.q))


def _weight(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def choose(accepted: Sequence[MediaRange], offers: Sequence[str]) -> str:
    """The first offer in the client's best range; raises NotAcceptable naming what can be had."""
    for wanted in accepted:
        for offer in offers:
            if wanted.covers(offer):
                return offer
    raise NotAcceptable(f"available: {', '.join(offers)}")
