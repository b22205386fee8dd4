import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

from pacs.dataset import DataSet, read_data_set
from pacs.dataset.json import MAX_INLINE_BINARY, instance_json
from pacs.transfer_syntaxes import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE

Files = Callable[[], Iterator[tuple[Path, DataSet]]]
Explicit = Callable[[int, bytes, bytes], bytes]
Read = Callable[[bytes], pydicom.Dataset]

Json = dict[str, Any]


def json_of(ds: DataSet) -> Json:
    found = json.loads(instance_json(ds, bulk_data_root="bulk"))
    assert isinstance(found, dict)
    return found


def value(explicit: Explicit, tag: int, vr: bytes, raw: bytes) -> Any:
    return json_of(read_data_set(explicit(tag, vr, raw), EXPLICIT_LE))[f"{tag:08X}"]


@pytest.mark.parametrize(
    ("tag", "vr", "raw", "expected"),
    [
        (0x00080018, b"UI", b"1.2.3\0", {"vr": "UI", "Value": ["1.2.3"]}),
        (0x00080008, b"CS", b"ORIGINAL\\\\ AXIAL", {"vr": "CS", "Value": ["ORIGINAL", None, "AXIAL"]}),
        (0x00080008, b"CS", b"", {"vr": "CS"}),
        (0x00080008, b"CS", b"\\\\", {"vr": "CS"}),
        (0x00180050, b"DS", b"1.25", {"vr": "DS", "Value": [1.25]}),
        (0x00180050, b"DS", b" 5 ", {"vr": "DS", "Value": [5]}),
        (0x00180050, b"DS", b"1\\\\x", {"vr": "DS", "Value": [1, None, "x"]}),
        (0x00180050, b"DS", b"NaN ", {"vr": "DS", "Value": ["NaN"]}),
        (0x00180050, b"DS", b"1e999 ", {"vr": "DS", "Value": ["1e999"]}),
        (0x00200013, b"IS", b"7 ", {"vr": "IS", "Value": [7]}),
        (0x00200013, b"IS", b"1A", {"vr": "IS", "Value": ["1A"]}),
        (0x00200013, b"IS", b"1_0 ", {"vr": "IS", "Value": ["1_0"]}),
        (0x00200013, b"IS", b"9" * 5000, {"vr": "IS", "Value": ["9" * 5000]}),
        (0x00280010, b"US", b"\2\1", {"vr": "US", "Value": [258]}),
        (0x00280010, b"US", b"\2\1\3", {"vr": "US", "Value": [258]}),
        (0x00280009, b"AT", b"\x18\0\x63\x10", {"vr": "AT", "Value": ["00181063"]}),
        (0x00189073, b"FD", struct.pack("<d", float("nan")), {"vr": "FD", "Value": ["NaN"]}),
        (0x0040A30A, b"FL", struct.pack("<f", float("-inf")), {"vr": "FL", "Value": ["-Infinity"]}),
        (0x00104000, b"LT", b"a\\b\r\nc ", {"vr": "LT", "Value": ["a\\b\r\nc"]}),
        (
            0x00100010,
            b"PN",
            b"A^B=C=D ",
            {"vr": "PN", "Value": [{"Alphabetic": "A^B", "Ideographic": "C", "Phonetic": "D"}]},
        ),
        (0x00100010, b"PN", b"=C", {"vr": "PN", "Value": [{"Ideographic": "C"}]}),
        (0x00081060, b"PN", b"A\\\\B", {"vr": "PN", "Value": [{"Alphabetic": "A"}, None, {"Alphabetic": "B"}]}),
        (0x00100020, b"LO", b"a\0b\0", {"vr": "LO", "Value": ["ab"]}),
        (0x00091001, b"UN", b"\0\1", {"vr": "UN", "InlineBinary": "AAE="}),
        (0x00080005, b"CS", b"ISO_IR 100", {"vr": "CS", "Value": ["ISO_IR 192"]}),
    ],
)
def test_values_are_written_as_the_standard_wants(
    explicit: Explicit, tag: int, vr: bytes, raw: bytes, expected: Json
) -> None:
    """PS3.18 F.2: numbers are numbers, empty values null, names objects; what cannot be a number stays text."""
    assert value(explicit, tag, vr, raw) == expected


def test_group_lengths_and_other_groups_data_sets_do_not_hold_are_left_out(explicit: Explicit) -> None:
    """Group 0002, command set and group lengths are no attributes of an instance."""
    data = (
        explicit(0x00020010, b"UI", b"1.2 ")
        + explicit(0x00080000, b"UL", b"\1\0\0\0")
        + explicit(0x00100020, b"LO", b"id")
    )

    assert list(json_of(read_data_set(data, EXPLICIT_LE))) == ["00100020"]


def test_large_binary_values_and_all_pixels_are_references(explicit: Explicit) -> None:
    """A binary value of more than 1024 bytes, or Pixel Data of any size, is a BulkDataURI with its path."""
    inner = explicit(0x00420011, b"OB", bytes(MAX_INLINE_BINARY + 2))
    item = b"\xfe\xff\0\xe0" + struct.pack("<I", len(inner)) + inner
    data = (
        explicit(0x00091002, b"OB", bytes(4)) + explicit(0x00400555, b"SQ", item) + explicit(0x7FE00010, b"OW", b"\0\0")
    )
    found = json_of(read_data_set(data, EXPLICIT_LE))

    assert found["00091002"]["InlineBinary"] == "AAAAAA=="
    assert found["00400555"]["Value"][0]["00420011"] == {"vr": "OB", "BulkDataURI": "bulk/00400555/1/00420011"}
    assert found["7FE00010"] == {"vr": "OW", "BulkDataURI": "bulk/7FE00010"}


def test_small_private_numbers_are_inline_when_their_creator_is_known(explicit: Explicit) -> None:
    """Without Philips' scale factor in line a viewer computes no SUV."""
    data = explicit(0x70530010, b"LO", b"Philips PET Private Group ") + explicit(0x70531000, b"UN", b"0.5 ")

    assert json_of(read_data_set(data, EXPLICIT_LE))["70531000"] == {"vr": "DS", "Value": [0.5]}


def test_inline_words_of_a_big_endian_data_set_are_swapped(encoded: Callable[[pydicom.Dataset, str], bytes]) -> None:
    """Binary values in JSON are little endian, whatever the data set is."""
    ds = pydicom.Dataset()
    ds.add_new(0x00281201, "OW", b"\1\2\3\4")

    big = json_of(read_data_set(encoded(ds, EXPLICIT_BE), EXPLICIT_BE))
    little = json_of(read_data_set(encoded(ds, IMPLICIT_LE), IMPLICIT_LE))
    assert big["00281201"]["InlineBinary"] == "AgEEAw=="
    assert little["00281201"]["InlineBinary"] == "AQIDBA=="


def test_every_file_gives_valid_json(every_file: Files) -> None:
    """Whatever file can be read has JSON that any parser takes, sorted by tag and without NUL."""
    for path, ds in every_file():
        text = instance_json(ds, bulk_data_root="bulk").decode("utf-8")
        found = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        assert list(found) == sorted(found), path.name
        assert "\\u0000" not in text, path.name


@pytest.mark.filterwarnings("ignore")  # pydicom warns of values that we accept
def test_json_agrees_with_pydicom(every_file: Files, pydicom_read: Read) -> None:
    """Files that pydicom can write as JSON say the same in both, except where we differ on purpose."""
    compared = 0
    for path, ds in every_file():
        if ds.damage or path.name in DIFFERENT or path.stat().st_size > 2_000_000:
            continue
        try:
            theirs = pydicom_read(path.read_bytes()).to_json_dict()
        except Exception:  # noqa: S112  # it refuses what the file says; another test has our JSON of it
            continue
        compare(theirs, json_of(ds), path.name)
        compared += 1
    assert compared > 80


# Read in another way, see test_read; undeclared UTF-8 and GB 2312 that pydicom decodes wrongly, see test_text.
DIFFERENT = {
    "emr-philips-fmri-32f-implicit.dcm",
    "no-preamble-dicm-in-data.dcm",
    "made-utf8-undeclared.dcm",
    "made-iso2022-ir58.dcm",
}


def compare(theirs: Json, ours: Json, where: str) -> None:
    theirs = {tag: found for tag, found in theirs.items() if not tag.endswith("0000") and tag != "00080005"}
    ours = {tag: found for tag, found in ours.items() if tag != "00080005"}
    assert theirs.keys() == ours.keys(), where
    for tag, found in ours.items():
        at = f"{where} {tag}"
        assert found["vr"] == theirs[tag]["vr"], at
        if found["vr"] == "SQ":
            items = theirs[tag].get("Value", [])
            assert len(items) == len(found.get("Value", [])), at
            for one, other in zip(items, found.get("Value", []), strict=True):
                compare(one, other, at)
        elif "BulkDataURI" not in found:
            assert normal(theirs[tag]) == normal(found), at


def normal(attribute: Json) -> Json:
    """Empty values are "" or null, an attribute without any has none, and spaces at either end mean nothing."""
    values = [one.strip() or None if isinstance(one, str) else one for one in attribute.get("Value", [])]
    return {**attribute, "Value": values if any(one is not None for one in values) else []}
