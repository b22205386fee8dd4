import pytest
from pydicom._uid_dict import UID_dictionary

from pacs.errors import Unreadable
from pacs.transfer_syntaxes import TRANSFER_SYNTAXES, transfer_syntax

# PS3.5 A.1-A.4 and PS3.18 Table 8.7.3-5 by hand: encapsulated, deflated, lossless, media type.
BY_HAND = {
    "1.2.840.10008.1.2": (False, False, True, "application/octet-stream"),
    "1.2.840.10008.1.2.1": (False, False, True, "application/octet-stream"),
    "1.2.840.10008.1.2.1.99": (False, True, True, "application/octet-stream"),
    "1.2.840.10008.1.2.2": (False, False, True, "application/octet-stream"),
    "1.2.840.10008.1.2.4.50": (True, False, False, "image/jpeg"),
    "1.2.840.10008.1.2.4.51": (True, False, False, "image/jpeg"),
    "1.2.840.10008.1.2.4.57": (True, False, True, "image/jpeg"),
    "1.2.840.10008.1.2.4.70": (True, False, True, "image/jpeg"),
    "1.2.840.10008.1.2.4.80": (True, False, True, "image/jls"),
    "1.2.840.10008.1.2.4.81": (True, False, None, "image/jls"),
    "1.2.840.10008.1.2.4.90": (True, False, True, "image/jp2"),
    "1.2.840.10008.1.2.4.91": (True, False, None, "image/jp2"),
    "1.2.840.10008.1.2.4.100": (True, False, False, "video/mpeg2"),
    "1.2.840.10008.1.2.4.102": (True, False, False, "video/mp4"),
    "1.2.840.10008.1.2.4.107": (True, False, False, "video/H265"),
    "1.2.840.10008.1.2.4.110": (True, False, True, "image/jxl"),
    "1.2.840.10008.1.2.4.112": (True, False, None, "image/jxl"),
    "1.2.840.10008.1.2.4.201": (True, False, True, "image/jphc"),
    "1.2.840.10008.1.2.4.202": (True, False, True, "image/jphc"),
    "1.2.840.10008.1.2.4.203": (True, False, None, "image/jphc"),
    "1.2.840.10008.1.2.5": (True, False, True, "image/dicom-rle"),
}


@pytest.mark.parametrize("uid", BY_HAND)
def test_the_table_says_what_the_standard_says(uid: str) -> None:
    """Encapsulation, deflation, loss and media type of the syntaxes that modalities use."""
    entry = transfer_syntax(uid)

    assert (entry.encapsulated, entry.deflated, entry.lossless, entry.media_type) == BY_HAND[uid]


def test_no_transfer_syntax_of_the_dictionary_is_missing() -> None:
    """Whatever a peer may propose from PS3.6 is known."""
    assert {uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"} <= TRANSFER_SYNTAXES.keys()


def test_only_four_encodings_are_not_explicit_little_endian() -> None:
    """PS3.5 A.4: everything encapsulated is Explicit VR Little Endian."""
    implicit = {uid for uid, entry in TRANSFER_SYNTAXES.items() if not entry.explicit_vr}
    big = {uid for uid, entry in TRANSFER_SYNTAXES.items() if not entry.little_endian}

    assert implicit == {"1.2.840.10008.1.2", "1.2.840.10008.1.20", "1.2.840.113619.5.2"}
    assert big == {"1.2.840.10008.1.2.2"}


def test_an_unknown_transfer_syntax_is_unreadable() -> None:
    """Whoever needs the properties of a syntax nobody knows is told so."""
    with pytest.raises(Unreadable):
        transfer_syntax("1.2.3")
