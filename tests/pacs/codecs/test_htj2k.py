from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pacs.codecs import decode_frame
from pacs.codecs.codestream import HEADER_BYTES, read_header
from pacs.codecs.htj2k import decode_htj2k, decode_proof, decompositions, encode_htj2k, levels, prefix_length
from pacs.errors import NotRenderable
from pacs.model import ImageDescription
from pacs.transfer_syntaxes import HTJ2K_LOSSLESS_RPCL


def smooth(rows: int, columns: int, top: int, dtype: str) -> NDArray[Any]:
    """A picture with slopes and some noise, from 0 to ``top``."""
    noise = np.random.default_rng(7).integers(0, 9, (rows, columns))
    slope = np.add.outer(np.arange(rows), np.arange(columns)) * max(top - 9, 1) // (rows + columns)
    return np.minimum(slope + noise, top).astype(dtype)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 90),
    columns=st.integers(1, 90),
    precision=st.integers(1, 16),
    signed=st.booleans(),
    rgb=st.booleans(),
    seed=st.integers(0, 99),
)
def test_both_decoders_undo_every_shape_precision_and_sign(
    *, rows: int, columns: int, precision: int, signed: bool, rgb: bool, seed: int
) -> None:
    """OpenJPEG and OpenJPH each give back exactly what was encoded, at the precision that the header states."""
    signed = signed and not rgb
    low = -(1 << (precision - 1)) if signed else 0
    shape = (rows, columns, 3) if rgb else (rows, columns)
    dtype = f"{'i' if signed else 'u'}{1 if precision <= 8 else 2}"
    samples = np.random.default_rng(seed).integers(low, low + (1 << precision), shape).astype(dtype)
    codestream = encode_htj2k(samples, precision=precision, rgb=rgb)
    header = read_header(codestream)
    assert (header.precision, header.signed, header.rows, header.columns) == (precision, signed, rows, columns)
    assert np.array_equal(decode_proof(codestream), samples)
    assert np.array_equal(decode_htj2k(codestream), samples)


def test_eight_bit_values_in_wide_cells_keep_their_precision() -> None:
    """Values of 8 bits in 16-bit cells are coded as 8 bits and come back as the same numbers."""
    samples = smooth(70, 70, 255, "u2")
    codestream = encode_htj2k(samples, precision=8, rgb=False)
    assert read_header(codestream).precision == 8
    assert np.array_equal(decode_proof(codestream), samples)


@pytest.mark.parametrize("reduce", range(7))
def test_a_prefix_decodes_to_what_the_whole_decodes_to(reduce: int) -> None:
    """For each size the prefix that TLM gives is enough, and the picture is the same as from the whole codestream."""
    codestream = encode_htj2k(smooth(500, 301, 4095, "u2"), precision=12, rgb=False)
    length = prefix_length(codestream[:HEADER_BYTES], reduce)
    assert length is not None
    assert length <= len(codestream)
    there = min(reduce, levels(codestream))
    small = decode_htj2k(codestream[:length], reduce=there)
    assert small.shape == (-(-500 >> there), -(-301 >> there))
    assert np.array_equal(small, decode_htj2k(codestream, reduce=there))


def test_a_thumbnail_needs_a_small_part_of_a_large_frame() -> None:
    """256² of a 2048² frame is read from less than a twentieth of its bytes."""
    codestream = encode_htj2k(smooth(2048, 2048, 65535, "u2"), precision=16, rgb=False)
    length = prefix_length(codestream[:HEADER_BYTES], 3)
    assert length is not None
    assert length * 20 < len(codestream)


@pytest.mark.parametrize(
    ("rows", "columns", "expected"), [(512, 512, 5), (2048, 2048, 5), (2049, 5000, 6), (4000, 3000, 6), (1, 1, 5)]
)
def test_the_smallest_level_is_at_most_64_wide_or_high(rows: int, columns: int, expected: int) -> None:
    """PS3.5 10.18: decompositions are added until one side is at most 64."""
    assert decompositions(rows, columns) == expected


def test_a_codestream_without_tile_part_lengths_is_read_whole() -> None:
    """Where TLM is missing, or the header is cut, no prefix is promised."""
    codestream = encode_htj2k(smooth(64, 64, 255, "u1"), precision=8, rgb=False)
    header = read_header(codestream)
    at = codestream.index(b"\xff\x55")
    without = codestream[:at] + codestream[at + 2 + int.from_bytes(codestream[at + 2 : at + 4], "big") :]
    assert header.tile_parts
    assert prefix_length(without, 1) is None
    assert prefix_length(codestream[:60], 1) is None


@pytest.mark.parametrize("damage", [b"", b"\xff\x4f", b"no codestream at all", b"\xff\x4f\xff\x51\x00\x02"])
def test_a_damaged_header_is_not_renderable(damage: bytes) -> None:
    """Reading a header that is none raises NotRenderable, nothing else."""
    with pytest.raises(NotRenderable):
        read_header(damage)


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (37, 5),  # YTOsiz: the first tile begins below the image
        (25, 1),  # XTsiz: 64 tiles of which one is there
        (2 + 41 + 2 + 8 + 2 + 11, 0),  # COD: irreversible transform with unquantized coefficients
    ],
)
def test_headers_that_crash_decoders_are_refused(at: int, value: int) -> None:
    """A codestream that contradicts itself never reaches the decoder, which hangs or crashes over it."""
    samples = smooth(64, 64, 4095, "u2")
    codestream = bytearray(encode_htj2k(samples, precision=12, rgb=False))
    assert codestream[2:4] == b"\xff\x51"
    codestream[2 + at] = value
    image = ImageDescription(64, 64, 1, "MONOCHROME2", 16, 12, 11, 0, 0, 1)
    with pytest.raises(NotRenderable):
        decode_frame(bytes(codestream), image, HTJ2K_LOSSLESS_RPCL)


def test_a_damaged_whole_frame_is_not_shown() -> None:
    """Cut off in the middle, a frame is refused at full size instead of being filled with invented pixels."""
    codestream = encode_htj2k(smooth(64, 64, 4095, "u2"), precision=12, rgb=False)
    image = ImageDescription(64, 64, 1, "MONOCHROME2", 16, 12, 11, 0, 0, 1)
    with pytest.raises(NotRenderable):
        decode_frame(codestream[: len(codestream) // 2], image, HTJ2K_LOSSLESS_RPCL)
