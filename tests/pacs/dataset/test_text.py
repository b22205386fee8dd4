from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from pacs.dataset import DataSet
from pacs.dataset.text import decode, decode_plain, encodings_of

Files = Callable[[str], list[Path]]
Open = Callable[[Path], DataSet]

PATIENT_NAME = 0x00100010

# Names of PS3.5 Annexes H, I, J, K and L, as bytes, Specific Character Set, and text.
STANDARD = [
    (b"Buc^J\xe9r\xf4me", b"ISO_IR 100", "Buc^Jérôme"),
    (b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", b"ISO_IR 126", "Διονυσιος"),
    (b"Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1=", b"ISO_IR 192", "Wang^XiaoDong=王^小東="),
    (b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", b"GB18030", "Wang^XiaoDong=王^小东="),
    (
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        b"\\ISO 2022 IR 87",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    (
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        b"ISO 2022 IR 13\\ISO 2022 IR 87",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    ),
    (
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        b"\\ISO 2022 IR 149",
        "Hong^Gildong=洪^吉洞=홍^길동",
    ),
    (b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=", b"\\ISO 2022 IR 58", "Zhang^XiaoDong=张^小东="),
]


@pytest.mark.parametrize(("raw", "character_set", "name"), STANDARD)
def test_names_of_the_standard_are_decoded(raw: bytes, character_set: bytes, name: str) -> None:
    """The examples of PS3.5 come out as printed there."""
    assert decode(raw, character_set, "PN") == name


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"ISO_2022_IR_6", b"ISO 2022 IR 6"),
        (b"ISO IR 192", b"ISO_IR 192"),
        (b"iso_ir 100", b"ISO_IR 100"),
        (b"UTF8", b"ISO_IR 192"),
        (b"UTF-8", b"ISO_IR 192"),
        (b"ISO-2022-IR-87", b"ISO 2022 IR 87"),
        (b"ISO_IR 100 \0", b"ISO_IR 100"),
        (b"GB 18030", b"GB18030"),
        (b"nonsense", b""),
        (b"\xff\xfe", b""),
    ],
)
def test_misspelt_terms_mean_what_was_meant(written: bytes, meant: bytes) -> None:
    """Terms as modalities write them select the codec of the defined term."""
    assert encodings_of(written) == encodings_of(meant)


def test_a_stand_alone_character_set_allows_no_extensions() -> None:
    """PS3.3 C.12.1.1.2: after ISO_IR 192 or GB18030 further values mean nothing, and neither can be an extension."""
    assert encodings_of(b"ISO_IR 192\\ISO 2022 IR 87") == ("UTF8",)
    assert encodings_of(b"\\ISO_IR 192") == encodings_of(b"")


@pytest.mark.parametrize("character_set", [b"", b"ISO_IR 6", b"ISO_IR 100"])
def test_utf_8_that_was_not_declared_is_read_as_utf_8(character_set: bytes) -> None:
    """Vietnamese names sent without, or with a Latin, Specific Character Set are readable."""
    assert decode("NGUYỄN^VĂN Đức".encode(), character_set, "PN") == "NGUYỄN^VĂN Đức"


def test_high_bytes_without_any_declaration_are_western() -> None:
    """What is not UTF-8 and not declared is read as Windows-1252, or as Latin-1 where that has no character."""
    assert decode(b"M\xfcller \x80", b"", "LO") == "Müller €"
    assert decode(b"\x81\xfc", b"", "LO") == "\x81ü"
    assert decode_plain(b"\xfc") == "ü"


def test_bytes_that_mean_nothing_become_replacement_characters() -> None:
    """A declared character set is believed, and what is not in it is visibly lost."""
    assert decode(b"a\xff\xfeb", b"ISO_IR 192", "LO") == "a\ufffd\ufffdb"


@pytest.mark.parametrize("raw", [b"\x1b", b"\x1b$", b"\x1b$B\x1b", b"a\x1b$)C\xff", b"\x1b%G\xe4", b"\x1b$B\xff\xff"])
@pytest.mark.parametrize("character_set", [b"", b"ISO 2022 IR 13\\ISO 2022 IR 87", b"\\ISO 2022 IR 149"])
def test_broken_escape_sequences_are_survived(raw: bytes, character_set: bytes) -> None:
    """No sequence of escapes makes decoding fail."""
    assert isinstance(decode(raw, character_set, "PN"), str)


def test_a_backslash_inside_a_character_is_no_separator() -> None:
    """The second byte of a character in GB18030 may be 5C hex: values are separated after decoding."""
    raw = b"\x81\x5c\\b"
    assert decode(raw, b"GB18030", "LO").split("\\") == [b"\x81\x5c".decode("gb18030"), "b"]


# pydicom reads these as they were declared, we as they were meant.
MEANT = {"made-utf8-undeclared.dcm": "Müller^Jörg", "made-iso2022-ir58.dcm": "Li^Si=李^四"}


@pytest.mark.filterwarnings("ignore")  # pydicom warns of misspelt terms
def test_names_of_the_corpus_agree_with_pydicom(corpus_files: Files, opened: Open) -> None:
    """Every patient's name of the character set collection is what pydicom makes of it, or better."""
    for path in corpus_files("charsets/*.dcm"):
        theirs = str(pydicom.dcmread(path).get("PatientName", "")).rstrip("=")
        assert opened(path).text(PATIENT_NAME).rstrip("=") == MEANT.get(path.name, theirs), path.name


def test_items_inherit_the_character_set_or_bring_their_own(pydicom_file: Callable[[str], Path], opened: Open) -> None:
    """PS3.5 7.5.3: an item without Specific Character Set has that of the data set around it."""
    for name in ("chrSQEncoding.dcm", "chrSQEncoding1.dcm"):
        path = pydicom_file(f"../charset_files/{name}")
        ours = opened(path).items(0x00321064)[0]
        theirs = pydicom.dcmread(path).RequestedProcedureCodeSequence[0]
        assert ours.text(PATIENT_NAME) == str(theirs.PatientName)
