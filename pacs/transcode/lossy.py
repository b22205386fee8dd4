"""What a lossily compressed copy has to say of itself (PS3.3 C.7.6.1.1.5, C.12.4.1.1).

Law: it is another instance than its source, DERIVED, with a UID of its own that is the same each time; what was lossy
once stays lossy, and each step adds its ratio and its method.
"""

import hashlib

from pacs.dataset import DataSet
from pacs.dataset.elements import PIXEL_DATA
from pacs.transcode.element_writer import ElementWriter

_IMAGE_TYPE, _SOP_CLASS_UID, _SOP_INSTANCE_UID = 0x00080008, 0x00080016, 0x00080018
_LOSSY, _RATIO, _METHOD = 0x00282110, 0x00282112, 0x00282114
_WRITER = ElementWriter(explicit=True, little_endian=True)
_LOSSY_COMPRESSION = ("113040", "DCM", "Lossy Compression")
_PREDECESSOR = ("121320", "DCM", "Uncompressed predecessor")


def derived_uid(sop_instance_uid: str, transfer_syntax_uid: str) -> str:
    """The SOP Instance UID of the copy: a UUID-derived UID (PS3.5 B.2) made from what it is a copy of."""
    digest = hashlib.sha256(f"{sop_instance_uid}\0{transfer_syntax_uid}".encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def derived_attributes(
    data_set: DataSet, method: str, transfer_syntax_uid: str, size: int
) -> dict[int, tuple[str, bytes] | None]:
    """Changes to the data set of the source: VR and value by tag. `size` is that of the compressed Pixel Data."""
    uid = data_set.text(_SOP_INSTANCE_UID)
    native = data_set.elements[PIXEL_DATA].length
    image_type = ["DERIVED", *(data_set.texts(_IMAGE_TYPE) or ["", "PRIMARY"])[1:]]
    return {
        _IMAGE_TYPE: ("CS", "\\".join(image_type).encode("ascii", "replace")),
        _SOP_INSTANCE_UID: ("UI", derived_uid(uid, transfer_syntax_uid).encode("ascii")),
        0x00082111: ("ST", b"Lossy JPEG compression for retrieval"),  # Derivation Description
        0x00082112: ("SQ", _item(_source_image(data_set.text(_SOP_CLASS_UID), uid))),  # Source Image Sequence
        0x00089215: ("SQ", _item(_code(_LOSSY_COMPRESSION))),  # Derivation Code Sequence
        _LOSSY: ("CS", b"01"),
        _RATIO: ("DS", "\\".join([*data_set.texts(_RATIO), f"{native / max(size, 1):.4g}"]).encode("ascii", "replace")),
        _METHOD: ("CS", "\\".join([*data_set.texts(_METHOD), method]).encode("ascii", "replace")),
    }


def _source_image(sop_class_uid: str, sop_instance_uid: str) -> bytes:
    return (
        _WRITER.element(0x00081150, "UI", sop_class_uid.encode("ascii", "replace"))
        + _WRITER.element(0x00081155, "UI", sop_instance_uid.encode("ascii", "replace"))
        + _WRITER.element(0x0040A170, "SQ", _item(_code(_PREDECESSOR)))  # Purpose of Reference Code Sequence
    )


def _code(code: tuple[str, str, str]) -> bytes:
    value, scheme, meaning = (text.encode("ascii") for text in code)
    return (
        _WRITER.element(0x00080100, "SH", value)
        + _WRITER.element(0x00080102, "SH", scheme)
        + _WRITER.element(0x00080104, "LO", meaning)
    )


def _item(content: bytes) -> bytes:
    return _WRITER.element(0xFFFEE000, "UN", b"")[:4] + len(content).to_bytes(4, "little") + content
