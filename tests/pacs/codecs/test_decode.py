import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.pixels.utils import pixel_array

from pacs.codecs import decode_frame, encode_htj2k
from pacs.codecs.colour import to_rgb
from pacs.codecs.jpeg import JpegHeader, is_ybr
from pacs.errors import NotRenderable
from pacs.model import ImageDescription
from pacs.transfer_syntaxes import EXPLICIT_LE, HTJ2K_LOSSLESS_RPCL

RLE = "1.2.840.10008.1.2.5"
IMAGE = ImageDescription(2, 2, 1, "MONOCHROME2", 8, 8, 7, 0, 0, 1)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("CT_small.dcm", 1),
        ("MR_small.dcm", 1),
        ("MR_small_expb.dcm", 1),
        ("MR_small_implicit.dcm", 1),
        ("MR_small_RLE.dcm", 1),
        ("SC_rgb_small_odd.dcm", 1),
        ("ExplVR_BigEnd.dcm", 1),
        ("SC_rgb_rle_16bit_2frame.dcm", 2),
        ("SC_rgb_rle_2frame.dcm", 2),
        ("rtdose.dcm", 15),
        ("rtdose_rle.dcm", 3),
        ("liver_1frame.dcm", 1),
        ("SC_rgb_dcmtk_+eb+cr.dcm", 1),
        ("SC_rgb_dcmtk_+eb+cy+np.dcm", 1),
        ("SC_rgb_dcmtk_+eb+cy+n2.dcm", 1),
        ("SC_rgb_jpeg_dcmtk.dcm", 1),
        ("SC_rgb_jpeg_lossy_gdcm.dcm", 1),
        ("SC_rgb_small_odd_jpeg.dcm", 1),
        ("examples_ybr_color.dcm", 30),
        ("examples_palette.dcm", 1),
    ],
)
def test_frames_equal_what_pydicom_decodes(
    name: str, number: int, pydicom_file: Callable[[str], Path], framed: Callable[..., Any]
) -> None:
    """Native, RLE and JPEG frames give the values that pydicom gives, colours as RGB, to the last bit."""
    path = pydicom_file(name)
    found = framed(path, number)
    values = decode_frame(found.frame, found.image, found.transfer_syntax_uid, index=found.index)
    assert np.array_equal(values, pixel_array(pydicom.dcmread(path), index=number - 1))


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("J2K_pixelrep_mismatch.dcm", None),
        ("MR_small_jp2klossless.dcm", "MR_small.dcm"),
        ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
        ("SC_rgb_gdcm_KY.dcm", None),
        ("SC_rgb_jpeg_gdcm.dcm", None),
        ("JPGExtended.dcm", None),
    ],
)
def test_compressed_frames_decode_like_their_native_twin(
    name: str, twin: str | None, pydicom_file: Callable[[str], Path], framed: Callable[..., Any]
) -> None:
    """JPEG 2000, HTJ2K, JPEG-LS, lossless and 12-bit JPEG decode to the declared size and sign; twins are equal."""
    found = framed(pydicom_file(name))
    values = decode_frame(found.frame, found.image, found.transfer_syntax_uid)
    image = found.image
    assert values.shape[:2] == (image.rows, image.columns)
    assert values.dtype.kind == ("i" if image.pixel_representation else "u")
    assert values.std() > 1
    if twin:
        other = framed(pydicom_file(twin))
        assert np.array_equal(values, decode_frame(other.frame, other.image, other.transfer_syntax_uid))


def test_every_frame_of_the_corpus_decodes_or_says_why(
    corpus_files: Callable[[str], list[Path]], framed: Callable[..., Any]
) -> None:
    """First frames of all syntaxes in the corpus decode, but for video and deflated data sets."""
    refused = set()
    for path in corpus_files("syntaxes/*.dcm") + corpus_files("us/*.dcm") + corpus_files("enhanced/emr*.dcm"):
        if path.stem == "deflated":
            continue
        found = framed(path)
        try:
            decode_frame(found.frame, found.image, found.transfer_syntax_uid)
        except NotRenderable:
            refused.add(path.stem)
    assert refused <= {"made-video-h264-us", "made-video-mpeg2-mpml"}


def test_single_bits_that_share_bytes_are_found_by_index() -> None:
    """Frames of 2 × 3 single bits follow each other without padding (PS3.5 8.1.1)."""
    image = replace(IMAGE, columns=3, bits_allocated=1, bits_stored=1, high_bit=0, number_of_frames=2)
    packed = np.packbits([1, 0, 0, 0, 1, 1, 0, 1, 1, 1, 0, 0], bitorder="little").tobytes()
    assert decode_frame(packed, image, EXPLICIT_LE, index=0).tolist() == [[1, 0, 0], [0, 1, 1]]
    assert decode_frame(packed, image, EXPLICIT_LE, index=1).tolist() == [[0, 1, 1], [1, 0, 0]]


def test_reduced_frames_have_the_size_rounded_up_whatever_the_codec() -> None:
    """A native 5 × 7 frame and its HTJ2K form reduce to 3 × 4, and to 1 × 1 beyond the last decomposition."""
    image = replace(IMAGE, rows=5, columns=7)
    cells = np.arange(35, dtype=np.uint8).reshape(5, 7)
    codestream = encode_htj2k(cells, precision=8, rgb=False)
    for frame, uid in ((cells.tobytes(), EXPLICIT_LE), (codestream, HTJ2K_LOSSLESS_RPCL)):
        assert decode_frame(frame, image, uid, reduce=1).shape == (3, 4)
        assert decode_frame(frame, image, uid, reduce=8).shape == (1, 1)


def test_palette_indices_are_picked_not_averaged() -> None:
    """The mean of palette entries 0 and 200 is another colour; a reduced frame keeps real indices."""
    image = replace(IMAGE, photometric_interpretation="PALETTE COLOR")
    assert decode_frame(bytes([0, 200, 200, 200]), image, EXPLICIT_LE, reduce=1).tolist() == [[0]]


@pytest.mark.parametrize(
    ("frame", "image", "uid"),
    [
        (b"", IMAGE, EXPLICIT_LE),
        (b"abc", IMAGE, EXPLICIT_LE),
        (b"abcd", replace(IMAGE, rows=65535, columns=65535), EXPLICIT_LE),
        (b"abcd", replace(IMAGE, rows=0), EXPLICIT_LE),
        (b"abcd", IMAGE, "1.2.3"),
        (b"abcd", IMAGE, "1.2.840.10008.1.2.4.102"),
        (b"\xff\xd8\xff", IMAGE, "1.2.840.10008.1.2.4.50"),
        (b"\xff\xd8\xff\xc0\x00\x0b\x08\xff\xff\xff\xff\x03" + bytes(20), IMAGE, "1.2.840.10008.1.2.4.50"),
        (b"garbage", IMAGE, "1.2.840.10008.1.2.4.80"),
        (b"garbage", IMAGE, "1.2.840.10008.1.2.4.90"),
        (b"garbage", IMAGE, "1.2.840.10008.1.2.4.110"),
        (b"garbage", IMAGE, HTJ2K_LOSSLESS_RPCL),
        (struct.pack("<16I", 3, *range(64, 79)), IMAGE, RLE),
        (struct.pack("<16I", 1, 64, *[0] * 14) + b"\x00", IMAGE, RLE),
    ],
)
def test_what_cannot_be_decoded_is_not_renderable(frame: bytes, image: ImageDescription, uid: str) -> None:
    """Short, huge, empty, foreign and damaged frames raise NotRenderable and nothing else."""
    with pytest.raises(NotRenderable):
        decode_frame(frame, image, uid)


def test_a_frame_of_another_size_than_declared_is_refused() -> None:
    """A codestream of 4 × 4 in an image of 2 × 2 would shift every annotation."""
    codestream = encode_htj2k(np.zeros((4, 4), np.uint8), precision=8, rgb=False)
    with pytest.raises(NotRenderable):
        decode_frame(codestream, IMAGE, HTJ2K_LOSSLESS_RPCL)


@pytest.mark.parametrize(
    ("header", "photometric", "expected"),
    [
        (JpegHeader(0xC0, 8, 1, 1, b"\1\2\3", False, True, 0), "YBR_FULL_422", False),  # Adobe says RGB
        (JpegHeader(0xC0, 8, 1, 1, b"\1\2\3", False, False, 1), "RGB", True),  # Adobe says YCC
        (JpegHeader(0xC0, 8, 1, 1, b"\1\2\3", True, False, None), "RGB", True),  # nobody subsamples green
        (JpegHeader(0xC0, 8, 1, 1, b"\1\2\3", False, True, None), "RGB", True),  # JFIF is YCC by definition
        (JpegHeader(0xC0, 8, 1, 1, b"RGB", False, False, None), "YBR_FULL", False),
        (JpegHeader(0xC0, 8, 1, 1, b"\0\1\2", False, False, None), "RGB", False),
        (JpegHeader(0xC0, 8, 1, 1, b"\1\2\3", False, False, None), "YBR_FULL", True),
        (JpegHeader(0xC3, 8, 1, 1, b"\1\2\3", False, True, None), "RGB", False),
    ],
)
def test_evidence_of_colour_in_jpeg(header: JpegHeader, photometric: str, *, expected: bool) -> None:
    """Adobe's marker, sampling, JFIF, component names and Photometric Interpretation count in this order."""
    assert is_ybr(header, photometric) is expected


@pytest.mark.parametrize(
    ("ybr", "rgb"), [((0, 128, 128), (0, 0, 0)), ((255, 128, 128), (255, 255, 255)), ((76, 85, 255), (254, 0, 0))]
)
def test_ybr_full_by_the_equations_of_the_standard(ybr: tuple[int, ...], rgb: tuple[int, ...]) -> None:
    """PS3.3 C.7.6.3.1.2, for black, white and red."""
    assert to_rgb(np.array([[ybr]], np.uint8), "YBR_FULL", 8).tolist() == [[list(rgb)]]
