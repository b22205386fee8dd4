"""Names as people search for them: without accents, case or order (PS3.4 C.2.2.2.1.1 leaves that to the archive).

Law: folding is for the index and for what is asked of it, both by the same function; a name that is shown or stored is
never rewritten. ``NGUYỄN^VĂN A``, ``Nguyen Van A`` and decomposed spellings fold to one text; an age that a modality
glued on (``A44T``) stays, since nobody can tell it from a name.
"""

import unicodedata

# ð is what an Icelandic keyboard makes of đ
_NOT_DECOMPOSED = str.maketrans({"đ": "d", "Đ": "d", "ð": "d", "Ð": "d"})
WILDCARDS = "*?"


def fold(text: str) -> str:
    """Lower case letters and digits without marks, everything else as single spaces."""
    return _fold(text, "")


def fold_pattern(text: str) -> str:
    """The same for a pattern: the wildcards ``*`` and ``?`` stay."""
    return _fold(text, WILDCARDS)


def _fold(text: str, kept: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.translate(_NOT_DECOMPOSED))
    letters = (char for char in decomposed if not unicodedata.combining(char))
    plain = unicodedata.normalize("NFC", "".join(letters)).casefold()
    return " ".join("".join(char if char.isalnum() or char in kept else " " for char in plain).split())
