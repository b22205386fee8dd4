"""Every transfer syntax the archive takes, in one table (PS3.5 Annex A, PS3.6 Table A-1).

Law: what a transfer syntax means is said here and nowhere else; whoever must know asks the table. Names and the list
itself come from pydicom's dictionary, so that a syntax cannot be forgotten; what the dictionary does not say (bytes or
frames, lossless or not, media type) is one row per family below. An instance in a syntax that only archives know
(retired, private) is kept as received all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydicom._uid_dict import UID_dictionary

from pacs.errors import Unreadable

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
DEFLATED_LE = "1.2.840.10008.1.2.1.99"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
HTJ2K_LOSSLESS_RPCL = "1.2.840.10008.1.2.4.202"

_JPEG = "1.2.840.10008.1.2.4."
_UNCOMPRESSED = "application/octet-stream"

# Newer than pydicom's dictionary, retired before it, or private and met in hospitals.
_ALSO = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.4.201": "High-Throughput JPEG 2000 Image Compression (Lossless Only)",
    HTJ2K_LOSSLESS_RPCL: "High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)",
    "1.2.840.10008.1.2.4.203": "High-Throughput JPEG 2000 Image Compression",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
    "1.2.840.113619.5.2": "GE Private Implicit VR Little Endian with Big Endian Pixel Data",
    "1.3.46.670589.33.1.4.1": "Philips Private CT Explicit VR Little Endian",
}

# Data set encodings other than Explicit VR Little Endian: (explicit VR, little endian, encapsulated, deflated).
_ENCODINGS = {
    IMPLICIT_LE: (False, True, False, False),
    EXPLICIT_LE: (True, True, False, False),
    DEFLATED_LE: (True, True, False, True),
    EXPLICIT_BE: (True, False, False, False),
    "1.2.840.10008.1.2.4.94": (True, True, False, False),  # JPIP: no pixels in the data set, but a URL
    "1.2.840.10008.1.2.4.95": (True, True, False, True),
    "1.2.840.10008.1.2.4.204": (True, True, False, False),
    "1.2.840.10008.1.2.4.205": (True, True, False, True),
    "1.2.840.10008.1.20": (False, True, False, False),
    "1.2.840.113619.5.2": (False, True, False, False),
    "1.3.46.670589.33.1.4.1": (True, True, False, False),
}
_ENCAPSULATED = (True, True, True, False)

# (first UID suffix, last, media type of a frame, lossless; None: either), PS3.18 Table 8.7.3-2 and 8.7.3-5.
_FAMILIES = (
    (50, 56, "image/jpeg", False),
    (57, 58, "image/jpeg", True),
    (59, 64, "image/jpeg", False),
    (65, 70, "image/jpeg", True),
    (80, 80, "image/jls", True),
    (81, 81, "image/jls", None),
    (90, 90, "image/jp2", True),
    (91, 91, "image/jp2", None),
    (92, 92, "image/jpx", True),
    (93, 93, "image/jpx", None),
    (94, 95, _UNCOMPRESSED, None),
    (100, 101, "video/mpeg2", False),
    (102, 106, "video/mp4", False),
    (107, 108, "video/H265", False),
    (110, 110, "image/jxl", True),
    (111, 111, "image/jxl", None),
    (112, 112, "image/jxl", None),
    (201, 202, "image/jphc", True),
    (203, 203, "image/jphc", None),
    (204, 205, _UNCOMPRESSED, None),
)
_OTHERS: dict[str, tuple[str, bool | None]] = {
    "1.2.840.10008.1.2.5": ("image/dicom-rle", True),
    "1.2.840.10008.1.2.8.1": (_UNCOMPRESSED, True),
    "1.2.840.10008.1.2.6.1": (_UNCOMPRESSED, None),
    "1.2.840.10008.1.2.6.2": (_UNCOMPRESSED, None),
}


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """How a data set and its frames are encoded; ``lossless`` is None when the syntax allows both."""

    uid: str
    name: str
    explicit_vr: bool
    little_endian: bool
    encapsulated: bool
    deflated: bool
    lossless: bool | None
    media_type: str


def _compression(uid: str) -> tuple[str, bool | None]:
    if uid.startswith(_JPEG):
        number = int(uid[len(_JPEG) :].split(".", 1)[0])
        for first, last, media_type, lossless in _FAMILIES:
            if first <= number <= last:
                return media_type, lossless
    return _OTHERS.get(uid, (_UNCOMPRESSED, True))


def _table() -> Mapping[str, TransferSyntax]:
    names = {uid: entry[0] for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"} | _ALSO
    table = {}
    for uid, name in sorted(names.items()):
        media_type, lossless = _compression(uid)
        table[uid] = TransferSyntax(uid, name, *_ENCODINGS.get(uid, _ENCAPSULATED), lossless, media_type)
    return MappingProxyType(table)


TRANSFER_SYNTAXES: Mapping[str, TransferSyntax] = _table()


def transfer_syntax(uid: str) -> TransferSyntax:
    """The entry of ``uid``; raises Unreadable when the archive has never heard of it."""
    try:
        return TRANSFER_SYNTAXES[uid]
    except KeyError:
        raise Unreadable(f"transfer syntax {uid[:64]!r} is unknown") from None
