import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pydicom
import pydicom.encaps
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.dataset import describe_image, read_data_set
from pacs.errors import NotFound, NotRenderable
from pacs.file_meta import read_file_meta
from pacs.frames import Frames, frame_span, join_fragments, locate_frames, pack_frames, unpack_frames
from pacs.transfer_syntaxes import EXPLICIT_LE

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
MPEG2 = "1.2.840.10008.1.2.4.100"


def located(data: bytes) -> Frames:
    """The frames of a Part 10 file."""
    meta = read_file_meta(data)
    data_set = read_data_set(memoryview(data)[meta.data_set_offset :], meta.transfer_syntax_uid)
    image = describe_image(data_set)
    return locate_frames(data_set, image, meta.transfer_syntax_uid, data_set_offset=meta.data_set_offset)


def encapsulated(frames: int, fragments: list[bytes], offsets: list[int], extended: bytes = b"") -> bytes:
    """A data set in an encapsulated syntax whose fragments and Basic Offset Table are as given."""

    def short(tag: int, vr: bytes, value: bytes) -> bytes:
        return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value

    def item(value: bytes) -> bytes:
        return struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value

    head = short(0x00280002, b"US", b"\1\0") + short(0x00280008, b"IS", f"{frames:<4}".encode())
    head += short(0x00280010, b"US", b"\1\0") + short(0x00280011, b"US", b"\1\0") + short(0x00280100, b"US", b"\x08\0")
    if extended:
        head += struct.pack("<HH2sHI", 0x7FE0, 0x0001, b"OV", 0, len(extended)) + extended
    pixels = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
    table = struct.pack(f"<{len(offsets)}I", *offsets)
    return head + pixels + b"".join(map(item, [table, *fragments])) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def joined(data: bytes, uid: str = JPEG_BASELINE) -> list[bytes]:
    """Each located frame of a data set, joined."""
    data_set = read_data_set(data, uid)
    frames = locate_frames(data_set, describe_image(data_set), uid, data_set_offset=0)
    return [join_fragments(data[offset : offset + length]) for offset, length in frames]


A, B, C = b"\xff\xd8\xffAAAAA", b"bbbb", b"\xff\xd8\xffCCCCC"


@pytest.mark.parametrize(
    ("fragments", "offsets", "extended", "expected"),
    [
        ([A, C], [], b"", [A, C]),  # one fragment each
        ([A, B, C], [0, 28], b"", [A + B, C]),  # the Basic Offset Table
        ([A, B, C], [], struct.pack("<2Q", 0, 16), [A, B + C]),  # the Extended Offset Table
        ([A, B, C], [], b"", [A + B, C]),  # no table: a frame begins where a codestream begins
        ([A, B, C], [0, 27], b"", [A + B, C]),  # a table that points between fragments is not believed
        ([B, B, B], [], b"", [B, B + B]),  # nothing to go by: the last one takes the rest
        ([A], [], b"", [A]),  # a frame is missing
        ([], [], b"", []),
    ],
)
def test_two_frames_in_any_number_of_fragments(
    fragments: list[bytes], offsets: list[int], extended: bytes, expected: list[bytes]
) -> None:
    """Offset tables count when they point at fragments; else the fragments tell where frames begin."""
    assert joined(encapsulated(2, fragments, offsets, extended)) == expected


def test_a_single_frame_is_all_fragments() -> None:
    """However many fragments there are and whatever the table says."""
    assert joined(encapsulated(1, [A, B, C], [0, 28])) == [A + B + C]


def test_video_is_one_entry_for_all_frames() -> None:
    """The fragments of a video are one stream."""
    assert joined(encapsulated(3, [A, B, C], []), MPEG2) == [A + B + C]


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb_rle_2frame.dcm",
        "examples_ybr_color.dcm",
        "rtdose_rle.dcm",
        "JPEG2000.dcm",
        "MR_small_RLE.dcm",
    ],
)
def test_frames_are_the_ones_pydicom_finds(name: str, pydicom_file: Callable[[str], Path]) -> None:
    """Encapsulated frames of pydicom's files are byte for byte those that pydicom generates."""
    path = pydicom_file(name)
    data = path.read_bytes()
    ds = pydicom.dcmread(path)
    expected = pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames", 1)))
    assert [join_fragments(data[o : o + n]) for o, n in located(data)] == list(expected)


@pytest.mark.parametrize("name", ["CT_small.dcm", "rtdose.dcm", "MR_small_bigendian.dcm", "liver_1frame.dcm"])
def test_native_frames_are_the_pixel_data_in_order(name: str, pydicom_file: Callable[[str], Path]) -> None:
    """Native frames follow each other and together are the values of Pixel Data."""
    data = pydicom_file(name).read_bytes()
    ds = pydicom.dcmread(pydicom_file(name))
    frames = located(data)
    assert b"".join(data[o : o + n] for o, n in frames) == ds.PixelData
    assert all(first[0] + first[1] == second[0] for first, second in pairwise(frames))


def test_truncated_pixel_data_gives_what_is_there(pydicom_file: Callable[[str], Path]) -> None:
    """A frame that was cut keeps its entry, at the length it has."""
    ((_, length),) = located(pydicom_file("MR_truncated.dcm").read_bytes())
    assert 0 < length < 64 * 64 * 2


def test_frames_of_the_corpus_lie_within_their_files(corpus_files: Callable[[str], list[Path]]) -> None:
    """No offset ever leads outside the file, and no list is longer than Number of Frames."""
    for path in corpus_files("enhanced/*.dcm") + corpus_files("wsi/*.dcm") + corpus_files("syntaxes/*.dcm"):
        data = path.read_bytes()
        meta = read_file_meta(data)
        data_set = read_data_set(memoryview(data)[meta.data_set_offset :], meta.transfer_syntax_uid)
        image, size = describe_image(data_set), meta.data_set_offset + len(data_set.data)  # inflated, when deflated
        frames = located(data)
        assert all(0 < offset < offset + length <= size for offset, length in frames), path.name
        if image:
            assert 0 < len(frames) <= image.number_of_frames, path.name


def test_an_image_of_absurdly_many_frames_is_no_trap() -> None:
    """Two thousand million declared frames of one byte in a data set of eight bytes are eight frames."""
    data = encapsulated(2_000_000_000, [], []).split(b"\xe0\x7f")[0]
    data += struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 8) + bytes(8)
    data_set = read_data_set(data, EXPLICIT_LE)
    assert len(locate_frames(data_set, describe_image(data_set), EXPLICIT_LE, data_set_offset=0)) == 8


def test_frame_numbers_count_from_one_and_end() -> None:
    """A frame that is not there is NotFound; a single entry for several frames holds each of them."""
    frames = ((10, 4), (14, 4))
    assert frame_span(frames, 2, number_of_frames=2) == (14, 4)
    assert frame_span(frames[:1], 7, number_of_frames=9) == (10, 4)
    for number in (0, 3):
        with pytest.raises(NotFound):
            frame_span(frames, number, number_of_frames=2)


def test_a_segment_read_in_part_gives_what_is_there_of_the_frame() -> None:
    """The prefix of a segment joins to the prefix of the frame."""
    segment = struct.pack("<HHI", 0xFFFE, 0xE000, 8) + A
    assert join_fragments(segment[:12]) == A[:4]
    with pytest.raises(NotRenderable):
        join_fragments(b"no fragments here")


@given(st.lists(st.tuples(st.integers(0, 2**63), st.integers(0, 2**63))))
def test_frame_lists_survive_packing(frames: list[tuple[int, int]]) -> None:
    """What the index keeps is what was found."""
    assert unpack_frames(pack_frames(tuple(frames))) == tuple(frames)
