"""Which images are compressed, in one table; all others are kept as received, with the reason.

Law: a reason is a constant phrase, so that a tally by reason stays short; it never holds a value of the data set.
"""

from pacs.dataset import DataSet
from pacs.dataset.elements import PIXEL_DATA
from pacs.model import ImageDescription
from pacs.transfer_syntaxes import TransferSyntax

# (Samples per Pixel, Bits Allocated, Photometric Interpretation) that HTJ2K Lossless RPCL stores (PS3.5 8.2.4, A.4.10).
COMPRESSED = frozenset(
    {
        (1, 8, "MONOCHROME1"),
        (1, 8, "MONOCHROME2"),
        (1, 16, "MONOCHROME1"),
        (1, 16, "MONOCHROME2"),
        (3, 8, "RGB"),
        (3, 16, "RGB"),
    }
)
_BY_BITS = {1: "single-bit pixels", 32: "32-bit pixels", 64: "64-bit pixels"}


def reason_to_keep(data_set: DataSet, image: ImageDescription | None, syntax: TransferSyntax) -> str:
    """Why this instance is kept as received; "" when its pixels shall be compressed."""
    pixels = data_set.elements.get(PIXEL_DATA)
    if syntax.encapsulated:
        return "already compressed"
    if image is None or pixels is None:
        return "floating-point pixels" if image and image.floating else "no image"
    if syntax.deflated:
        return "deflated data set"
    if pixels.undefined or pixels.fragments:
        return "encapsulated pixels in a native transfer syntax"
    if image.bits_stored < image.bits_allocated and has_overlay_in_cells(data_set):
        return "overlay in the pixel cells"
    return _reason_of_pixels(image)


def has_overlay_in_cells(data_set: DataSet) -> bool:
    """Overlays in unused bits (retired, PS3.3 C.9.2 of 2004): a viewer finds them in native cells only."""
    positions = (data_set.integer(group << 16 | 0x0102) for group in range(0x6000, 0x6020, 2))
    return any(positions)


def _reason_of_pixels(image: ImageDescription) -> str:
    if image.bits_allocated in _BY_BITS:
        return _BY_BITS[image.bits_allocated]
    if (image.samples_per_pixel, image.bits_allocated, image.photometric_interpretation) not in COMPRESSED:
        colour = image.photometric_interpretation
        known = {"PALETTE COLOR": "palette colour", "YBR_FULL": "native YBR", "YBR_FULL_422": "native YBR"}
        return known.get(colour, "unusual pixel format")
    if min(image.rows, image.columns, image.number_of_frames) < 1:
        return "no pixels"
    if not 0 < image.bits_stored <= image.bits_allocated or image.high_bit != image.bits_stored - 1:
        return "values not in the low bits of their cells"
    if image.samples_per_pixel == 3 and (image.pixel_representation or image.planar_configuration not in (0, 1)):
        return "unusual pixel format"
    return ""
