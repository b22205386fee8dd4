"""Text to characters of a Specific Character Set, for answers (PS3.3 C.12.1.1.2, PS3.5 6.1.2); the way back of `text`.

Law: all or nothing. A name that does not fit into the repertoire raises; whoever asked chooses another one then. A
replacement character in a patient's name would be somebody else's name.
"""

import re

from pydicom.charset import CODES_TO_ENCODINGS

from pacs.dataset.text import encodings_of

_STAND_ALONE = frozenset({"UTF8", "GB18030", "GBK"})
_DEFAULT = "iso8859"
_KATAKANA = "shift_jis"  # pydicom's word for JIS X 0201: of Shift JIS the characters of one byte alone
_JIS_X_0201 = frozenset(map(chr, (*range(0x80), *range(0xFF61, 0xFFA0))))  # ¥ would become a backslash
_ESCAPES = {encoding: escape for escape, encoding in CODES_TO_ENCODINGS.items() if escape not in {b"\x1b(B", b"\x1b(J"}}
# these codecs write escape sequences themselves, and more of them than DICOM knows
_OWN_ESCAPES = {
    "iso2022_jp": frozenset({b"\x1b$B", b"\x1b(B"}),
    "iso2022_jp_2": frozenset({b"\x1b$(D", b"\x1b$B", b"\x1b(B"}),
}
_ESCAPE_SEQUENCE = re.compile(rb"\x1b[$(.)-]+[A-Z]")
_ENDS_OF_CODE_EXTENSION = re.compile(r"([\\^=\t\n\f\r])")  # the initial set is active again behind these


def encode(text: str, character_set: bytes) -> bytes:
    """``text`` in the repertoire that (0008,0005) names; raises UnicodeEncodeError when it has no such character."""
    if text.isascii():
        return text.encode()
    encodings = encodings_of(character_set)
    if encodings[0] in _STAND_ALONE:
        return text.encode(encodings[0])
    if len(encodings) == 1:
        return _piece(text, encodings[0])
    return b"".join(_extended(part, encodings) for part in _ENDS_OF_CODE_EXTENSION.split(text))


def _extended(part: str, encodings: tuple[str, ...]) -> bytes:
    """One component in the first of the sets that has all its characters, announced by an escape sequence."""
    for number, encoding in enumerate(encodings):
        try:
            piece = _piece(part, encoding)
        except UnicodeEncodeError:
            continue
        announced = number == 0 or part.isascii() or encoding in _OWN_ESCAPES
        return piece if announced else _ESCAPES[encoding] + piece
    raise UnicodeEncodeError(encodings[0], part, 0, len(part), "in none of the character sets")


def _piece(part: str, encoding: str) -> bytes:
    if encoding == _DEFAULT:
        return part.encode("ascii")
    piece = part.encode(encoding)
    too_wide = encoding == _KATAKANA and any(char not in _JIS_X_0201 for char in part)
    foreign = encoding in _OWN_ESCAPES and not _OWN_ESCAPES[encoding].issuperset(_ESCAPE_SEQUENCE.findall(piece))
    if too_wide or foreign:
        raise UnicodeEncodeError(encoding, part, 0, len(part), "not in this character set")
    return piece
