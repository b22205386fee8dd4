"""Removing packs that nothing references: left by a crash between put and commit, or by a worker that lost a race.

Law: only what is old enough that no worker can still be about to commit it, and only while its place in the index is
held; see `storage.archive.store.store` for the other side of that.
"""

import time

from storage.archive.stores import Stores, object_key
from storage.index.writing import claim_unreferenced, drop_pack

KINDS = ("packs", "conflicts")


def sweep(stores: Stores, hospital: str, *, min_age: float) -> list[str]:
    """Remove unreferenced packs that are at least ``min_age`` seconds old; gives their keys."""
    removed = []
    before = time.time() - min_age
    for kind in KINDS:
        for found in stores.objects.listing(object_key(hospital, f"{kind}/")):
            if found.modified > before:
                continue
            pack_key = found.key.removeprefix(f"{hospital}/")
            with stores.index.transaction(hospital) as connection:
                pack_pk = claim_unreferenced(connection, pack_key)
                if pack_pk is not None:
                    stores.objects.delete(found.key)
                    drop_pack(connection, pack_pk)
                    removed.append(pack_key)
    return removed
