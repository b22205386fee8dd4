"""HTJ2K as the archive writes it: reversible, RPCL, TLM, a tile-part for each resolution (PS3.5 A.4.10 and 10.18).

Law: two decoders live here and must stay two: OpenJPH wrote the codestream and serves the pictures, OpenJPEG proves
that what was written can be undone. Samples in and out are real stored values, with Bits Stored as the precision.
"""

from collections.abc import Sequence
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from pacs.codecs.codestream import read_header, with_comment, with_precision
from pacs.errors import NotRenderable

_SMALLEST = 64  # PS3.5 10.18: the lowest resolution is at most 64 wide or high
_USUAL_DECOMPOSITIONS = 5
Samples = NDArray[Any]


def decompositions(rows: int, columns: int) -> int:
    """How many wavelet decompositions an image of this size gets."""
    levels = _USUAL_DECOMPOSITIONS
    while -(-min(rows, columns) >> levels) > _SMALLEST:
        levels += 1
    return levels


def encode_htj2k(samples: Samples, *, precision: int, rgb: bool, comments: Sequence[bytes] = ()) -> bytes:
    """Encode (rows, columns) or, when `rgb`, (rows, columns, 3) of (u)int8 or (u)int16 without loss.

    Every sample must lie in the range of `precision` bits; RGB is stored as YBR_RCT. Comments go into COM.
    """
    bits = samples.dtype.itemsize * 8
    signed = samples.dtype.kind == "i"
    centred = samples
    if precision != bits and not signed:
        # a decoder shifts unsigned samples by half the range; shifting ourselves lets the header say 12 bits of 16
        centred = (samples - samples.dtype.type(1 << (precision - 1))).view(f"i{samples.dtype.itemsize}")
    codestream = bytes(
        imagecodecs.htj2k_encode(
            np.ascontiguousarray(centred),
            reversible=True,
            tlm=True,
            tilepart=1,
            resolutions=decompositions(*samples.shape[:2]),
            rgb=rgb,
        )
    )
    if precision != bits:
        codestream = with_precision(codestream, precision=precision, signed=signed)
    for comment in comments:
        codestream = with_comment(codestream, comment)
    return codestream


def decode_htj2k(codestream: bytes, *, reduce: int = 0) -> Samples:
    """Decode with OpenJPH, at 1/2**reduce of the size; for that a prefix that holds those resolutions is enough.

    A whole frame must be sound: pixels made up in place of damaged ones must not reach a screen.
    """
    return np.asarray(imagecodecs.htj2k_decode(codestream, planar=False, skipres=reduce or None, resilient=reduce > 0))


def decode_proof(codestream: bytes) -> Samples:
    """Decode with OpenJPEG, which shares no code with the encoder."""
    return np.asarray(imagecodecs.jpeg2k_decode(codestream))


def levels(head: bytes) -> int:
    """How many times the size can be halved by reading less of this codestream (0 when it is not built that way)."""
    try:
        header = read_header(head)
    except NotRenderable:
        return 0
    return header.decompositions


def prefix_length(head: bytes, reduce: int) -> int | None:
    """Bytes of the codestream needed for 1/2**reduce of the size, by its TLM; None when only the whole will do.

    `head` is the start of the codestream, `pacs.codecs.codestream.HEADER_BYTES` or more.
    """
    try:
        header = read_header(head)
    except NotRenderable:
        return None
    one_part_each = len(header.tile_parts) == header.decompositions + 1
    if header.tiles != 1 or not header.resolution_first or not one_part_each:
        return None
    kept = max(1, header.decompositions + 1 - reduce)
    return header.length + sum(header.tile_parts[:kept])
