import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.valuerep import PersonName

from pacs.dataset import read_data_set
from pacs.dataset.text import decode
from pacs.dataset.write import JsonEncoder
from pacs.dataset.write_text import encode

NAMES = {
    b"ISO_IR 100": "Äneas^Rüdiger",
    b"ISO_IR 192": "NGUYỄN^VĂN A",
    b"GB18030": "Wang^XiaoDong=王^小东",
    b"GBK": "王^小东",
    b"ISO_IR 13": "ﾔﾏﾀﾞ^ﾀﾛｳ",
    b"ISO_IR 166": "ชื่อ^ไทย",
    b"\\ISO 2022 IR 87": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    b"ISO 2022 IR 13\\ISO 2022 IR 87": "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    b"\\ISO 2022 IR 149": "Hong^Gildong=洪^吉洞=홍^길동",
    b"\\ISO 2022 IR 58": "Zhang^XiaoDong=张^小东",
    b"ISO 2022 IR 6\\ISO 2022 IR 144\\ISO 2022 IR 100": "Люкceмбypг^Äneas",
}
SYNTAXES = {
    "1.2.840.10008.1.2": (False, True),
    "1.2.840.10008.1.2.1": (True, True),
    "1.2.840.10008.1.2.2": (True, False),
}
ITEM: dict[str, Any] = {
    "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
    "00080060": {"vr": "CS", "Value": ["CT", "MR"]},
    "0008103E": {"vr": "LO", "Value": ["Bụng"]},
    "00081032": {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": ["T-1"]}}, {}]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "NGUYỄN^VĂN A", "Phonetic": "x"}]},
    "00100030": {"vr": "DA"},
    "00201208": {"vr": "IS", "Value": [3]},
    "00280010": {"vr": "US", "Value": [512]},
    "00280009": {"vr": "AT", "Value": ["00181063"]},
    "0040A124": {"vr": "UI", "Value": ["1.2.3"]},
}


@pytest.mark.parametrize("character_set", NAMES)
def test_names_come_back_in_every_repertoire(character_set: bytes) -> None:
    """What is written in a Specific Character Set is read by us and by pydicom as the same name."""
    name = NAMES[character_set]
    encoded = encode(name, character_set)
    assert decode(encoded, character_set, "PN") == name
    if b"IR 58" in character_set:  # pydicom 3.0 leaves this escape sequence in the text
        assert encoded == b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab"  # PS3.5 Annex K
        return
    assert str(PersonName(encoded, convert_encodings(character_set.decode().split("\\")))) == name


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        (b"", "NGUYỄN"),
        (b"ISO_IR 6", "Ä"),
        (b"ISO_IR 100", "NGUYỄN"),
        (b"ISO_IR 13", "山田"),
        (b"\\ISO 2022 IR 87", "NGUYỄN"),
        (b"\\ISO 2022 IR 87", "Ä"),
    ],
)
def test_name_that_does_not_fit_is_never_replaced(character_set: bytes, name: str) -> None:
    """A question mark in a name would be another name: the caller must choose another repertoire."""
    with pytest.raises(UnicodeEncodeError):
        encode(name, character_set)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20), st.sampled_from(sorted(NAMES)))
def test_text_is_written_wholly_or_not_at_all(text: str, character_set: bytes) -> None:
    """Whatever the text, its bytes mean it again."""
    try:
        encoded = encode(text, character_set)
    except UnicodeEncodeError:
        return
    assert decode(encoded, character_set, "PN") == text


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_data_set_is_what_pydicom_writes_of_the_same_json(syntax: str) -> None:
    """Headers, byte order, padding and items are as an independent writer makes them."""
    explicit, little_endian = SYNTAXES[syntax]
    ours = JsonEncoder(b"ISO_IR 192", explicit_vr=explicit, little_endian=little_endian).data_set(ITEM)
    buffer = io.BytesIO()
    dcmwrite(buffer, Dataset.from_json(ITEM), implicit_vr=not explicit, little_endian=little_endian)
    assert ours == buffer.getvalue()


def test_our_reader_reads_it() -> None:
    """The two halves of the archive's own encoding fit together."""
    data = JsonEncoder(b"ISO_IR 192", explicit_vr=True, little_endian=True).data_set(ITEM)
    found = read_data_set(data, "1.2.840.10008.1.2.1")
    assert not found.damage
    assert found.text(0x0008103E) == "Bụng"
    assert len(found.items(0x00081032)) == 2


def test_value_too_long_for_its_vr_is_left_out() -> None:
    """A 16-bit length must never be the beginning of another element."""
    long = {"0008103E": {"vr": "LO", "Value": ["x" * 70000]}}
    assert JsonEncoder(b"", explicit_vr=True, little_endian=True).elements(long)[0].value == b""
