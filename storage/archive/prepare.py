"""One received instance made ready for the archive: compressed with proof, described, accounted for.

Law: bytes in, values out; no store is touched. What cannot be read or identified raises, and is then set aside whole.
"""

import hashlib
from dataclasses import dataclass

from pacs.dataset import Buffer, describe_image, identify, read_data_set
from pacs.dataset.identity import IDENTIFYING_END
from pacs.dataset.json import instance_json
from pacs.errors import Damaged
from pacs.file_meta import FileMeta, read_file_meta
from pacs.frames import locate_frames
from pacs.model import Compressed, Identity, ManifestEntry
from pacs.transcode import compress


@dataclass(frozen=True, slots=True)
class Received:
    """A spooled instance whose bytes are those received."""

    identity: Identity
    digest: str
    received_at: int  # nanoseconds since the epoch
    meta: FileMeta
    data_set: memoryview


@dataclass(frozen=True, slots=True)
class Prepared:
    """One received instance, ready to be stored."""

    entry: ManifestEntry
    compressed: Compressed
    metadata: bytes  # its DICOM JSON object


def receive(part10: Buffer, *, digest: str, received_at: int) -> Received:
    """Take an instance from the spool; raises Damaged when it is not what was received, Unreadable, Unidentified."""
    meta = read_file_meta(part10)
    data_set = memoryview(part10)[meta.data_set_offset :]
    if hashlib.sha256(data_set).hexdigest() != digest:
        raise Damaged("the file in the spool changed after it was received")
    identity = identify(read_data_set(data_set, meta.transfer_syntax_uid, until=IDENTIFYING_END))
    return Received(identity, digest, received_at, meta, data_set)


def prepare(received: Received) -> Prepared:
    """Compress, prove and describe; raises Unreadable."""
    identity, syntax = received.identity, received.meta.transfer_syntax_uid
    data_set = read_data_set(received.data_set, syntax)
    compressed = compress(received.data_set, syntax, identity, received.meta.source)
    stored_meta = read_file_meta(compressed.part10)
    stored = data_set
    if compressed.transfer_syntax_uid != syntax:
        stored_bytes = memoryview(compressed.part10)[stored_meta.data_set_offset :]
        stored = read_data_set(stored_bytes, compressed.transfer_syntax_uid)
    entry = ManifestEntry(
        sop_instance_uid=identity.sop_instance_uid,
        study_instance_uid=identity.study_instance_uid,
        series_instance_uid=identity.series_instance_uid,
        digest=received.digest,
        received_at=received.received_at,
        received_size=len(received.data_set),
        received_transfer_syntax_uid=syntax,
        transfer_syntax_uid=compressed.transfer_syntax_uid,
        verdict=compressed.verdict,
        reason=compressed.reason,
        before=compressed.before,
        frames=locate_frames(
            stored,
            describe_image(stored),
            compressed.transfer_syntax_uid,
            data_set_offset=stored_meta.data_set_offset,
        ),
        source=received.meta.source,
    )
    return Prepared(entry, compressed, instance_json(data_set, bulk_data_root=bulk_data_root(identity)))


def bulk_data_root(identity: Identity) -> str:
    """Where the DICOM JSON of an instance says that its large values are: absolute, without scheme and host."""
    return (
        f"/dicom-web/studies/{identity.study_instance_uid}/series/{identity.series_instance_uid}"
        f"/instances/{identity.sop_instance_uid}/bulkdata"
    )
