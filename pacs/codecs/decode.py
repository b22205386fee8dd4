"""One frame, whatever its transfer syntax, to stored values: the table of decoders.

Law: the answer has one shape for all codecs: (rows, columns) of real stored values, signed when Pixel Representation
says so, or (rows, columns, 3) of RGB. A frame that would not fit the bound is refused before a decoder sees it, and
whatever a decoder raises about a damaged frame leaves as NotRenderable.
"""

import zlib
from collections.abc import Callable, Mapping
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from pacs.codecs.cells import masked, sign_extended, stored_values
from pacs.codecs.codestream import CodestreamHeader, codestream_start, has_all_tiles, read_header
from pacs.codecs.colour import to_rgb
from pacs.codecs.htj2k import decode_htj2k, prefix_length
from pacs.codecs.jpeg import JpegHeader, decode_jpeg, read_jpeg_header
from pacs.codecs.native import decode_native, frame_bits
from pacs.codecs.rle import decode_rle
from pacs.errors import NotRenderable, Unreadable
from pacs.model import ImageDescription
from pacs.transfer_syntaxes import transfer_syntax

Array = NDArray[Any]
MAX_SAMPLES = 1 << 28
"""No frame of more samples is decoded: 268 million, four times the largest mammogram or slide tile known."""

_MOST_TILES = 4096
_DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"


def _jpeg(frame: bytes, image: ImageDescription) -> Array:
    _agree(read_jpeg_header(frame), image)
    return _signed(decode_jpeg(frame, image.photometric_interpretation), image)


def _jpeg_ls(frame: bytes, image: ImageDescription) -> Array:
    _agree(read_jpeg_header(frame), image)
    colour = np.asarray(imagecodecs.jpegls_decode(frame))
    return _signed(to_rgb(colour, image.photometric_interpretation, image.bits_stored), image)


def _jpeg_xl(frame: bytes, image: ImageDescription) -> Array:
    return _signed(np.asarray(imagecodecs.jpegxl_decode(frame)), image)


def _rle(frame: bytes, image: ImageDescription) -> Array:
    values = stored_values(decode_rle(frame, image), image)
    return to_rgb(values, image.photometric_interpretation, image.bits_stored)


def _deflated(frame: bytes, image: ImageDescription) -> Array:
    expected = -(-frame_bits(image) // 8)
    inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(frame, expected)
    return decode_native(inflated, image, little_endian=True)


def _jpeg_2000(frame: bytes, image: ImageDescription) -> Array:
    return _wavelet(frame, image, lambda codestream: np.asarray(imagecodecs.jpeg2k_decode(codestream)))


def _wavelet(frame: bytes, image: ImageDescription, decoder: Callable[[bytes], Array]) -> Array:
    header = read_header(frame)
    if header.components != image.samples_per_pixel or header.precision > 16:
        raise NotRenderable(f"{header.components} components of {header.precision} bits")
    _agree(header, image)
    if header.tiles > _MOST_TILES or not has_all_tiles(frame, header):
        raise NotRenderable("tiles are missing")
    samples = decoder(frame[codestream_start(frame) :])
    if header.components == 1:
        return _signed(samples, image)
    if header.colour_transform:
        return samples  # RGB, whatever the data set calls it: converting again would be a second time
    return to_rgb(samples, image.photometric_interpretation, image.bits_stored)


# Frames by media type of their transfer syntax (PS3.18 Table 8.7.3-5); video is absent on purpose.
_DECODERS: Mapping[str, Callable[[bytes, ImageDescription], Array]] = {
    "image/dicom-rle": _rle,
    "image/jp2": _jpeg_2000,
    "image/jpeg": _jpeg,
    "image/jpx": _jpeg_2000,
    "image/jls": _jpeg_ls,
    "image/jxl": _jpeg_xl,
}


def decode_frame(
    frame: bytes, image: ImageDescription, transfer_syntax_uid: str, *, reduce: int = 0, index: int = 0
) -> Array:
    """Stored values of one frame (fragments joined, see `pacs.frames`) at 1/2**reduce of the size, rounded up.

    HTJ2K reads only the resolutions it needs, so that a prefix of the frame is enough; other frames are decoded whole
    and reduced. `index`, counted from 0, matters only to native frames that share bytes. Raises NotRenderable.
    """
    _bound(image.rows, image.columns, image.samples_per_pixel)
    try:
        values = _decode(frame, image, transfer_syntax_uid, reduce, index)
    except NotRenderable:
        raise
    except (RuntimeError, ValueError, IndexError, TypeError, OverflowError, zlib.error) as error:
        raise NotRenderable(f"damaged frame: {type(error).__name__}") from error  # the decoder's words may quote data
    expected = tuple(-(-size >> reduce) for size in (image.rows, image.columns))
    if values.shape[:2] != expected or values.ndim != (3 if image.samples_per_pixel > 1 else 2):
        raise NotRenderable(f"the frame decodes to {values.shape}, not {expected}")
    return values


def _decode(frame: bytes, image: ImageDescription, transfer_syntax_uid: str, reduce: int, index: int) -> Array:
    try:
        syntax = transfer_syntax(transfer_syntax_uid)
    except Unreadable as error:
        raise NotRenderable(f"transfer syntax {transfer_syntax_uid}") from error
    if syntax.media_type == "image/jphc":
        return _high_throughput(frame, image, reduce)
    if not syntax.encapsulated:
        values = decode_native(frame, image, little_endian=syntax.little_endian, index=index)
    elif transfer_syntax_uid == _DEFLATED_FRAMES:
        values = _deflated(frame, image)
    elif decoder := _DECODERS.get(syntax.media_type):
        values = decoder(frame, image)
    else:
        raise NotRenderable(f"{syntax.name} has no still frames")
    return _reduced(values, reduce, image) if reduce else values


def _high_throughput(frame: bytes, image: ImageDescription, reduce: int) -> Array:
    there = min(reduce, read_header(frame).decompositions)
    if (prefix_length(frame, there) or 0) > len(frame):
        raise NotRenderable("the frame ends early")  # the decoder would fill the rest with invented pixels
    values = _wavelet(frame, image, lambda codestream: decode_htj2k(codestream, reduce=there))
    return _reduced(values, reduce - there, image) if reduce > there else values


def _signed(samples: Array, image: ImageDescription) -> Array:
    """Samples with the sign that Pixel Representation gives them, whichever the codec believes in."""
    bits = min(image.bits_stored, samples.dtype.itemsize * 8)
    if image.pixel_representation and samples.dtype.kind == "u":
        return sign_extended(samples, bits)
    if not image.pixel_representation and samples.dtype.kind == "i":
        return masked(samples.view(samples.dtype.str.replace("i", "u")), bits)
    return samples


def _reduced(values: Array, reduce: int, image: ImageDescription) -> Array:
    """Means of blocks of 2**reduce; palette indices and single bits are picked instead, for they have no mean."""
    step = 1 << reduce
    if image.photometric_interpretation == "PALETTE COLOR" or image.bits_allocated == 1:
        return np.ascontiguousarray(values[::step, ::step])
    rows, columns = values.shape[:2]
    padding = ((0, -rows % step), (0, -columns % step)) + ((0, 0),) * (values.ndim - 2)
    padded = np.pad(values, padding, mode="edge")
    blocks = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step, *values.shape[2:])
    means = blocks.mean(axis=(1, 3), dtype=np.float32 if values.dtype.itemsize <= 2 else np.float64)
    return np.asarray(np.rint(means).astype(values.dtype) if values.dtype.kind in "iu" else means)


def _agree(header: CodestreamHeader | JpegHeader, image: ImageDescription) -> None:
    """Raise NotRenderable when the codestream has another size than the data set says, before it is allocated."""
    if (header.rows, header.columns) != (image.rows, image.columns):
        raise NotRenderable(f"a codestream of {header.rows} × {header.columns}, not {image.rows} × {image.columns}")


def _bound(rows: int, columns: int, samples: int) -> None:
    if not 0 < rows * columns * samples <= MAX_SAMPLES:
        raise NotRenderable(f"{rows} × {columns} × {samples} samples")
