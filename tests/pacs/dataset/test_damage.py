import struct
from collections.abc import Callable
from contextlib import suppress

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacs.dataset import describe_image, identify, read_data_set
from pacs.dataset.json import instance_json
from pacs.errors import Unidentified, Unreadable
from pacs.file_meta import read_file_meta
from pacs.transfer_syntaxes import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE

Encoded = Callable[[pydicom.Dataset, str], bytes]
Explicit = Callable[[int, bytes, bytes], bytes]

SYNTAXES = st.sampled_from([EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED_LE, "1.2.840.10008.1.2.5", "unknown"])
TWO = b"\x08\0\x16\0UI\4\x001.2\0" + b"\x08\0\x18\0UI\6\x001.2.3\0"


def test_pixels_that_end_too_soon_are_said_so_and_kept(explicit: Explicit) -> None:
    """A truncated value is as long as what is there."""
    data = TWO + explicit(0x7FE00010, b"OW", bytes(200))[:-100]
    ds = read_data_set(data, EXPLICIT_LE)

    assert ds.damage == "Pixel Data ends after 100 of 200 bytes"
    assert ds.elements[0x7FE00010].length == 100
    assert ds.end == len(data)


@pytest.mark.parametrize("rest", [b"\0" * 40, b"garbage behind the data set", b"\0", b"\xff" * 9])
@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE])
def test_bytes_behind_the_data_set_are_no_elements(rest: bytes, syntax: str) -> None:
    """Padding and garbage are counted, not read."""
    data = TWO if syntax == EXPLICIT_LE else b"\x08\0\x16\0\4\0\0\x001.2\0" + b"\x08\0\x18\0\6\0\0\x001.2.3\0"
    ds = read_data_set(data + rest, syntax)

    assert list(ds.elements) == [0x00080016, 0x00080018]
    assert ds.end == len(data)
    assert ds.damage == f"{len(rest)} bytes after the data set"


def test_an_element_that_comes_twice_counts_once(explicit: Explicit) -> None:
    """The first of two stands, as every part of the archive must see the same."""
    ds = read_data_set(TWO + explicit(0x00080018, b"UI", b"9.9.9\0") + explicit(0x00100020, b"LO", b"id"), EXPLICIT_LE)

    assert ds.text(0x00080018) == "1.2.3"
    assert ds.text(0x00100020) == "id"
    assert "SOP Instance UID again" in ds.damage


def test_a_stray_delimiter_is_stepped_over(explicit: Explicit) -> None:
    """One delimitation item too many does not end the data set."""
    ds = read_data_set(TWO + b"\xfe\xff\x0d\xe0\0\0\0\0" + explicit(0x00100020, b"LO", b"id"), EXPLICIT_LE)

    assert ds.text(0x00100020) == "id"
    assert "stray" in ds.damage


def test_a_repeated_element_does_not_push_out_the_first() -> None:
    """Nor when the first stood out of order: what was read stays, in the order of the bytes."""
    order = [(0x00080060, b"CT"), (0x00080020, b"20240101"), (0x00080060, b"MR")]
    data = b"".join(struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value for tag, value in order)
    ds = read_data_set(data, IMPLICIT_LE)

    assert list(ds.elements) == [0x00080060, 0x00080020]
    assert ds.text(0x00080060) == "CT"


def test_a_sequence_without_its_delimiter_hides_nothing(explicit: Explicit) -> None:
    """An element that is no item ends the sequence, and is read."""
    item = b"\xfe\xff\0\xe0\x0a\0\0\0" + b"\x08\0\0\x01SH\2\0T1"
    opened = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff"
    ds = read_data_set(TWO + opened + item + explicit(0x00100020, b"LO", b"id"), EXPLICIT_LE)

    assert len(ds.items(0x00081140)) == 1
    assert ds.text(0x00100020) == "id"
    assert "lacks a delimitation item" in ds.damage


def test_a_sequence_that_holds_no_items_is_kept_as_bytes(explicit: Explicit) -> None:
    """What stands in a sequence but is no item stays what it is, and the next element is found."""
    ds = read_data_set(TWO + explicit(0x00081140, b"SQ", b"nonsense") + explicit(0x00100020, b"LO", b"id"), EXPLICIT_LE)

    assert bytes(ds.bytes_of(0x00081140)) == b"nonsense"
    assert ds.text(0x00100020) == "id"


def test_an_item_longer_than_its_sequence_is_cut(explicit: Explicit) -> None:
    """An item's length never reaches beyond its sequence."""
    item = b"\xfe\xff\0\xe0" + struct.pack("<I", 9999) + b"\x08\0\0\x01SH\2\0T1"
    ds = read_data_set(TWO + explicit(0x00081140, b"SQ", item) + explicit(0x00100020, b"LO", b"id"), EXPLICIT_LE)

    assert ds.items(0x00081140)[0].text(0x00080100) == "T1"
    assert ds.text(0x00100020) == "id"


def test_odd_lengths_are_taken_as_they_are(explicit: Explicit) -> None:
    """PS3.5 7.1.1 wants even lengths; old writers did not."""
    ds = read_data_set(TWO + explicit(0x00100020, b"LO", b"odd") + explicit(0x00100040, b"CS", b"O"), EXPLICIT_LE)

    assert (ds.text(0x00100020), ds.text(0x00100040), ds.damage) == ("odd", "O", "")


def everything(data: bytes, syntax: str) -> None:
    """All that ingest does with bytes before it trusts them."""
    try:
        ds = read_data_set(data, syntax)
    except Unreadable:
        return
    previous = 0
    for element in ds.elements.values():
        assert previous <= element.start <= element.value <= element.end <= len(ds.data)
        assert element.value + element.length <= element.end
        previous = element.end
        ds.texts(element.tag)
        ds.numbers(element.tag)
    assert previous <= ds.end <= len(ds.data)
    instance_json(ds, bulk_data_root="x")
    describe_image(ds)
    with suppress(Unidentified):
        identify(ds)


@given(st.binary(max_size=400), SYNTAXES)
@settings(max_examples=150, deadline=None)
def test_random_bytes_read_or_are_unreadable(data: bytes, syntax: str) -> None:
    """No bytes whatever make the reader, JSON or identification fail in another way than with our errors."""
    everything(data, syntax)


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_changed_bytes_read_or_are_unreadable(data: st.DataObject) -> None:
    """The same for real data sets in which a few bytes were changed, inserted or cut away."""
    source, syntax = data.draw(st.sampled_from(REAL))
    changed = bytearray(source)
    for _ in range(data.draw(st.integers(1, 6))):
        position = data.draw(st.integers(0, len(changed) - 1))
        what = data.draw(st.sampled_from(["change", "insert", "cut"]))
        if what == "change":
            changed[position] = data.draw(st.integers(0, 255))
        elif what == "insert":
            changed[position:position] = data.draw(st.binary(min_size=1, max_size=12))
        elif len(changed) > 200:
            del changed[position : position + data.draw(st.integers(1, 40))]
    everything(bytes(changed), syntax)


def _real() -> list[tuple[bytes, str]]:
    from pydicom.data import get_testdata_file  # noqa: PLC0415  # only to collect the examples below

    found = []
    for name in (
        "CT_small.dcm",
        "rtplan.dcm",
        "ExplVR_BigEnd.dcm",
        "nested_priv_SQ.dcm",
        "UN_sequence.dcm",
        "693_J2KI.dcm",
    ):
        path = get_testdata_file(name, download=False)
        if not isinstance(path, str):
            continue
        with open(path, "rb") as file:  # noqa: PTH123  # a name, not a Path
            data = file.read(20000)
        meta = read_file_meta(data)
        found.append((data[meta.data_set_offset :], meta.transfer_syntax_uid))
    return found


REAL = _real()


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_random_files_have_file_meta_or_are_unreadable(data: bytes) -> None:
    """Nor does the reader of File Meta fail on any bytes, with or without a preamble."""
    for file in (data, bytes(128) + b"DICM" + data):
        try:
            meta = read_file_meta(file)
        except Unreadable:
            continue
        assert 0 <= meta.data_set_offset <= len(file)
