"""Acts of deleting and restoring, as objects beside the packs: what makes a rebuild leave out what was deleted.

Law: an act is written once, before its rows change, and never changed; the last act that names a data set decides. An
act names each data set by UID, digest and time of receipt, so that the same instance sent again later is not meant,
and compaction may move it to any pack. Users, reasons and UIDs stand in it, never a patient's attributes.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from pacs.errors import Damaged, NotFound
from storage.archive.stores import Stores, object_key
from storage.index.deleting import Act, Target

ACTS = "deleted"  # first part of their keys
VERSION = 1


@dataclass(frozen=True, slots=True)
class History:
    """All acts of a hospital, and by which one each data set is deleted now."""

    acts: tuple[Act, ...]
    deleted: dict[tuple[str, str, int], str]  # (UID, digest, received at) → key of the act
    unreadable: tuple[str, ...]


def put_act(
    stores: Stores, hospital: str, of: Sequence[Target], *, at: int, restores: bool, subject: str, reason: str
) -> Act:
    """Write an act into the object store; raises Unavailable or OutOfResources, and then nothing has happened."""
    value = {
        "version": VERSION,
        "at": at,
        "restores": restores,
        "subject": subject,
        "reason": reason,
        "instances": sorted(one.key for one in of),
    }
    data = json.dumps(value, separators=(",", ":")).encode()
    digest = hashlib.sha256(data).hexdigest()
    key = f"{ACTS}/{digest[:2]}/{digest}.json"
    stores.objects.put(object_key(hospital, key), data)
    return Act(key, at, restores, subject, reason)


def history(stores: Stores, hospital: str) -> History:
    """Every act that lies in the store, and what they come to, in order of time."""
    found: list[tuple[Act, list[tuple[str, str, int]]]] = []
    unreadable = []
    for listed in stores.objects.listing(object_key(hospital, f"{ACTS}/")):
        key = listed.key.removeprefix(f"{hospital}/")
        try:
            found.append(_parsed(key, stores.objects.read(listed.key, 0, listed.size)))
        except (Damaged, NotFound):
            unreadable.append(key)
    found.sort(key=lambda one: (one[0].at, one[0].deletion_key))
    deleted: dict[tuple[str, str, int], str] = {}
    for act, named in found:
        for one in named:
            if act.restores:
                deleted.pop(one, None)
            else:
                deleted[one] = act.deletion_key
    return History(tuple(act for act, _ in found), deleted, tuple(sorted(unreadable)))


def _parsed(key: str, data: bytes) -> tuple[Act, list[tuple[str, str, int]]]:
    try:
        value = json.loads(data)
        if value["version"] != VERSION:
            raise Damaged("an act of another version")
        keys = [(str(uid), str(digest), int(received_at)) for uid, digest, received_at in value["instances"]]
        return Act(key, int(value["at"]), bool(value["restores"]), str(value["subject"]), str(value["reason"])), keys
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged("an act of deletion that cannot be read") from error
