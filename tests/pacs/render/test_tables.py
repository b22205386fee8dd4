import struct
from collections.abc import Callable

import numpy as np
import pytest

from pacs.dataset import read_data_set
from pacs.render.tables import LookUpTable, expanded, read_table
from pacs.transfer_syntaxes import EXPLICIT_LE

Explicit = Callable[[int, bytes, bytes], bytes]
DESCRIPTOR, DATA = 0x00283002, 0x00283006


def table(explicit: Explicit, descriptor: tuple[int, int, int], data: bytes, vr: bytes = b"OW") -> LookUpTable | None:
    """What is read from an item with this descriptor and data."""
    item = explicit(DESCRIPTOR, b"US", struct.pack("<3H", *descriptor)) + explicit(DATA, vr, data)
    return read_table(read_data_set(item, EXPLICIT_LE), DESCRIPTOR, DATA)


def test_values_outside_a_table_get_its_first_and_last_entry(explicit: Explicit) -> None:
    """PS3.3 C.11.1.1.1: below the first mapped value the first entry counts, above the last the last one."""
    found = table(explicit, (3, 10, 16), struct.pack("<3H", 100, 200, 300))
    assert found is not None
    assert found.apply(np.array([-5, 10, 11, 12, 13, 999])).tolist() == [100, 100, 200, 300, 300, 300]


def test_no_entries_declared_means_65536(explicit: Explicit) -> None:
    """A count of 0 stands for 2**16, which does not fit its 16 bits."""
    found = table(explicit, (0, 0, 16), np.arange(65536, dtype="<u2").tobytes())
    assert found is not None
    assert found.apply(np.array([65535])).tolist() == [65535]


def test_eight_bit_entries_two_in_a_word(explicit: Explicit) -> None:
    """Data of as many bytes as there are entries are bytes."""
    found = table(explicit, (4, 0, 8), bytes([1, 2, 3, 4]))
    assert found is not None
    assert found.entries.tolist() == [1, 2, 3, 4]


def test_too_few_bits_declared_are_corrected(explicit: Explicit) -> None:
    """Entries of 12 bits under a descriptor of 8 would wrap around."""
    found = table(explicit, (2, 0, 8), struct.pack("<2H", 0, 4095))
    assert found is not None
    assert found.bits == 12


@pytest.mark.parametrize(("descriptor", "data"), [((2, 0, 16), b""), ((2, 0, 16), b"\0")])
def test_a_table_without_data_is_none(explicit: Explicit, descriptor: tuple[int, int, int], data: bytes) -> None:
    """Nothing is made up for a table that is not there."""
    assert table(explicit, descriptor, data) is None


def test_segments_by_hand() -> None:
    """PS3.3 C.7.9.2: three discrete entries, a line of four to 100, and both again by an indirect segment."""
    words = [0, 3, 10, 20, 60, 1, 4, 100, 2, 2, 0, 0]
    discrete, line = [10, 20, 60], [70, 80, 90, 100]
    assert expanded(words, 14).tolist() == [*discrete, *line, *discrete, *line]


@pytest.mark.parametrize(
    "words", [[], [0], [0, 9, 1], [1, 4], [1, 4, 100], [2, 1, 0, 0], [2, 65535, 0, 0], [7, 7], [0, 1, 5, 2, 9, 3, 0]]
)
def test_damaged_segments_end_without_harm(words: list[int]) -> None:
    """Segments that lie, point at themselves or end early give what came before them."""
    assert len(expanded(words, 256)) <= 256
