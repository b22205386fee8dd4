"""File Meta Information: what stands before the data set in a file (PS3.10 7.1).

Law: written by us for every instance, so that digests are over the data set alone; read from others with every
leniency, since files come from CDs of twenty years. The Implementation Class UID is ours for good.
"""

import struct
from dataclasses import dataclass

from pacs import __version__
from pacs.dataset import Buffer, DataSet, read_data_set
from pacs.dataset.encoding import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    may_be_data_set,
)
from pacs.dataset.identity import is_safe_uid
from pacs.errors import Unreadable
from pacs.model import Source
from pacs.transfer_syntaxes import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE

IMPLEMENTATION_CLASS_UID = "2.25.75198625980488217528910283119553824882"
IMPLEMENTATION_VERSION_NAME = f"PACS_{__version__}"[:16]

_PREAMBLE = 128
_PREFIX = b"DICM"
_GROUP_LENGTH = struct.Struct("<HH2sHI")
_GROUP = b"\2\0"
_LENGTH_HEADER = b"\0\0UL\4\0"
_MAX_GROUP = 1 << 20
_LAST = 0x0002FFFF
_SOURCE = (0x00020016, 0x00020017, 0x00020018, 0x00020026)
_GUESSES = ((EXPLICIT_LITTLE, EXPLICIT_LE), (EXPLICIT_BIG, EXPLICIT_BE), (IMPLICIT_LITTLE, IMPLICIT_LE))


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What the File Meta says; ``data_set_offset`` is where the data set begins. UIDs are "" when absent."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    source: Source
    data_set_offset: int


def file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, source: Source) -> bytes:
    """Preamble, prefix and group 0002 of a file, ready to be followed by the data set."""
    group = b"".join(
        (
            b"\x02\0\x01\0OB\0\0\x02\0\0\0\0\x01",
            _element(0x0002, "UI", sop_class_uid),
            _element(0x0003, "UI", sop_instance_uid),
            _element(0x0010, "UI", transfer_syntax_uid),
            _element(0x0012, "UI", IMPLEMENTATION_CLASS_UID),
            _element(0x0013, "SH", IMPLEMENTATION_VERSION_NAME),
            _element(0x0016, "AE", source.source_application_entity_title, optional=True),
            _element(0x0017, "AE", source.sending_application_entity_title, optional=True),
            _element(0x0018, "AE", source.receiving_application_entity_title, optional=True),
            _element(0x0026, "UR", source.source_presentation_address, optional=True),
        )
    )
    length = _GROUP_LENGTH.pack(2, 0, b"UL", 4, len(group))
    return bytes(_PREAMBLE) + _PREFIX + length + group


def _element(number: int, vr: str, text: str, *, optional: bool = False) -> bytes:
    if optional and not text:
        return b""
    value = text.encode("ascii", "replace")
    if len(value) % 2:
        value += b"\0" if vr == "UI" else b" "
    if vr == "UR":
        return struct.pack("<HH2sHI", 2, number, vr.encode(), 0, len(value)) + value
    return struct.pack("<HH2sH", 2, number, vr.encode(), len(value)) + value


def read_file_meta(data: Buffer) -> FileMeta:
    """Find the data set in a file and what is said about it.

    Preamble, prefix, group length or the whole group may be missing or wrong: a missing transfer syntax is guessed from
    the first element of the data set. Raises Unreadable when nothing looks like DICOM.
    """
    start = _meta_offset(data)
    group = _group(memoryview(data), start)
    end = start + group.end if group else start
    syntax = group.text(0x00020010) if group else ""
    return FileMeta(
        sop_class_uid=_uid(group, 0x00020002),
        sop_instance_uid=_uid(group, 0x00020003),
        transfer_syntax_uid=syntax or _guess(data, end),
        source=Source(*(group.text(tag) for tag in _SOURCE)) if group else Source(),
        data_set_offset=end,
    )


def _meta_offset(data: Buffer) -> int:
    for start, prefix in ((_PREAMBLE + 4, _PREFIX), (4, _PREFIX), (0, b""), (_PREAMBLE, b"")):
        if bytes(data[start - len(prefix) : start]) == prefix and any(
            may_be_data_set(data, start, len(data), encoding) for encoding, _ in _GUESSES
        ):
            return start
    # DICM alone is not enough: it may stand at byte 128 of a data set without File Meta
    raise Unreadable("neither File Meta Information nor a data set begins it")


def _group(view: memoryview, start: int) -> DataSet | None:
    """Group 0002; its length is believed when an element ends there and another group begins."""
    if bytes(view[start : start + 2]) != _GROUP:
        return None
    told = start + 12 + int.from_bytes(view[start + 8 : start + 12], "little")
    if bytes(view[start + 2 : start + 8]) == _LENGTH_HEADER and bytes(view[told : told + 2]) != _GROUP:
        group = _elements(view[start:told])
        if group and start + group.end == told and not group.damage:
            return group
    return _elements(view[start : start + _MAX_GROUP])


def _elements(view: memoryview) -> DataSet | None:
    try:
        return read_data_set(view, EXPLICIT_LE, until=_LAST)
    except Unreadable:
        return None


def _guess(data: Buffer, start: int) -> str:
    limit = len(data)
    fits = (uid for encoding, uid in _GUESSES if may_be_data_set(data, start, limit, encoding))
    return next(fits, IMPLICIT_LE)  # PS3.5 10.1, the default


def _uid(group: DataSet | None, tag: int) -> str:
    uid = group.text(tag) if group else ""
    return uid if is_safe_uid(uid) else ""
