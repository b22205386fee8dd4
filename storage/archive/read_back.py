"""Reading one instance back from the object store itself, before a modality may delete its copy.

Law: never through the cache: what is promised is that the store has it. The first time every byte is read and compared;
after that only whether the pack is still there, whole, because packs never change.
"""

import hashlib
from functools import partial

from pacs.errors import Damaged
from pacs.model import StoredInstance
from pacs.transcode.restore import restored
from storage.archive.stores import Stores, envelope_of, object_key, part10_of
from storage.index.commitments import is_read_back, remember_read_back


def read_back(stores: Stores, hospital: str, stored: StoredInstance) -> None:
    """See that an instance is safe; raises Damaged or NotFound when it is not, Unavailable when nobody can tell."""
    uid, location = stored.identity.sop_instance_uid, stored.location
    key = object_key(hospital, location.pack_key)
    if is_read_back(stores.index, hospital, uid, location.pack_key):
        if stores.objects.size(key) < location.member_offset + location.member_length:
            raise Damaged(f"instance {uid}")
        return
    read = partial(stores.objects.read, key)
    part10, envelope = part10_of(read, stored), envelope_of(read, location)
    digest = hashlib.sha256()
    try:
        for piece in restored(part10, envelope, stored.before, stored.received_transfer_syntax_uid):
            digest.update(piece)
    except Exception as error:  # a decoder may say anything about damaged bytes; all of it means the same
        raise Damaged(f"instance {uid}") from error
    if digest.hexdigest() != stored.digest:
        raise Damaged(f"instance {uid}")
    remember_read_back(stores.index, hospital, uid, location.pack_key)
