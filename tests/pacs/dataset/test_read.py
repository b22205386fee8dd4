from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest

from pacs.dataset import DataSet, Element, read_data_set
from pacs.errors import Unreadable
from pacs.transfer_syntaxes import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE

Tree = list[tuple[int, str, bytes | list["Tree"]]]
Open = Callable[[Path], DataSet]
Find = Callable[[str], Path]
Files = Callable[[], Iterator[tuple[Path, DataSet]]]
Encoded = Callable[[pydicom.Dataset, str], bytes]
Explicit = Callable[[int, bytes, bytes], bytes]

UID = "1.2.3.4"


def sample() -> pydicom.Dataset:
    item = pydicom.Dataset()
    item.CodeValue = "T-A0100"
    item.CodeMeaning = "Brain"
    inner = pydicom.Dataset()
    inner.ReferencedFrameNumber = [1, 2]
    item.ReferencedImageSequence = [inner]
    ds = pydicom.Dataset()
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    ds.SOPInstanceUID = UID
    ds.PatientName = "Nguyen^Van A"
    ds.AnatomicRegionSequence = [item, pydicom.Dataset()]
    ds.SliceThickness = "1.25"
    ds.Rows = 2
    ds.Columns = 3
    ds.BitsAllocated = 16
    ds.PixelRepresentation = 1
    ds.add_new(0x00280106, "SS", -5)
    ds.add_new(0x00091001, "LO", "private")
    ds.add_new(0x7FE00010, "OW", bytes(12))
    return ds


def tree(ds: DataSet) -> Tree:
    elements = ds.elements.values()
    return [(e.tag, e.vr, [tree(i) for i in e.items] if e.items else bytes(ds.bytes_of(e.tag))) for e in elements]


def spans(ds: DataSet) -> Iterator[tuple[int, int]]:
    return ((e.start, e.end) for e in ds.elements.values())


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE])
def test_a_data_set_reads_the_same_in_every_native_encoding(encoded: Encoded, syntax: str) -> None:
    """Values, items and VRs do not depend on how the data set was encoded."""
    data = encoded(sample(), syntax)
    ds = read_data_set(data, syntax)

    assert ds.damage == ""
    assert ds.end == len(data)
    assert (ds.implicit, ds.little_endian) == (syntax == IMPLICIT_LE, syntax != EXPLICIT_BE)
    assert ds.text(0x00080018) == UID
    assert ds.text(0x00100010) == "Nguyen^Van A"
    assert ds.numbers(0x00180050) == [1.25]
    assert ds.integer(0x00280010) == 2
    assert ds.integers(0x00280106) == [-5]
    region = ds.items(0x00082218)
    assert [len(item.elements) for item in region] == [3, 0]
    assert region[0].text(0x00080104) == "Brain"
    assert region[0].items(0x00081140)[0].integers(0x00081160) == [1, 2]
    assert len(ds.bytes_of(0x7FE00010)) == 12


def test_a_deflated_data_set_reads_like_the_inflated_one(pydicom_file: Find, opened: Open) -> None:
    """Offsets of a deflated data set refer to its inflated bytes."""
    ds = opened(pydicom_file("image_dfl.dcm"))

    assert ds.damage == ""
    assert ds.integer(0x00280010) == 512
    assert len(ds.bytes_of(0x7FE00010)) == 512 * 512


def test_a_deflated_data_set_that_was_never_deflated_reads_as_it_is(encoded: Encoded) -> None:
    """A wrong declaration of deflation is seen and said."""
    ds = read_data_set(encoded(sample(), EXPLICIT_LE), DEFLATED_LE)

    assert ds.text(0x00080018) == UID
    assert "inflating stopped" in ds.damage


def test_encapsulated_pixels_are_fragments(pydicom_file: Find, opened: Open) -> None:
    """Fragments come with their item headers' offsets, the Basic Offset Table first, and end at the delimiter."""
    ds = opened(pydicom_file("SC_rgb_rle_2frame.dcm"))
    element = ds.elements[0x7FE00010]
    expected = list(pydicom.encaps.generate_fragments(ds.bytes_of(0x7FE00010).tobytes()))

    assert element.undefined
    assert [bytes(ds.data[o + 8 : o + 8 + n]) for o, n in element.fragments] == expected
    assert element.fragments[0][0] == element.value
    assert element.end == element.value + element.length + 8


def test_reading_stops_before_the_first_tag_beyond_until(encoded: Encoded) -> None:
    """With ``until`` nothing behind is looked at, and the data set says that it is not complete."""
    data = encoded(sample(), EXPLICIT_LE)
    ds = read_data_set(data[:-6], EXPLICIT_LE, until=0x7FE0000F)

    assert not ds.complete
    assert ds.damage == ""
    assert 0x7FE00010 not in ds.elements
    assert data[ds.end : ds.end + 4] == b"\xe0\x7f\x10\0"


@pytest.mark.parametrize("buffer", [bytes, bytearray, memoryview])
def test_any_buffer_is_read_in_place(encoded: Encoded, buffer: Callable[[bytes], bytes]) -> None:
    """The data set keeps the very buffer it was given."""
    data = buffer(encoded(sample(), EXPLICIT_LE))
    ds = read_data_set(data, EXPLICIT_LE)

    assert ds.data is data
    assert ds.text(0x00080018) == UID


@pytest.mark.parametrize(
    ("declared", "actual"), [(EXPLICIT_LE, IMPLICIT_LE), (IMPLICIT_LE, EXPLICIT_LE), (EXPLICIT_LE, EXPLICIT_BE)]
)
def test_a_wrongly_declared_encoding_gives_way_to_the_actual_one(encoded: Encoded, declared: str, actual: str) -> None:
    """The first element decides, and the lie is noted as damage."""
    data = encoded(sample(), actual)

    assert tree(read_data_set(data, declared)) == tree(read_data_set(data, actual))
    assert read_data_set(data, declared).damage.startswith("declared ")


def test_an_unknown_transfer_syntax_is_read_as_explicit_little_endian(encoded: Encoded) -> None:
    """A private syntax of tomorrow can still be identified and kept."""
    assert read_data_set(encoded(sample(), EXPLICIT_LE), "1.2.999.1").text(0x00080018) == UID


def test_un_of_undefined_length_is_an_implicit_sequence() -> None:
    """PS3.5 6.2.2 note 3: whoever did not know a sequence wrote UN around implicit items."""
    item = b"\xfe\xff\0\xe0\x0e\0\0\0" + b"\x08\0\0\x01\x06\0\0\0T-1234"
    data = b"\x09\0\x10\x10UN\0\0\xff\xff\xff\xff" + item + b"\xfe\xff\xdd\xe0\0\0\0\0" + b"\x10\0\x20\0LO\2\0id"
    ds = read_data_set(data, EXPLICIT_LE)

    assert ds.damage == ""
    assert ds.elements[0x00091010].vr == "SQ"
    assert ds.items(0x00091010)[0].text(0x00080100) == "T-1234"
    assert ds.text(0x00100020) == "id"


def test_un_of_a_known_attribute_has_the_dictionary_vr(explicit: Explicit) -> None:
    """An attribute that went through software older than itself is still what it is."""
    ds = read_data_set(explicit(0x00080018, b"UN", b"1.2.3\0") + explicit(0x00280010, b"UN", b"\0\2"), EXPLICIT_LE)

    assert ds.elements[0x00080018].vr == "UI"
    assert ds.text(0x00080018) == "1.2.3"
    assert ds.integer(0x00280010) == 512


@pytest.mark.parametrize("code", [b"??", b"\0\0", b"XX", b"  "])
def test_a_bogus_vr_costs_no_other_element(explicit: Explicit, code: bytes) -> None:
    """An element of unknown VR is taken as the dictionary says, and what follows is found."""
    known, bogus = explicit(0x00080016, b"UI", b"1.2\0"), explicit(0x00080018, code, b"1.2.3\0")
    ds = read_data_set(known + bogus + explicit(0x00100020, b"LO", b"id"), EXPLICIT_LE)

    assert ds.text(0x00080018) == "1.2.3"
    assert ds.text(0x00100020) == "id"


def test_an_explicit_element_inside_implicit_ones_is_seen(explicit: Explicit) -> None:
    """Software that adds its own elements in the wrong encoding does not hide what follows."""
    implicit = b"\x08\0\x16\0\4\0\0\x001.2\0"
    data = implicit + explicit(0x00080018, b"UI", b"1.2.3\0") + b"\x10\0\x20\0\2\0\0\0id"
    ds = read_data_set(data, IMPLICIT_LE)

    assert [ds.text(tag) for tag in (0x00080016, 0x00080018, 0x00100020)] == ["1.2", "1.2.3", "id"]


def test_implicit_elements_inside_explicit_ones_are_seen(explicit: Explicit) -> None:
    """The other way round, too."""
    data = explicit(0x00080016, b"UI", b"1.2\0") + b"\x08\0\x18\0\6\0\0\x001.2.3\0" + explicit(0x00100020, b"LO", b"id")
    ds = read_data_set(data, EXPLICIT_LE)

    assert ds.text(0x00080018) == "1.2.3"
    assert ds.text(0x00100020) == "id"


def test_sequences_a_thousand_deep_are_refused() -> None:
    """A hostile data set ends in our error, not in Python's recursion limit."""
    sequence = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff"

    with pytest.raises(Unreadable, match="deeper"):
        read_data_set(sequence * 5000, EXPLICIT_LE)


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"This is no DICOM file, but a letter about one.", b"\xff" * 64])
def test_what_is_no_data_set_is_unreadable(data: bytes) -> None:
    """Bytes without a single sensible element are refused."""
    with pytest.raises(Unreadable):
        read_data_set(data, EXPLICIT_LE)


@pytest.mark.filterwarnings("ignore")  # pydicom warns of values that we accept
def test_every_file_agrees_with_pydicom(every_file: Files, pydicom_read: Callable[[bytes], pydicom.Dataset]) -> None:
    """Two readers that share no code find the same attributes in every undamaged file of both collections."""
    read = 0
    for path, ds in every_file():
        if ds.damage or path.name in DIFFERENT:
            continue
        theirs = pydicom_read(path.read_bytes())
        assert tags(ds) == theirs_tags(theirs), path.name
        read += 1
    assert read > 100


# pydicom takes a private sequence of implicit VR apart when it reads; we do so on request (`pacs.dataset.private`).
# The other has no File Meta, but the letters DICM at byte 128 of its data set, which pydicom believes.
DIFFERENT = {"emr-philips-fmri-32f-implicit.dcm", "no-preamble-dicm-in-data.dcm"}


def tags(ds: DataSet) -> list[tuple[int, list[object]]]:
    return [(e.tag, [tags(item) for item in e.items]) for _, e in sorted(ds.elements.items())]


def theirs_tags(ds: pydicom.Dataset) -> list[tuple[int, list[object]]]:
    found: list[tuple[int, list[object]]] = []
    for tag in sorted(ds.keys()):
        element = ds[tag]
        found.append((int(tag), [theirs_tags(item) for item in element.value] if element.VR == "SQ" else []))
    return found


def test_elements_lie_side_by_side_in_every_undamaged_file(every_file: Files) -> None:
    """The spans of the top-level elements, put together, are the data set: nothing is skipped or counted twice."""
    for path, ds in every_file():
        position = 0
        for start, end in spans(ds):
            assert start == position, path.name
            position = end
        assert position == ds.end, path.name
        assert ds.damage or ds.end == len(ds.data), path.name


def test_an_element_is_a_tuple_of_offsets() -> None:
    """An element without items or fragments is what most are."""
    assert Element(0x00100020, "LO", 0, 8, 2, 10) == (0x00100020, "LO", 0, 8, 2, 10, False, (), ())
