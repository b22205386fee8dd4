"""Removing what nothing references: packs left by a crash or replaced by compaction, acts that were never carried out.

Law: only what is old enough that no worker can still be about to commit it and no reader can still hold a place in it,
and only while its place in the index is held; see `storage.archive.store.store` for the other side of that.
"""

import time

from storage.archive.acts import ACTS
from storage.archive.stores import Stores, object_key
from storage.index.compacting import forget_retired, retired_lately
from storage.index.deleting import act_keys
from storage.index.writing import claim_unreferenced, drop_pack

KINDS = ("packs", "conflicts")
YOUNGEST_ACT = 3600.0  # seconds: a deletion writes its act first, and nothing holds its place until the commit


def sweep(stores: Stores, hospital: str, *, min_age: float) -> list[str]:
    """Remove unreferenced packs and acts that are at least ``min_age`` seconds old; gives their keys."""
    removed = []
    before = time.time() - min_age
    for kind in KINDS:
        for found in stores.objects.listing(object_key(hospital, f"{kind}/")):
            if found.modified > before:
                continue
            pack_key = found.key.removeprefix(f"{hospital}/")
            with stores.index.transaction(hospital) as connection:
                pack_pk = claim_unreferenced(connection, pack_key)
                if pack_pk is None:
                    continue
                if not retired_lately(connection, pack_key, min_age=min_age):
                    stores.objects.delete(found.key)
                    forget_retired(connection, pack_key)
                    removed.append(pack_key)
                drop_pack(connection, pack_pk)
    return removed + _sweep_acts(stores, hospital, min_age=max(min_age, YOUNGEST_ACT))


def _sweep_acts(stores: Stores, hospital: str, *, min_age: float) -> list[str]:
    before = time.time() - min_age
    old = [one for one in stores.objects.listing(object_key(hospital, f"{ACTS}/")) if one.modified <= before]
    # read after the listing: an act that was listed and carried out meanwhile must be among them
    carried_out = act_keys(stores.index, hospital) if old else frozenset()
    removed = [one.key for one in old if one.key.removeprefix(f"{hospital}/") not in carried_out]
    for key in removed:
        stores.objects.delete(key)
    return [key.removeprefix(f"{hospital}/") for key in removed]
