"""How the members of a pack are named and placed.

Law: ``pack.json`` and ``metadata.json`` come first, then the instances as given, each followed by its envelope;
members lie one behind the other without gaps, so that where a member's bytes begin follows from where the next one's
header begins, and a reader needs only the central directory (PKWARE APPNOTE 4.3.6, 4.3.12).
"""

from dataclasses import dataclass
from urllib.parse import quote
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from pacs.errors import Damaged

MANIFEST = "pack.json"
METADATA = "metadata.json"

_LOCAL_HEADER = 30  # bytes of a local file header before the name (APPNOTE 4.3.7)
_ZIP64_FIELD = 20  # bytes of the extra field that sizes above 4 GiB need there (APPNOTE 4.5.3)


@dataclass(frozen=True, slots=True)
class Member:
    """Where the bytes of one member are in the pack."""

    offset: int
    length: int  # bytes in the pack
    deflated: bool
    size: int  # bytes when inflated
    crc32: int


def instance_name(sop_instance_uid: str) -> str:
    """``<SOPInstanceUID>.dcm``, percent-quoted: a UID is only what a sender says it is."""
    return f"{quote(sop_instance_uid, safe='')}.dcm"


def envelope_name(sop_instance_uid: str) -> str:
    """``<SOPInstanceUID>.received``: what stood around the pixel data as received."""
    return f"{quote(sop_instance_uid, safe='')}.received"


def members(archive: ZipFile) -> dict[str, Member]:
    """Every member by name. Damaged when the pack isn't laid out as packs are."""
    found: dict[str, Member] = {}
    entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
    ends = [entry.header_offset for entry in entries[1:]] + [archive.start_dir]
    for entry, end in zip(entries, ends, strict=True):
        offset = end - entry.compress_size
        extra = offset - entry.header_offset - _LOCAL_HEADER - len(entry.orig_filename.encode())
        if extra not in (0, _ZIP64_FIELD) or entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise Damaged(f"member {entry.filename} of a pack isn't where it must be")
        deflated = entry.compress_type == ZIP_DEFLATED
        found[entry.filename] = Member(offset, entry.compress_size, deflated, entry.file_size, entry.CRC)
    return found


def blank(name: str, *, deflated: bool) -> ZipInfo:
    """A member's header with nothing in it that could differ between two machines or two days."""
    entry = ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3  # Unix, also when written elsewhere
    entry.external_attr = 0o100644 << 16
    entry.compress_type = ZIP_DEFLATED if deflated else ZIP_STORED
    return entry
