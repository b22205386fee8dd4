import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.utils import pixel_array
from pydicom.uid import RLELossless

from pacs.errors import NotAcceptable
from pacs.file_meta import file_meta, read_file_meta
from pacs.model import Source
from pacs.transcode import CONVERTIBLE, convert
from pacs.transcode.deflate import deflated
from pacs.transfer_syntaxes import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, HTJ2K_LOSSLESS_RPCL, IMPLICIT_LE

J2K, JPEG_LS, HTJ2K, JPEG = (f"1.2.840.10008.1.2.4.{number}" for number in (90, 80, 201, 50))
LOSSLESS = (HTJ2K_LOSSLESS_RPCL, HTJ2K, J2K, JPEG_LS)
NATIVE = (EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED_LE)
DECODERS: dict[str, Callable[[bytes], NDArray[Any]]] = {
    HTJ2K_LOSSLESS_RPCL: imagecodecs.htj2k_decode,
    HTJ2K: imagecodecs.htj2k_decode,
    J2K: imagecodecs.jpeg2k_decode,
    JPEG_LS: imagecodecs.jpegls_decode,
}

# Each another way in: native of each byte order and sign, colour by plane, and what is coded without loss.
SOURCES = (
    "CT_small.dcm",
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_RLE.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "image_dfl.dcm",
    "examples_palette.dcm",
    "SC_rgb_rle_16bit_2frame.dcm",
    "SC_rgb_small_odd.dcm",
)


def read(part10: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(BytesIO(part10))


def values(path: Path) -> NDArray[Any]:
    """Stored values, one axis for frames, nothing converted."""
    return decoded(path.read_bytes())


def decoded(part10: bytes) -> NDArray[Any]:
    """The same of an instance in memory; what pydicom cannot decode is decoded by the codec alone."""
    data_set = read(part10)
    uid = data_set.file_meta.TransferSyntaxUID
    shape = (int(data_set.get("NumberOfFrames", 1)), data_set.Rows, data_set.Columns, -1)
    if uid not in DECODERS:
        return pixel_array(data_set, raw=True).reshape(shape)
    frames = [DECODERS[uid](frame) for frame in generate_frames(data_set.PixelData, number_of_frames=shape[0])]
    return np.stack(frames).reshape(shape)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("uid", [*NATIVE, *LOSSLESS])
def test_every_value_stays_what_it_was(pydicom_file: Callable[[str], Path], name: str, uid: str) -> None:
    """Whatever came, whatever is asked for: the pixels are equal, judged by others (PS3.18 8.7.3)."""
    path = pydicom_file(name)
    result = convert(path.read_bytes(), uid)
    expected = values(path)
    assert read(result).file_meta.TransferSyntaxUID == uid
    # JPEG-LS knows no sign: its samples are the cells
    assert np.array_equal(decoded(result).astype(expected.dtype), expected)


@pytest.mark.parametrize("name", ["CT_small.dcm", "examples_palette.dcm", "reportsi.dcm", "nested_priv_SQ.dcm"])
@pytest.mark.parametrize("uid", NATIVE)
def test_attributes_stay_what_they_were(pydicom_file: Callable[[str], Path], name: str, uid: str) -> None:
    """Another encoding of the same data set: every value, private and nested ones too."""
    path = pydicom_file(name)
    original = pydicom.dcmread(path)
    back = read(convert(path.read_bytes(), uid))
    assert [e.tag for e in back] == [e.tag for e in original if e.tag.element]
    for element in original:
        # pydicom leaves words in the byte order of the file
        if element.VR not in {"UN", "SQ", "OW"} and element.tag.element:
            assert back[element.tag].value == element.value


def test_the_same_transfer_syntax_is_the_same_bytes(pydicom_file: Callable[[str], Path]) -> None:
    """Nothing is done where nothing has to be done."""
    part10 = pydicom_file("MR_small_jpeg_ls_lossless.dcm").read_bytes()
    assert convert(part10, JPEG_LS) == part10


def test_a_codestream_that_fits_another_name_is_only_renamed(pydicom_file: Callable[[str], Path]) -> None:
    """HTJ2K with RPCL is HTJ2K; lossless JPEG-LS is a case of near-lossless JPEG-LS."""
    ours = convert(pydicom_file("CT_small.dcm").read_bytes(), HTJ2K_LOSSLESS_RPCL)
    assert read(convert(ours, HTJ2K)).PixelData == read(ours).PixelData


def test_luminance_and_chrominance_are_not_turned_into_colours(pydicom_file: Callable[[str], Path]) -> None:
    """YBR that is coded without loss stays YBR: RGB would round."""
    cells = np.random.default_rng(1).integers(0, 256, (16, 20, 3), np.uint8)
    data_set = pydicom.dcmread(pydicom_file("examples_rgb_color.dcm"))
    data_set.Rows, data_set.Columns, data_set.PhotometricInterpretation = 16, 20, "YBR_FULL"
    data_set.PixelData = cells.tobytes()
    file = BytesIO()
    data_set.save_as(file)
    for uid in LOSSLESS:
        there = convert(file.getvalue(), uid)
        assert read(there).PhotometricInterpretation == "YBR_FULL"
        back = read(convert(there, EXPLICIT_LE))
        assert (back.PhotometricInterpretation, back.PixelData) == ("YBR_FULL", cells.tobytes())


def test_colours_are_named_as_they_are_coded(pydicom_file: Callable[[str], Path]) -> None:
    """RGB becomes YBR_RCT in JPEG 2000 and stays RGB in JPEG-LS (PS3.5 8.2.4, 8.2.3); planes become pixels."""
    part10 = pydicom_file("examples_rgb_color.dcm").read_bytes()
    for uid, photometric in ((J2K, "YBR_RCT"), (HTJ2K, "YBR_RCT"), (JPEG_LS, "RGB")):
        result = read(convert(part10, uid))
        assert (result.PhotometricInterpretation, result.PlanarConfiguration) == (photometric, 0)
        assert read(convert(convert(part10, uid), EXPLICIT_LE)).PhotometricInterpretation == "RGB"


@pytest.mark.parametrize("name", ["CT_small.dcm", "examples_rgb_color.dcm", "SC_rgb_rle_16bit_2frame.dcm"])
def test_dcmtk_reads_our_jpeg_ls(pydicom_file: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    """Another toolkit finds the same values in it."""
    path = pydicom_file(name)
    (tmp_path / "ours.dcm").write_bytes(convert(path.read_bytes(), JPEG_LS))
    subprocess.run(["dcmdjpls", tmp_path / "ours.dcm", tmp_path / "plain.dcm"], check=True, capture_output=True)
    assert np.array_equal(values(tmp_path / "plain.dcm"), values(path))


def test_frames_of_single_bits_share_bytes_again(pydicom_file: Callable[[str], Path]) -> None:
    """Deflated one by one they each began in a byte of their own (PS3.5 A.4.14); native they follow bit by bit."""
    bits = np.random.default_rng(4).integers(0, 2, (3, 5, 7), np.uint8)
    frames = [np.packbits(frame.ravel(), bitorder="little").tobytes() for frame in bits]
    data_set = pydicom.dcmread(pydicom_file("CT_small.dcm"))
    data_set.Rows, data_set.Columns, data_set.NumberOfFrames, data_set.PixelRepresentation = 5, 7, 3, 0
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = 1, 1, 0
    data_set.PixelData = encapsulate([deflated(frame) for frame in frames])
    data_set["PixelData"].is_undefined_length = True
    data_set.file_meta.TransferSyntaxUID = RLELossless  # pydicom does not write the other yet
    file = BytesIO()
    data_set.save_as(file)
    start = read_file_meta(file.getvalue()).data_set_offset
    meta = file_meta(data_set.SOPClassUID, data_set.SOPInstanceUID, "1.2.840.10008.1.2.8.1", Source())
    assert np.array_equal(read(convert(meta + file.getvalue()[start:], EXPLICIT_LE)).pixel_array, bits)


def test_lossy_compression_makes_another_instance(pydicom_file: Callable[[str], Path]) -> None:
    """PS3.3 C.7.6.1.1.5: DERIVED, a new SOP Instance UID, its source named, ratio and method said; the same twice."""
    part10 = pydicom_file("examples_rgb_color.dcm").read_bytes()
    original, result = read(part10), read(convert(part10, JPEG))
    assert result.SOPInstanceUID == result.file_meta.MediaStorageSOPInstanceUID != original.SOPInstanceUID
    assert result.SourceImageSequence[0].ReferencedSOPInstanceUID == original.SOPInstanceUID
    assert result.ImageType[0] == "DERIVED"
    assert (result.LossyImageCompression, result.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert float(result.LossyImageCompressionRatio) > 2
    assert (result.PhotometricInterpretation, result.PlanarConfiguration) == ("YBR_FULL_422", 0)
    difference = np.abs(pixel_array(result).astype(int) - original.pixel_array.astype(int))
    assert difference.mean() < 6
    assert convert(part10, JPEG) == convert(part10, JPEG)


def test_what_was_lossy_stays_lossy(pydicom_file: Callable[[str], Path]) -> None:
    """Uncompressed again, it still says that pixels were lost (PS3.3 C.7.6.1.1.5)."""
    result = read(convert(pydicom_file("SC_rgb_jpeg_dcmtk.dcm").read_bytes(), EXPLICIT_LE))
    assert (result.LossyImageCompression, result.PhotometricInterpretation) == ("01", "RGB")


@pytest.mark.parametrize(
    ("name", "uid"),
    [
        ("CT_small.dcm", "1.2.3"),
        ("CT_small.dcm", "1.2.840.10008.1.2.4.102"),  # video
        ("CT_small.dcm", JPEG),  # 16 bits
        ("reportsi.dcm", J2K),  # no image
        ("rtdose.dcm", JPEG_LS),  # 32 bits
        ("MR_truncated.dcm", J2K),
        ("SC_ybr_full_422_uncompressed.dcm", J2K),
    ],
)
def test_what_cannot_be_converted_exactly_is_refused(pydicom_file: Callable[[str], Path], name: str, uid: str) -> None:
    """Never nearly: the caller says that it is not acceptable."""
    with pytest.raises(NotAcceptable):
        convert(pydicom_file(name).read_bytes(), uid)


def test_the_list_of_what_can_be_made_is_short_and_known() -> None:
    """PS3.5 Annex A by hand: native four, HTJ2K three, JPEG 2000 two, JPEG-LS two, JPEG Baseline."""
    numbers = {uid.removeprefix("1.2.840.10008.1.2") for uid in CONVERTIBLE}
    assert numbers == {
        "", ".1", ".1.99", ".2", ".4.50", ".4.80", ".4.81", ".4.90", ".4.91", ".4.201", ".4.202", ".4.203",
    }  # fmt: skip
