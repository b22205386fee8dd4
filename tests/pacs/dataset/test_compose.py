import io
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs.dataset import read_data_set
from pacs.dataset.bulk_data import bulk_data
from pacs.dataset.compose import compose
from pacs.dataset.json import instance_json
from pacs.dataset.native_model import native_model
from pacs.dataset.native_model_read import read_native_model
from pacs.errors import Unreadable
from pacs.file_meta import read_file_meta
from pacs.transfer_syntaxes import EXPLICIT_LE

NAMES = ("CT_small.dcm", "MR_small_implicit.dcm", "reportsi.dcm", "rtplan.dcm", "rtdose.dcm", "waveform_ecg.dcm")


@dataclass(frozen=True)
class Value:
    """Bulk data in memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)


def nothing(uri: str) -> Sequence[Value]:
    raise AssertionError(uri)


def composed(item: Any, bulk_of: Callable[[str], Sequence[Value]] = nothing, *, encapsulated: bool = False) -> bytes:
    made = compose(item, bulk_of, encapsulated=encapsulated)
    return b"".join(one if isinstance(one, bytes) else one.data for one in made.pieces)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spelling", ["json", "xml"])
def test_what_is_said_in_json_or_xml_becomes_the_same_instance(
    name: str, spelling: str, pydicom_file: Callable[[str], Path]
) -> None:
    """A data set told as JSON or XML and composed again says the same, bulk data included; pydicom reads it too."""
    data = pydicom_file(name).read_bytes()
    meta = read_file_meta(data)
    original = read_data_set(memoryview(data)[meta.data_set_offset :], meta.transfer_syntax_uid)
    said = json.loads(instance_json(original, bulk_data_root="b"))
    item = said if spelling == "json" else read_native_model(native_model(said))
    made = composed(item, lambda uri: [Value(bytes(bulk_data(original, uri.partition("/")[2])))])
    again = read_data_set(made, EXPLICIT_LE)
    assert again.damage == ""
    assert json.loads(instance_json(again, bulk_data_root="b")) == said
    assert len(pydicom.dcmread(io.BytesIO(made), force=True)) == len(again.elements)


def test_what_pydicom_says_in_json_is_composed(pydicom_file: Callable[[str], Path]) -> None:
    """The JSON of another implementation gives what that implementation reads back from it."""
    for name in ("CT_small.dcm", "reportsi.dcm"):
        theirs = pydicom.dcmread(pydicom_file(name)).to_json_dict()
        theirs.pop("00080005", None)
        mine = pydicom.dcmread(io.BytesIO(composed(theirs)), force=True)
        expected = pydicom.Dataset.from_json(theirs)
        mine.pop(0x00080005, None)
        for group_length in [tag for tag in expected if tag.tag.element == 0]:
            del expected[group_length.tag]
        assert {str(one) for one in mine} == {str(one) for one in expected}


def test_every_value_representation_is_written(pydicom_file: Callable[[str], Path]) -> None:
    """Numbers, names, tags, decimals, empty values and nested items come out as PS3.5 6.2 has them."""
    item = {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "NGUYỄN^VĂN A", "Phonetic": "x"}]},
        "00101030": {"vr": "DS", "Value": [1 / 3, 70, None]},
        "00200032": {"vr": "DS", "Value": [-1.2345678901234567e-300]},
        "00280010": {"vr": "US", "Value": ["512"]},
        "00280009": {"vr": "AT", "Value": ["00181063"]},
        "00081140": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2.3"]}}, None]},
        "00720071": {"vr": "FD", "Value": ["NaN", "-Infinity"]},
        "00091010": {"vr": "UN", "InlineBinary": "AQI="},
        "00020010": {"vr": "UI", "Value": ["1.2.840.10008.1.2.1"]},
        "00080000": {"vr": "UL", "Value": [3]},
    }
    read = read_data_set(composed(item), EXPLICIT_LE)
    assert read.text(0x00100010) == "NGUYỄN^VĂN A==x"
    assert read.texts(0x00101030) == ["0.33333333333333", "70", ""]
    assert len(read.text(0x00200032)) <= 16
    assert read.integer(0x00280010) == 512
    assert bytes(read.bytes_of(0x00280009)) == struct.pack("<HH", 0x0018, 0x1063)
    assert [one.text(0x00081155) for one in read.items(0x00081140)] == ["1.2.3", ""]
    assert not {0x00020010, 0x00080000} & read.elements.keys()


def test_frames_become_fragments() -> None:
    """Compressed values are one fragment each behind an empty Basic Offset Table, padded to even length."""
    item = {"7FE00010": {"vr": "OB", "BulkDataURI": "b"}}
    made = composed(item, lambda _: [Value(b"abc"), Value(b"defg")], encapsulated=True)
    pixels = read_data_set(made, EXPLICIT_LE).elements[0x7FE00010]
    assert [made[start + 8 : start + 8 + length] for start, length in pixels.fragments] == [b"", b"abc\0", b"defg"]


def test_another_character_set_becomes_utf_8() -> None:
    """JSON is UTF-8, so an instance that says otherwise is coerced, and this is told."""
    item = {"00080005": {"vr": "CS", "Value": ["ISO_IR 100"]}, "00100010": {"vr": "PN", "Value": [{"Alphabetic": "ä"}]}}
    made = compose(item, nothing, encapsulated=False)
    assert made.coerced
    assert read_data_set(composed(item), EXPLICIT_LE).text(0x00100010) == "ä"
    assert not compose({}, nothing, encapsulated=False).coerced


@pytest.mark.parametrize(
    "item",
    [
        [],
        {"1": {"vr": "CS"}},
        {"0008001X": {"vr": "CS"}},
        {"00080018": {"vr": "??"}},
        {"00080018": "1.2.3"},
        {"00080018": {"vr": "UI", "Value": [{}]}},
        {"00080018": {"vr": "UI", "Value": "1.2.3"}},
        {"00280010": {"vr": "US", "Value": [70000]}},
        {"00280010": {"vr": "US", "Value": [1.5]}},
        {"00091010": {"vr": "UN", "InlineBinary": "%"}},
        {"00081140": {"vr": "SQ", "Value": ["x"]}},
        {"00080060": {"vr": "CS", "Value": ["Đ"]}},
    ],
)
def test_what_cannot_be_encoded_as_said_is_unreadable(item: Any) -> None:
    """Nothing is guessed: a value that its VR cannot hold fails the instance."""
    with pytest.raises(Unreadable):
        composed(item)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
_ATTRIBUTE = st.fixed_dictionaries(
    {"vr": st.sampled_from(["PN", "US", "SQ", "UN", "DS", "FD", "AT", "OB", "UI"])},
    optional={"Value": _JSON | st.lists(_JSON, max_size=3), "InlineBinary": _JSON},
)


@given(item=st.dictionaries(st.sampled_from(["00080018", "00091010", "00280010"]), _ATTRIBUTE | _JSON, max_size=3))
@settings(max_examples=200)
def test_any_json_is_composed_or_unreadable(item: Any) -> None:
    """Whatever stands in a metadata part, no other error escapes, and what is written can be read."""
    try:
        made = composed(item)
    except Unreadable:
        return
    assert not made or read_data_set(made, EXPLICIT_LE).elements


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<a/>",
        "<NativeDicomModel>",
        '<!DOCTYPE x [<!ENTITY e "x">]><NativeDicomModel>&e;</NativeDicomModel>',
        '<?xml version="1.0" encoding="utf-16"?>\0<NativeDicomModel/>',
        "<NativeDicomModel>" + "<a>" * 300,
        '<NativeDicomModel><DicomAttribute tag="00080018"><Value number="999999"/></DicomAttribute></NativeDicomModel>',
    ],
)
def test_hostile_xml_is_unreadable(text: str) -> None:
    """Document types, entities, depth, gaps and anything that is no Native DICOM Model are refused."""
    with pytest.raises(Unreadable):
        read_native_model(text.encode())


def test_private_attributes_of_xml_get_their_block() -> None:
    """Where XML only names the private creator, the creator's element is made (PS3.19 A.1.5)."""
    text = """<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">
      <DicomAttribute tag="00090002" vr="LO" privateCreator="A"><Value number="1">x</Value></DicomAttribute>
      <DicomAttribute tag="00091102" vr="LO" privateCreator="B"><Value number="1">y</Value></DicomAttribute>
      <DicomAttribute tag="00090003" vr="LO" privateCreator="A"><Value number="1">z</Value></DicomAttribute>
    </NativeDicomModel>"""
    found = {tag: one["Value"] for tag, one in read_native_model(text.encode()).items()}
    assert found == {"00090010": ["A"], "00091002": ["x"], "00090011": ["B"], "00091102": ["y"], "00091003": ["z"]}
