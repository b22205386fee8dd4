"""Names as people search for them: without accents, case or order (PS3.4 C.2.2.2.1.1 leaves that to the archive).

Law: folding is for the index and for what is asked of it, both by the same function; a name that is stored is never
rewritten, and one that is shown only for a device without letters with marks. ``NGUYỄN^VĂN A``, ``Nguyen Van A`` and
decomposed spellings fold to one text; an age that a modality glued on (``A44T``) stays, since nobody can tell it from a
name.
"""

import unicodedata
from typing import Literal

# ð is what an Icelandic keyboard makes of đ
_NOT_DECOMPOSED = str.maketrans({"đ": "d", "Đ": "d", "ð": "d", "Ð": "d"})
_CAPITALS = str.maketrans({"đ": "d", "Đ": "D", "ð": "d", "Ð": "D"})
WILDCARDS = "*?"


def fold(text: str) -> str:
    """Lower case letters and digits without marks, everything else as single spaces."""
    return _fold(text, "")


def fold_pattern(text: str) -> str:
    """The same for a pattern: the wildcards ``*`` and ``?`` stay."""
    return _fold(text, WILDCARDS)


def to_ascii(text: str) -> str:
    """The same letters without marks, case kept, for a screen that has no others; what has no letter becomes ``?``."""
    # not NFKD: a wide backslash would become one that parts values
    return _without_marks(text.translate(_CAPITALS), "NFD").encode("ascii", "replace").decode()


def _without_marks(text: str, form: Literal["NFD", "NFKD"]) -> str:
    decomposed = unicodedata.normalize(form, text)
    letters = (char for char in decomposed if not unicodedata.combining(char))
    return unicodedata.normalize("NFC", "".join(letters))


def _fold(text: str, kept: str) -> str:
    plain = _without_marks(text.translate(_NOT_DECOMPOSED), "NFKD").casefold()
    return " ".join("".join(char if char.isalnum() or char in kept else " " for char in plain).split())
