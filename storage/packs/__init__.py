"""Packs: plain ZIP files of plain DICOM files, one for each batch of a series.

Law: a pack alone is enough. It opens with any ZIP program, and with ``pack.json`` and ``metadata.json`` the index can
be built again from packs and nothing else. Equal input gives equal bytes, and the key of a pack is its digest, so that
storing it twice is storing it once.
"""

from storage.packs.members import Member
from storage.packs.read import read_manifest, read_member, read_members, read_metadata
from storage.packs.write import PackFile, write_pack

__all__ = ["Member", "PackFile", "read_manifest", "read_member", "read_members", "read_metadata", "write_pack"]
