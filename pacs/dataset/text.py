"""Characters: Specific Character Set to text, whatever a modality wrote there (PS3.3 C.12.1.1.2, PS3.5 6.1.2).

Law: never raises and never warns, since a name that cannot be read must not stop an image. The tables of terms and
escape sequences are pydicom's; the decoding is ours because pydicom's warns, and warnings cannot be silenced safely in
a process of threads. Bytes that mean nothing in the declared repertoire become U+FFFD.
"""

import re
from functools import lru_cache

from pydicom.charset import CODES_TO_ENCODINGS, python_encoding

_DEFAULT = "iso8859"  # pydicom's word for ISO_IR 6, "no declaration"
_LATIN_1 = "latin_1"
_STAND_ALONE = frozenset({"UTF8", "GB18030", "GBK"})
_ESCAPE = 0x1B
_PARTS = re.compile(rb"^[^\x1b]+|\x1b[^\x1b]*")
_LINE_DELIMITERS = frozenset(b"\t\n\f\r")
_VALUE_DELIMITERS = _LINE_DELIMITERS | frozenset(b"\\")
_NAME_DELIMITERS = _VALUE_DELIMITERS | frozenset(b"^=")
_DELIMITERS = {"LT": _LINE_DELIMITERS, "ST": _LINE_DELIMITERS, "UT": _LINE_DELIMITERS, "PN": _NAME_DELIMITERS}
_CODEC_EATS_ESCAPE = frozenset({"iso2022_jp", "iso2022_jp_2"})

# Terms as modalities misspell them, and the defined term that was meant.
_SPELLINGS = (
    (re.compile(r"^ISO[ _-]?2022[ _-]?IR[ _-]?(\d+)$"), "ISO 2022 IR {}"),
    (re.compile(r"^ISO[ _-]?2022[ _-](\d+)$"), "ISO 2022 IR {}"),
    (re.compile(r"^(?:ISO[ _-]?)?IR[ _-]?(\d+)$"), "ISO_IR {}"),
    (re.compile(r"^(?:UTF[ _-]?8|UNICODE|ISO[ _-]?10646.*)$"), "ISO_IR 192"),
    (re.compile(r"^(?:ISO[ _-]?2022[ _-])?(?:GBK|CP936|GB2312)$"), "GBK"),
    (re.compile(r"^GB[ _-]?18030$"), "GB18030"),
    (re.compile(r"^(?:ISO[ _-]?8859[ _-]?1|LATIN[ _-]?1|CP1252)$"), "ISO_IR 100"),
    (re.compile(r"^SHIFT[ _-]?JIS$"), "ISO_IR 13"),
)


def _defined_term(term: str) -> str:
    if term in python_encoding:
        return term
    for pattern, meant in _SPELLINGS:
        found = pattern.match(term.upper())
        if found:
            return meant.format(*found.groups())
    return ""


@lru_cache(maxsize=512)
def encodings_of(character_set: bytes) -> tuple[str, ...]:
    """Python's codecs for the bytes of (0008,0005), the initial one first; misspelt terms are repaired."""
    terms = character_set.decode("ascii", "replace").split("\\")[:16]
    codecs = [python_encoding.get(_defined_term(term.strip(" \0")), _DEFAULT) for term in terms]
    first, *extensions = codecs
    if first in _STAND_ALONE:  # PS3.3 C.12.1.1.2: no code extensions with these
        return (first,)
    return (first, *(codec for codec in extensions if codec not in _STAND_ALONE))


def decode(value: bytes, character_set: bytes, vr: str) -> str:
    """Text of ``value`` (all its values, backslashes kept), by the Specific Character Set given as its bytes."""
    if value.isascii() and _ESCAPE not in value:
        return value.decode("ascii")
    encodings = encodings_of(character_set)
    if _ESCAPE not in value:
        return _initial(value, encodings[0])
    delimiters = _DELIMITERS.get(vr, _VALUE_DELIMITERS)
    return "".join(_part(part, encodings[0], delimiters) for part in _PARTS.findall(value))


def decode_plain(value: bytes) -> str:
    """Text of a value whose VR has no character set; stray high bytes are read as UTF-8 or Windows-1252."""
    return value.decode("ascii") if value.isascii() else _undeclared(value)


def _initial(value: bytes, encoding: str) -> str:
    # Latin-1 that is valid UTF-8 is UTF-8 mislabelled: two accented capitals and a sign in a row are no name.
    if encoding in {_DEFAULT, _LATIN_1}:
        return _undeclared(value, _LATIN_1 if encoding == _LATIN_1 else "cp1252")
    return value.decode(encoding, "replace")


def _undeclared(value: bytes, otherwise: str = "cp1252") -> str:
    for encoding in ("utf-8", otherwise):
        try:
            return value.decode(encoding)
        except UnicodeDecodeError:
            continue
    return value.decode(_LATIN_1)


def _part(part: bytes, initial: str, delimiters: frozenset[int]) -> str:
    """Decode up to the next escape sequence; an undeclared but known escape sequence is honoured."""
    if part[0] != _ESCAPE:
        return _initial(part, initial)
    length = 4 if part[1:3] in {b"$(", b"$)"} else 3
    encoding = CODES_TO_ENCODINGS.get(part[:length])
    if encoding is None:
        return _initial(part[1:], initial)
    if encoding in _CODEC_EATS_ESCAPE:
        return part.decode(encoding, "replace")
    body = part[length:]
    stop = next((i for i, byte in enumerate(body) if byte in delimiters), len(body))
    head = body[:stop].decode(encoding, "replace")
    return head + _initial(body[stop:], initial) if stop < len(body) else head
