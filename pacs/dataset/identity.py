"""What a data set is about: its four UIDs, its series, its picture.

Law: an instance without SOP Class, SOP Instance, Series and Study Instance UID cannot be filed and is refused here,
once, for every front door. Other people's UIDs are taken as they are if they are safe as names of files and resources:
an archive that insists on PS3.5 9.1 loses images of scanners that do not.
"""

import hashlib

from pacs.dataset.data_set import DataSet
from pacs.dataset.elements import PIXELS, name_of
from pacs.errors import Unidentified
from pacs.model import Identity, ImageDescription

_UIDS = (0x00080016, 0x00080018, 0x0020000E, 0x0020000D)  # in the order of Identity
IDENTIFYING_END = 0x0020000E  # the last of them in the order of tags
_MAX_UID = 64


def identify(ds: DataSet) -> Identity:
    """The four UIDs without padding; raises Unidentified naming the attribute that is missing or unfit."""
    return Identity(*(_uid(ds, tag) for tag in _UIDS))


def _uid(ds: DataSet, tag: int) -> str:
    uid = ds.text(tag)
    if not uid:
        raise Unidentified(f"{name_of(tag)} is missing")
    if not is_safe_uid(uid):
        raise Unidentified(f"{name_of(tag)} cannot be an identifier")
    return uid


def is_safe_uid(uid: str) -> bool:
    """Whether ``uid`` may name a file or a resource: 1–64 printable ASCII characters, no path, quote or wildcard."""
    fit = 0 < len(uid) <= _MAX_UID and uid.isascii() and uid.isprintable()
    return fit and not set(uid) & set("/\\ \"'<>|:*?%&#;") and not uid.startswith(".")


def series_key(identity: Identity) -> str:
    """32 hex digits that name the series of a study, safe as a folder name and equal in every process."""
    text = f"{identity.study_instance_uid}\0{identity.series_instance_uid}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def describe_image(ds: DataSet) -> ImageDescription | None:
    """The Image Pixel module (PS3.3 C.7.6.3), None when there is no picture.

    A data set read only up to its pixels is believed to have them.
    """
    if ds.complete and not PIXELS & ds.elements.keys():
        return None
    rows, columns, bits_allocated = (ds.integer(tag) or 0 for tag in (0x00280010, 0x00280011, 0x00280100))
    if min(rows, columns, bits_allocated) < 1:
        return None
    bits_stored = ds.integer(0x00280101) or bits_allocated
    high_bit = ds.integer(0x00280102)
    return ImageDescription(
        rows=rows,
        columns=columns,
        samples_per_pixel=max(ds.integer(0x00280002) or 1, 1),
        photometric_interpretation=ds.text(0x00280004).upper(),
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=bits_stored - 1 if high_bit is None else high_bit,
        pixel_representation=ds.integer(0x00280103) or 0,
        planar_configuration=ds.integer(0x00280006) or 0,
        number_of_frames=max(ds.integer(0x00280008) or 1, 1),
        floating=bits_allocated >= 32 and not ds.integer(0x00280101),  # the float modules have no Bits Stored
    )
