"""An instance on its way out, in the transfer syntax that its receiver takes.

Law: nothing is read before it is asked for, and one instance at a time. In the syntax it was received in, the data set
leaves byte for byte as it came; in any other the pixel values are exactly the same, or it does not leave.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pacs.errors import NotAcceptable, Unreadable
from pacs.file_meta import file_meta, read_file_meta
from pacs.model import Source, StoredInstance
from pacs.transcode.convert import convert
from pacs.transfer_syntaxes import transfer_syntax
from storage.archive import Archive

_HEAD = 64 * 1024  # bytes of a file in which its File Meta lies


@dataclass(frozen=True, slots=True)
class Sendable:
    """One instance; ``transfer_syntaxes`` are those it exists in, best first.

    ``encoded`` gives its data set in a transfer syntax; raises NotAcceptable when that cannot be done exactly.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntaxes: tuple[str, ...]
    encoded: Callable[[str], memoryview]


def from_archive(archive: Archive, hospital: str, stored: StoredInstance) -> Sendable:
    """An instance of the archive."""
    identity, received, kept = stored.identity, stored.received_transfer_syntax_uid, stored.transfer_syntax_uid

    def encoded(uid: str) -> memoryview:
        if uid == kept and uid != received:
            return _data_set(archive.part10(hospital, stored))
        data = archive.received(hospital, stored)
        if uid == received:
            return _even(data, uid)
        return _converted(identity.sop_class_uid, identity.sop_instance_uid, received, uid, data)

    syntaxes = tuple(dict.fromkeys([received, kept]))
    return Sendable(identity.sop_class_uid, identity.sop_instance_uid, syntaxes, encoded)


def from_file(path: Path) -> Sendable:
    """A Part 10 file; raises Unreadable, OSError."""
    with path.open("rb") as file:
        meta = read_file_meta(file.read(_HEAD))
    if not meta.sop_class_uid or not meta.sop_instance_uid:
        raise Unreadable("no File Meta Information")

    def encoded(uid: str) -> memoryview:
        data = memoryview(path.read_bytes())[meta.data_set_offset :]
        if uid == meta.transfer_syntax_uid:
            return _even(data, uid)
        return _converted(meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax_uid, uid, data)

    return Sendable(meta.sop_class_uid, meta.sop_instance_uid, (meta.transfer_syntax_uid,), encoded)


def _converted(sop_class_uid: str, sop_instance_uid: str, own: str, uid: str, data: bytes | memoryview) -> memoryview:
    head = file_meta(sop_class_uid, sop_instance_uid, own, Source())
    part10 = convert(b"".join([head, data]), uid)
    if read_file_meta(part10).sop_instance_uid != sop_instance_uid:
        raise NotAcceptable("that would be another instance")
    return _data_set(part10)


def _even(data: bytes | memoryview, uid: str) -> memoryview:
    """A data set as it is, of an even length: a strict receiver aborts over an odd fragment (PS3.8 E.1)."""
    if len(data) % 2 == 0:
        return memoryview(data)
    if not transfer_syntax(uid).deflated:
        raise NotAcceptable("its data set has an odd length")
    return memoryview(bytes(data) + b"\0")  # as the sender should have padded it (PS3.5 A.5)


def _data_set(part10: bytes) -> memoryview:
    return memoryview(part10)[read_file_meta(part10).data_set_offset :]
