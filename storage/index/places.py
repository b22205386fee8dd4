"""Where the metadata of single instances is.

Law: rows become values here.
"""

from collections.abc import Sequence

from storage.index.connections import Index
from storage.index.reading import MetadataPlace
from storage.index.statements import STATEMENTS
from storage.packs import Member


def metadata_places_of(index: Index, hospital: str, sop_instance_uids: Sequence[str]) -> dict[str, MetadataPlace]:
    """The place of each instance's metadata by its UID; one that is not there (any more) is left out."""
    with index.transaction(hospital) as connection:
        rows = connection.execute(STATEMENTS["metadata_of_instances"], {"uids": list(sop_instance_uids)}).fetchall()
    return {
        uid: MetadataPlace(key, Member(offset, length, deflated, size, crc32), place)
        for uid, key, offset, length, deflated, size, crc32, place in rows
    }
