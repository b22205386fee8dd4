"""The transfer syntaxes that images can be put into on their way out: one row each (PS3.5 8.2, Annex A.4).

Law: a lossless codestream is decoded and compared before it is handed on; the caller never sees one that differs.
Lossy compression is one row, 8 bits, and only for those who ask for it by name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from pacs.codecs.colour import to_rgb
from pacs.codecs.htj2k import decode_proof, encode_htj2k
from pacs.errors import NotAcceptable
from pacs.transfer_syntaxes import HTJ2K_LOSSLESS_RPCL

Samples = NDArray[Any]

_GREY = {"MONOCHROME1": "MONOCHROME1", "MONOCHROME2": "MONOCHROME2"}
_ONE_SAMPLE = _GREY | {"PALETTE COLOR": "PALETTE COLOR"}
_REVERSIBLE = _ONE_SAMPLE | {"RGB": "YBR_RCT", "YBR_FULL": "YBR_FULL"}
_UNTOUCHED = _ONE_SAMPLE | {"RGB": "RGB", "YBR_FULL": "YBR_FULL"}
_SUBSAMPLED = _GREY | {"RGB": "YBR_FULL_422", "YBR_FULL": "YBR_FULL_422"}

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Encoder:
    """How frames get into a transfer syntax.

    ``colours`` maps the Photometric Interpretation of the samples to that of the codestream. ``method`` is the defined
    term of Lossy Image Compression Method (PS3.3 C.7.6.1.1.5.1), "" for lossless.
    """

    encode: Callable[[Samples, int, str], bytes]  # samples, Bits Stored, their Photometric Interpretation
    decode: Callable[[bytes], Samples]
    colours: Mapping[str, str]
    most_bits: int = 16
    method: str = ""

    def encoded(self, samples: Samples, bits_stored: int, photometric: str) -> bytes:
        """One codestream; raises NotAcceptable when it does not decode to these samples again."""
        codestream = self.encode(samples, bits_stored, photometric)
        if not self.method and not np.array_equal(self.decode(codestream).astype(samples.dtype), samples):
            raise NotAcceptable("the compressed image would differ")
        return codestream


def _htj2k(samples: Samples, bits_stored: int, photometric: str) -> bytes:
    return encode_htj2k(samples, precision=bits_stored, rgb=photometric == "RGB")


def _jpeg_2000(samples: Samples, bits_stored: int, photometric: str) -> bytes:
    transform = photometric == "RGB"
    contiguous = np.ascontiguousarray(samples)
    return bytes(
        imagecodecs.jpeg2k_encode(
            contiguous, level=0, codecformat="j2k", reversible=True, mct=transform, bitspersample=bits_stored
        )
    )


def _jpeg_ls(samples: Samples, _bits_stored: int, _photometric: str) -> bytes:
    """At the precision of the cell, so that signed values, which JPEG-LS does not know, keep their sign bits."""
    cells = np.ascontiguousarray(samples).view(f"u{samples.dtype.itemsize}")
    room = 2 * cells.nbytes + 4096  # noise grows; the codec does not enlarge its buffer
    stream = bytes(imagecodecs.jpegls_encode(cells, out=room))
    # without the SPIFF segments that the codec puts in front: DICOM wants the interchange format alone (PS3.5 A.4.3)
    return b"\xff\xd8" + stream[stream.index(b"\xff\xf7") :]


def _decode_jpeg_ls(codestream: bytes) -> Samples:
    return np.asarray(imagecodecs.jpegls_decode(codestream))


def _jpeg_baseline(samples: Samples, bits_stored: int, photometric: str) -> bytes:
    if samples.ndim == 2:
        return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(samples), level=_QUALITY))
    rgb = np.ascontiguousarray(to_rgb(samples, photometric, bits_stored))
    return bytes(
        imagecodecs.jpeg8_encode(rgb, level=_QUALITY, colorspace="RGB", outcolorspace="YCBCR", subsampling="422")
    )


_HTJ2K = Encoder(_htj2k, decode_proof, _REVERSIBLE)
_JPEG_2000 = Encoder(_jpeg_2000, decode_proof, _REVERSIBLE)
_JPEG_LS = Encoder(_jpeg_ls, _decode_jpeg_ls, _UNTOUCHED)

ENCODERS: Mapping[str, Encoder] = MappingProxyType(
    {
        "1.2.840.10008.1.2.4.201": _HTJ2K,
        HTJ2K_LOSSLESS_RPCL: _HTJ2K,
        "1.2.840.10008.1.2.4.203": _HTJ2K,
        "1.2.840.10008.1.2.4.90": _JPEG_2000,
        "1.2.840.10008.1.2.4.91": _JPEG_2000,
        "1.2.840.10008.1.2.4.80": _JPEG_LS,
        "1.2.840.10008.1.2.4.81": _JPEG_LS,
        JPEG_BASELINE: Encoder(_jpeg_baseline, _decode_jpeg_ls, _SUBSAMPLED, most_bits=8, method="ISO_10918_1"),
    }
)

# A codestream of the first is one of the others as well: only the name changes.
SAME_CODESTREAM: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        HTJ2K_LOSSLESS_RPCL: frozenset({"1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.203"}),
        "1.2.840.10008.1.2.4.201": frozenset({"1.2.840.10008.1.2.4.203"}),
        "1.2.840.10008.1.2.4.90": frozenset({"1.2.840.10008.1.2.4.91"}),
        "1.2.840.10008.1.2.4.80": frozenset({"1.2.840.10008.1.2.4.81"}),
        "1.2.840.10008.1.2.4.70": frozenset({"1.2.840.10008.1.2.4.57"}),
    }
)
