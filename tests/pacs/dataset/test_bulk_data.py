import struct
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from pacs.dataset import DataSet, read_data_set
from pacs.dataset.bulk_data import bulk_data
from pacs.errors import NotFound
from pacs.transfer_syntaxes import EXPLICIT_BE, EXPLICIT_LE

Explicit = Callable[[int, bytes, bytes], bytes]


def test_a_path_leads_into_sequences(explicit: Explicit) -> None:
    """Items are counted from one."""
    items = b"".join(
        b"\xfe\xff\0\xe0" + struct.pack("<I", 14) + explicit(0x00420011, b"OB", value) for value in (b"ab", b"cd")
    )
    ds = read_data_set(explicit(0x00400555, b"SQ", items), EXPLICIT_LE)

    assert bytes(bulk_data(ds, "00400555/2/00420011")) == b"cd"


@pytest.mark.parametrize(
    "path", ["", "x", "00100020", "00400555/3/00420011", "00400555/0/00420011", "00400555/1", "//"]
)
def test_a_path_to_nothing_is_not_found(explicit: Explicit, path: str) -> None:
    """No path makes anything but NotFound."""
    item = b"\xfe\xff\0\xe0" + struct.pack("<I", 14) + explicit(0x00420011, b"OB", b"ab")
    ds = read_data_set(explicit(0x00400555, b"SQ", item), EXPLICIT_LE)

    with pytest.raises(NotFound):
        bulk_data(ds, path)


def test_big_endian_words_come_in_little_endian(encoded: Callable[[pydicom.Dataset, str], bytes]) -> None:
    """PS3.18 8.7.3.1: uncompressed bulk data is little endian."""
    ds = pydicom.Dataset()
    ds.add_new(0x7FE00010, "OW", b"\1\2\3\4")

    assert bytes(bulk_data(read_data_set(encoded(ds, EXPLICIT_BE), EXPLICIT_BE), "7FE00010")) == b"\2\1\4\3"


def test_text_comes_in_utf_8(explicit: Explicit) -> None:
    """A long text needs no knowledge of the data set's character set."""
    data = explicit(0x00080005, b"CS", b"ISO_IR 100") + explicit(0x0040A160, b"UT", b"gr\xfc\xdfe ")

    assert bytes(bulk_data(read_data_set(data, EXPLICIT_LE), "0040A160")).decode() == "grüße "


def test_pixels_are_given_without_a_copy(
    pydicom_file: Callable[[str], Path], opened: Callable[[Path], DataSet]
) -> None:
    """The value of Pixel Data is a view of the buffer that was read."""
    ds = opened(pydicom_file("CT_small.dcm"))

    assert bulk_data(ds, "7FE00010").obj is memoryview(ds.data).obj
