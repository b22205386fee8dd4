import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.names import fold, fold_pattern, to_ascii


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("NGUYỄN^VĂN A", "nguyen van a"),
        (unicodedata.normalize("NFD", "Nguyễn Văn A"), "nguyen van a"),
        ("NGUYEN VAN A44T", "nguyen van a44t"),
        ("Đặng^Thị Đào", "dang thi dao"),
        ("ĐỖ  Đức ", "do duc"),
        ("O'Brien^Kate^^Dr.", "o brien kate dr"),
        ("Straße", "strasse"),
        ("Wang^XiaoDong=王^小東=", "wang xiaodong 王 小東"),
        ("Hong^Gildong=洪^吉洞=홍^길동", "hong gildong 洪 吉洞 홍 길동"),
        ("", ""),
        ("^^=^", ""),
    ],
)
def test_names_fold_to_words(name: str, folded: str) -> None:
    """Marks, case, separators and punctuation go; letters of every script and glued-on ages stay."""
    assert fold(name) == folded


def test_a_pattern_keeps_its_wildcards() -> None:
    """What a search asks is folded like what the index has."""
    assert fold_pattern("*Nguyễn Đ?c*") == "*nguyen d?c*"


@given(st.text(max_size=60))
def test_folding_twice_changes_nothing(text: str) -> None:
    """A folded name is its own fold, so that index and question meet."""
    assert fold(fold(text)) == fold(text)


@given(st.text(max_size=60))
def test_folding_ignores_normalisation(text: str) -> None:
    """Composed and decomposed spellings are one name."""
    assert fold(unicodedata.normalize("NFC", text)) == fold(unicodedata.normalize("NFD", text))


def test_letters_lose_their_marks_for_devices_that_have_none() -> None:
    """A worklist for an old scanner says the name that its keyboard would type, in the same case."""
    assert to_ascii("NGUYỄN^Văn Đức") == "NGUYEN^Van Duc"
    assert to_ascii(unicodedata.normalize("NFD", "Trần Thị Bưởi")) == "Tran Thi Buoi"
    assert to_ascii("山田＼") == "???"
