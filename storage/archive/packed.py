"""What one pack says of its instances, as rows to be filed.

Law: the same code as at ingest makes the rows, so that they come out the same whenever a pack is filed again: by a
rebuild, by restoring what was deleted, or by describing a study anew.
"""

from dataclasses import dataclass
from functools import partial

from pacs.rows import rows_of
from storage.archive.stores import Stores, object_key
from storage.index.connections import Connection
from storage.index.deleting import Target
from storage.index.writing import Filed, Pack, add_conflicts, add_instances, add_pack, known
from storage.packs import read_manifest, read_members
from storage.packs.members import METADATA, instance_name


@dataclass(frozen=True, slots=True)
class Packed:
    """A pack and all it holds."""

    pack: Pack
    filed: tuple[Filed, ...]

    @property
    def conflicting(self) -> bool:
        """Whether it holds data sets that lost their UID to another one."""
        return self.pack.key.startswith("conflicts/")


def read_packed(stores: Stores, hospital: str, pack_key: str, size: int) -> Packed:
    """Read a pack's directory, manifest and metadata. Raises Damaged, NotFound."""
    read = partial(stores.objects.read, object_key(hospital, pack_key))
    members = read_members(read, size)
    entries, objects, locations = read_manifest(read, size, pack_key)
    filed = tuple(
        Filed(
            entry=entry,
            rows=rows_of(entry, metadata),
            location=location,
            stored_size=members[instance_name(entry.sop_instance_uid)].size,
            place_in_pack=place,
        )
        for place, (entry, metadata, location) in enumerate(zip(entries, objects, locations, strict=True))
    )
    return Packed(Pack(pack_key, size, members[METADATA]), filed)


def target_of(filed: Filed) -> Target:
    """The data set that was filed."""
    entry = filed.entry
    return Target(
        entry.sop_instance_uid, entry.digest, entry.received_at, entry.series_instance_uid, entry.study_instance_uid
    )


def file_again(connection: Connection, packed: Packed, filed: list[Filed]) -> tuple[int, int]:
    """File some of a pack's data sets; how many are instances and how many conflicts now."""
    there = known(connection, [one.entry.sop_instance_uid for one in filed])
    new = [one for one in filed if one.entry.digest not in there.kept.get(one.entry.sop_instance_uid, ())]
    fresh = [one for one in new if not packed.conflicting and one.entry.sop_instance_uid not in there.instances]
    contradicting = [one for one in new if one not in fresh]
    if new:
        pack_pk = add_pack(connection, packed.pack)
        add_instances(connection, pack_pk, fresh)
        add_conflicts(connection, pack_pk, contradicting)
    return len(fresh), len(contradicting)
