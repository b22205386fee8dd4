from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.codecs.cells import UNUSED, ZEROED, stored_values, to_cells, to_samples
from pacs.model import ImageDescription

IMAGE = ImageDescription(2, 3, 1, "MONOCHROME2", 16, 12, 11, 0, 0, 1)
SIGNED = replace(IMAGE, pixel_representation=1)


@given(
    cells=st.lists(st.integers(0, 65535), min_size=6, max_size=6),
    stored=st.integers(1, 16),
    signed=st.integers(0, 1),
)
def test_cells_come_back_whatever_their_unused_bits_hold(cells: list[int], stored: int, signed: int) -> None:
    """Samples are in the range of Bits Stored, and samples with their comments give the same cells again."""
    image = replace(IMAGE, bits_stored=stored, high_bit=stored - 1, pixel_representation=signed)
    given_cells = np.array(cells, np.uint16).reshape(2, 3)
    samples, comments = to_samples(given_cells, image)
    low = -(1 << (stored - 1)) if signed else 0
    assert low <= samples.min()
    assert samples.max() < low + (1 << stored)
    assert np.array_equal(to_cells(samples, tuple(comments), image), given_cells)


@pytest.mark.parametrize(
    ("image", "cells", "samples", "comment"),
    [
        (IMAGE, [0x000, 0xFFF], [0, 4095], None),
        (IMAGE, [0x1001, 0x0FFF], [1, 4095], UNUSED),  # an overlay in bit 12
        (SIGNED, [0xFFFF, 0x07FF], [-1, 2047], None),
        (SIGNED, [0x0FFF, 0x0800], [-1, -2048], ZEROED),  # not sign-extended
        (SIGNED, [0xFFFF, 0x0800], [-1, -2048], UNUSED),  # some extended, some not
    ],
)
def test_viewers_read_values_not_cells(
    image: ImageDescription, cells: list[int], samples: list[int], comment: bytes | None
) -> None:
    """What is encoded is the value of Bits Stored, by hand-made cells of 12 bits in 16."""
    found, comments = to_samples(np.array([cells], np.uint16), image)
    assert found.tolist() == [samples]
    assert [c[: len(comment)] for c in comments] == [comment] if comment else not comments


def test_high_bit_above_the_value_shifts_it_down() -> None:
    """Values at the top of their cells (High Bit 15 of 12 bits) are read from there."""
    image = replace(IMAGE, high_bit=15)
    assert stored_values(np.array([[0xABC7]], np.uint16), image).tolist() == [[0xABC]]
