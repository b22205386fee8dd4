import hashlib
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import UID

from pacs.codecs import decode_frame
from pacs.codecs.codestream import read_header
from pacs.dataset import describe_image, read_data_set
from pacs.errors import ArchiveError, Damaged
from pacs.file_meta import read_file_meta
from pacs.frames import join_fragments, locate_frames
from pacs.model import Compressed, Identity, Source
from pacs.transcode import compress, restore
from pacs.transfer_syntaxes import EXPLICIT_BE, EXPLICIT_LE, HTJ2K_LOSSLESS_RPCL, IMPLICIT_LE

IDENTITY = Identity("1.2.840.10008.5.1.4.1.1.7", "1.2.3", "1.2.4", "1.2.5")
Encoded = Callable[[pydicom.Dataset, str], bytes]


@dataclass(frozen=True)
class Tried:
    """A received data set and what was stored for it."""

    received: bytes
    uid: str
    stored: Compressed

    @property
    def exact(self) -> bool:
        """Whether the received bytes come back."""
        again = restore(self.stored.part10, self.stored.envelope, self.stored.before, self.uid)
        return hashlib.sha256(again).digest() == hashlib.sha256(self.received).digest()


def tried(received: bytes, uid: str) -> Tried:
    return Tried(received, uid, compress(received, uid, IDENTITY, Source()))


def tried_file(path: Path) -> Tried:
    data = path.read_bytes()
    meta = read_file_meta(data)
    return tried(data[meta.data_set_offset :], meta.transfer_syntax_uid)


def image(cells: np.ndarray[tuple[int, ...], np.dtype[np.unsignedinteger]], **attributes: object) -> pydicom.Dataset:
    """A minimal image of these cells."""
    ds = pydicom.Dataset()
    ds.SOPClassUID = IDENTITY.sop_class_uid
    ds.SamplesPerPixel = 3 if cells.ndim == 3 else 1
    ds.PhotometricInterpretation = "RGB" if cells.ndim == 3 else "MONOCHROME2"
    if cells.ndim == 3:
        ds.PlanarConfiguration = 0
    ds.Rows, ds.Columns = cells.shape[:2]
    ds.BitsAllocated = ds.BitsStored = 8 * cells.dtype.itemsize
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = 0
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    raw = cells.tobytes()
    ds.add_new(0x7FE00010, "OB" if ds.BitsAllocated == 8 else "OW", raw + b"\0" * (len(raw) % 2))
    return ds


@pytest.mark.parametrize(
    ("name", "envelope"),
    [
        ("CT_small.dcm", False),
        ("MR_small.dcm", False),
        ("MR_small_implicit.dcm", True),
        ("MR_small_expb.dcm", True),
        ("MR_small_padded.dcm", True),
        ("ExplVR_BigEnd.dcm", True),
        ("SC_rgb_small_odd_big_endian.dcm", True),
        ("SC_rgb_small_odd.dcm", True),
        ("examples_rgb_color.dcm", False),
    ],
)
def test_native_images_are_compressed_and_come_back(
    *, name: str, envelope: bool, pydicom_file: Callable[[str], Path]
) -> None:
    """HTJ2K is stored, the received bytes come back, and an envelope is kept only where it is needed."""
    result = tried_file(pydicom_file(name))
    assert (result.stored.verdict, result.stored.reason) == ("htj2k", "")
    assert read_file_meta(result.stored.part10).transfer_syntax_uid == HTJ2K_LOSSLESS_RPCL
    assert (result.stored.envelope is not None) is envelope
    assert result.exact


def everything(roots: list[Path]) -> Iterator[tuple[Path, Tried]]:
    for path in roots:
        try:
            yield path, tried_file(path)
        except ArchiveError:
            continue  # not DICOM at all


def test_everything_that_can_be_read_comes_back(
    pydicom_file: Callable[[str], Path], corpus_files: Callable[[str], list[Path]]
) -> None:
    """All files of pydicom and of the corpus: restored byte for byte, none raises, every reason is one of the table."""
    own = sorted(p for p in pydicom_file("CT_small.dcm").parent.rglob("*.dcm"))
    count = Counter[str]()
    for path, result in everything(own + corpus_files("**/*.dcm")):
        assert result.exact, path
        count[result.stored.reason or "htj2k"] += 1
    assert count["htj2k"] >= 20
    assert set(count) <= {
        "htj2k", "already compressed", "no image", "floating-point pixels", "single-bit pixels", "32-bit pixels",
        "palette colour", "native YBR", "pixel data ends early", "deflated data set", "unusual pixel format",
        "Unreadable",
    }  # fmt: skip


def test_every_plain_image_of_the_corpus_is_compressed(corpus_files: Callable[[str], list[Path]]) -> None:
    """Native 8 and 16-bit monochrome and RGB images are all stored compressed, but for a deflated data set."""
    plain = {"MONOCHROME1", "MONOCHROME2", "RGB"}
    kept = set()
    for _, result in everything([path for path in corpus_files("**/*.dcm") if path.parts[-2] != "malformed"]):
        described = describe_image(read_data_set(result.received, result.uid))
        if described and described.photometric_interpretation in plain and described.bits_allocated in {8, 16}:
            kept.add(result.stored.reason)
    assert kept <= {"", "already compressed", "deflated data set"}


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    rgb=st.booleans(),
    wide=st.booleans(),
    uid=st.sampled_from([EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE]),
    planar=st.booleans(),
    unused=st.integers(0, 4),
    signed=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_cells_in_any_native_syntax_come_back(
    *, encoded: Encoded, shape: tuple[int, int], rgb: bool, wide: bool, uid: str, planar: bool, unused: int,
    signed: bool, seed: int,
) -> None:  # fmt: skip
    """Whatever the cells hold, in and above Bits Stored, is compressed and comes back."""
    cells = np.random.default_rng(seed).integers(0, 65536 if wide else 256, (*shape, 3) if rgb else shape)
    ds = image(cells.astype(("<u2" if uid != EXPLICIT_BE else ">u2") if wide else "u1"))
    ds.BitsStored -= unused
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(signed and not rgb)
    if rgb:
        ds.PlanarConfiguration = int(planar)
    result = tried(encoded(ds, uid), uid)
    assert result.stored.verdict == "htj2k", result.stored.reason
    assert result.exact


def test_several_frames_fill_the_basic_offset_table(encoded: Encoded) -> None:
    """One fragment for each frame, of even length, each at the offset that the table says."""
    cells = np.arange(5 * 7 * 9, dtype="<u2").reshape(5 * 7, 9)
    ds = image(cells, Rows=7, NumberOfFrames=5)
    part10 = tried(encoded(ds, EXPLICIT_LE), EXPLICIT_LE).stored.part10
    stored = pydicom.dcmread(BytesIO(part10))
    table = struct.unpack_from("<HHI5I", stored.PixelData)
    assert table[:3] == (0xFFFE, 0xE000, 20)
    starts = [28 + offset for offset in table[3:]]
    for number, start in enumerate(starts):
        group, element, length = struct.unpack_from("<HHI", stored.PixelData, start)
        assert (group, element, length % 2) == (0xFFFE, 0xE000, 0)
        values = join_fragments(stored.PixelData[start : start + 8 + length])
        described = describe_image(read_data_set(part10[read_file_meta(part10).data_set_offset :], HTJ2K_LOSSLESS_RPCL))
        assert described is not None
        assert np.array_equal(decode_frame(values, described, HTJ2K_LOSSLESS_RPCL), cells[number * 7 : number * 7 + 7])


def test_the_stored_codestream_is_what_the_transfer_syntax_demands(pydicom_file: Callable[[str], Path]) -> None:
    """PS3.5 10.18: resolutions first, TLM for all tile-parts, smallest level at most 64; precision is Bits Stored."""
    part10 = tried_file(pydicom_file("examples_rgb_color.dcm")).stored.part10
    offset = read_file_meta(part10).data_set_offset
    data_set = read_data_set(part10[offset:], HTJ2K_LOSSLESS_RPCL)
    described = describe_image(data_set)
    assert described is not None
    assert (described.photometric_interpretation, described.planar_configuration) == ("YBR_RCT", 0)
    (span,) = locate_frames(data_set, described, HTJ2K_LOSSLESS_RPCL, data_set_offset=offset)
    header = read_header(join_fragments(part10[span[0] : sum(span)]))
    assert header.resolution_first
    assert len(header.tile_parts) == header.decompositions + 1
    assert min(header.rows, header.columns) >> header.decompositions <= 64
    assert header.precision == described.bits_stored


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"BitsStored": 12, "HighBit": 15}, "values not in the low bits of their cells"),
        ({"Rows": 99}, "pixel data ends early"),
        ({"NumberOfFrames": 2}, "pixel data ends early"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "palette colour"),
        ({"PhotometricInterpretation": "HSV"}, "unusual pixel format"),
        ({"SamplesPerPixel": 2}, "unusual pixel format"),
    ],
)
def test_odd_images_are_kept_with_their_reason(attributes: dict[str, object], reason: str, encoded: Encoded) -> None:
    """What the table does not allow is stored as it was received."""
    result = tried(encoded(image(np.zeros((8, 8), "<u2"), **attributes), EXPLICIT_LE), EXPLICIT_LE)
    assert (result.stored.verdict, result.stored.reason) == ("as received", reason)
    assert result.stored.part10.endswith(result.received)
    assert result.exact


def test_an_overlay_in_the_cells_stays_where_viewers_look_for_it(encoded: Encoded) -> None:
    """Overlay Bit Position above 0 means bits of native Pixel Data; a codestream of values would hide them."""
    ds = image(np.full((8, 8), 0x1FFF, "<u2"), BitsStored=12, HighBit=11)
    ds.add_new(0x60000100, "US", 16)
    ds.add_new(0x60000102, "US", 12)
    result = tried(encoded(ds, EXPLICIT_LE), EXPLICIT_LE)
    assert result.stored.reason == "overlay in the pixel cells"
    assert result.exact


def test_whatever_stands_behind_pixel_data_comes_back(encoded: Encoded) -> None:
    """Trailing padding, a half element and bytes of no meaning are restored too."""
    received = encoded(image(np.zeros((8, 8), "<u2")), EXPLICIT_LE)
    for tail in (b"\xfc\xff\xfc\xffOB\0\0\2\0\0\0\0\0", b"\xfc\xff", b"\0" * 9, b"garbage behind it"):
        assert tried(received + tail, EXPLICIT_LE).exact


def test_group_lengths_are_dropped_from_what_is_stored_and_restored(encoded: Encoded) -> None:
    """(7FE0,0000) and, for colour, (0028,0000) would be wrong in the stored data set."""
    received = encoded(image(np.zeros((8, 8, 3), "u1")), EXPLICIT_LE)
    at = received.index(b"\x28\0\2\0")
    received = received[:at] + b"\x28\0\0\0UL\4\0\x4a\0\0\0" + received[at:]
    result = tried(received, EXPLICIT_LE)
    assert result.stored.verdict == "htj2k"
    assert 0x00280000 not in pydicom.dcmread(BytesIO(result.stored.part10))
    assert result.exact


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_data_sets_never_raise_and_always_come_back(
    data: st.DataObject, pydicom_file: Callable[[str], Path]
) -> None:
    """Random bytes of a real image are changed or cut off: whatever comes of it is restored exactly."""
    name = data.draw(
        st.sampled_from(["CT_small.dcm", "MR_small_implicit.dcm", "MR_small_expb.dcm", "SC_rgb_small_odd.dcm"])
    )
    whole = pydicom_file(name).read_bytes()
    meta = read_file_meta(whole)
    received = bytearray(whole[meta.data_set_offset :])
    for _ in range(data.draw(st.integers(1, 6))):
        received[data.draw(st.integers(0, len(received) - 1))] = data.draw(st.integers(0, 255))
    received = received[: data.draw(st.integers(0, len(received)))] if data.draw(st.booleans()) else received
    assert tried(bytes(received), meta.transfer_syntax_uid).exact


def test_pixels_that_are_gone_are_damage() -> None:
    """Restoring from a stored instance without pixels raises Damaged."""
    stored = tried(b"\x08\0\x16\0UI\4\x001.2\0", EXPLICIT_LE).stored.part10
    part10 = stored.replace(EXPLICIT_LE.encode() + b"\0", HTJ2K_LOSSLESS_RPCL.encode()[:19] + b"\0")
    with pytest.raises(Damaged):
        restore(part10, None, -1, "1.2.3")


def test_stored_instances_of_any_syntax_are_read_by_pydicom(pydicom_file: Callable[[str], Path]) -> None:
    """Implicit VR and Big Endian data sets become Explicit VR Little Endian with equal values."""
    for name in ("MR_small_implicit.dcm", "MR_small_expb.dcm", "ExplVR_BigEnd.dcm"):
        received = pydicom.dcmread(pydicom_file(name))
        stored = pydicom.dcmread(BytesIO(tried_file(pydicom_file(name)).stored.part10))
        assert UID(stored.file_meta.TransferSyntaxUID) == HTJ2K_LOSSLESS_RPCL
        changed = {0x7FE00010, 0x00280004, 0x00280006}
        for element in received:
            if element.tag.element and element.tag not in changed:
                assert stored[element.tag].value == element.value, element.tag
