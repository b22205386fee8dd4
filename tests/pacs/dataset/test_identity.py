from collections.abc import Callable
from pathlib import Path

import pytest

from pacs.dataset import DataSet, describe_image, identify, read_data_set, series_key
from pacs.dataset.identity import IDENTIFYING_END
from pacs.errors import Unidentified
from pacs.model import Identity, ImageDescription
from pacs.transfer_syntaxes import EXPLICIT_LE

Explicit = Callable[[int, bytes, bytes], bytes]
Open = Callable[[Path], DataSet]
Find = Callable[[str], Path]

UIDS = {0x00080016: b"1.2.840\0", 0x00080018: b"1.2.3 ", 0x0020000D: b"1.4\0\0", 0x0020000E: b"1.5 \0"}


def data_set(explicit: Explicit, **changed: bytes) -> DataSet:
    uids = UIDS | {int(tag[1:], 16): value for tag, value in changed.items()}
    return read_data_set(b"".join(explicit(tag, b"UI", value) for tag, value in sorted(uids.items())), EXPLICIT_LE)


def test_an_instance_is_identified_by_four_uids_without_padding(explicit: Explicit) -> None:
    """NUL and spaces at the end belong to the encoding, not to the UID."""
    assert identify(data_set(explicit)) == Identity("1.2.840", "1.2.3", "1.5", "1.4")


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("x00080016", "SOP Class UID"),
        ("x00080018", "SOP Instance UID"),
        ("x0020000D", "Study Instance UID"),
        ("x0020000E", "Series Instance UID"),
    ],
)
def test_a_missing_uid_is_named(explicit: Explicit, tag: str, name: str) -> None:
    """Whoever sends such an instance is told which attribute is missing."""
    with pytest.raises(Unidentified, match=f"{name} is missing"):
        identify(data_set(explicit, **{tag: b"\0\0"}))


@pytest.mark.parametrize("uid", [b"1.2.840.ABC.01.007 ", b"1..2.3.", b"a" * 64])
def test_a_uid_against_the_rules_still_identifies(explicit: Explicit, uid: bytes) -> None:
    """Scanners write letters, leading zeros and empty components; their images must be kept all the same."""
    assert identify(data_set(explicit, x00080018=uid)).sop_instance_uid == uid.decode().strip()


@pytest.mark.parametrize(
    "uid", [b"../../etc", b"1.2/3 ", b"1\n2 ", b"a" * 66, "1.２".encode(), b"1 2 ", b"..", b"1%2 "]
)
def test_a_uid_that_is_unsafe_as_a_name_is_refused(explicit: Explicit, uid: bytes) -> None:
    """A UID names files, members of packs and resources."""
    with pytest.raises(Unidentified, match="cannot be an identifier"):
        identify(data_set(explicit, x00080018=uid))


def test_the_identifying_part_ends_with_the_series(explicit: Explicit) -> None:
    """Reading until that tag is enough to identify an instance."""
    assert max(UIDS) == IDENTIFYING_END


def test_a_series_has_one_key_and_another_series_another() -> None:
    """Series of the same UID in two studies are two series."""
    one = Identity("1", "2", "3", "4")

    assert series_key(one) == series_key(Identity("9", "9", "3", "4"))
    assert len({series_key(Identity("1", "2", s, t)) for s, t in (("3", "4"), ("3", "5"), ("34", ""), ("", "34"))}) == 4
    assert len(series_key(one)) == 32


def test_a_picture_is_described_by_its_image_pixel_module(pydicom_file: Find, opened: Open) -> None:
    """The values are those of the file."""
    assert describe_image(opened(pydicom_file("CT_small.dcm"))) == ImageDescription(
        rows=128,
        columns=128,
        samples_per_pixel=1,
        photometric_interpretation="MONOCHROME2",
        bits_allocated=16,
        bits_stored=16,
        high_bit=15,
        pixel_representation=1,
        planar_configuration=0,
        number_of_frames=1,
    )


def test_a_data_set_without_pixels_has_no_picture(pydicom_file: Find, opened: Open) -> None:
    """A plan or a report is not an image, whatever else it says."""
    assert describe_image(opened(pydicom_file("rtplan.dcm"))) is None


def test_a_header_alone_is_believed_to_have_its_pixels(pydicom_file: Find, opened: Open) -> None:
    """Readers that stop before Pixel Data can still describe the picture."""
    whole = opened(pydicom_file("CT_small.dcm"))
    header = read_data_set(whole.data, EXPLICIT_LE, until=0x7FDFFFFF)

    assert describe_image(header) == describe_image(whole)


@pytest.mark.parametrize("rows", [b"", b"\0\0", b"x"])
def test_a_picture_without_size_is_none(explicit: Explicit, rows: bytes) -> None:
    """Pixel Data that cannot be arranged in rows and columns cannot be shown."""
    parts = [(0x00280010, rows), (0x00280011, b"\1\0"), (0x00280100, b"\x10\0")]
    data = b"".join(explicit(tag, b"US", value) for tag, value in parts) + explicit(0x7FE00010, b"OW", b"\0\0")

    assert describe_image(read_data_set(data, EXPLICIT_LE)) is None
