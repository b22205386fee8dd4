"""Write one pack to a local file.

Law: streamed, so that beyond the instances themselves nothing large is held in memory. The file isn't synced: until the
pack is in the object store and the index, the spool has every instance.
"""

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

from pacs.errors import InvalidRequest
from pacs.manifest import manifest_json
from pacs.model import Compressed, Location, ManifestEntry
from pacs.transfer_syntaxes import TRANSFER_SYNTAXES
from storage.durable import disk_errors
from storage.packs.members import MANIFEST, METADATA, Member, blank, envelope_name, instance_name, members

_LEVEL = 6
_SAMPLE = 4 * 1024 * 1024  # bytes tried out, to see whether a member is worth deflating
_WORTH = 0.9  # of the size: a member that saves less stays readable in parts
_LARGEST_DEFLATED = 64 * 1024 * 1024  # above this one frame would cost inflating all of a large multi-frame instance


@dataclass(frozen=True, slots=True)
class PackFile:
    """A pack on local disk, and where everything is in it."""

    path: Path
    digest: str  # SHA-256 of the file, hex
    size: int
    key: str  # in the object store
    locations: tuple[Location, ...]  # in the order of the entries
    metadata: Member  # metadata.json


def write_pack(
    path: Path, entries: Sequence[tuple[ManifestEntry, Compressed, bytes]], *, kind: str = "packs"
) -> PackFile:
    """Write instances, each with its manifest entry and its DICOM JSON object, to ``path``.

    ``kind`` is the first part of the key, "packs" or "conflicts". InvalidRequest when an instance is given twice.
    OutOfResources or Unavailable when the disk fails, and then there is no file.
    """
    manifest = [entry for entry, _, _ in entries]
    if len({entry.sop_instance_uid for entry in manifest}) < len(manifest):
        raise InvalidRequest("the same SOP Instance UID twice in one pack")
    try:
        with disk_errors():
            with ZipFile(path, "w") as archive:
                _fill(archive, entries)
            with ZipFile(path) as archive:
                found = members(archive)
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = path.stat().st_size
    except BaseException:
        path.unlink(missing_ok=True)  # a disk that is full must not stay full of half a pack
        raise
    key = f"{kind}/{digest[:2]}/{digest}.zip"
    locations = tuple(locate(found, key, entry.sop_instance_uid) for entry in manifest)
    return PackFile(path, digest, size, key, locations, found[METADATA])


def locate(found: dict[str, Member], key: str, sop_instance_uid: str) -> Location:
    """Where an instance and its envelope are; KeyError when the pack doesn't have it."""
    instance = found[instance_name(sop_instance_uid)]
    envelope = found.get(envelope_name(sop_instance_uid))
    return Location(
        pack_key=key,
        member_offset=instance.offset,
        member_length=instance.length,
        deflated=instance.deflated,
        envelope_offset=envelope.offset if envelope else -1,
        envelope_length=envelope.length if envelope else 0,
    )


def _fill(archive: ZipFile, entries: Sequence[tuple[ManifestEntry, Compressed, bytes]]) -> None:
    _add(archive, MANIFEST, manifest_json([entry for entry, _, _ in entries]), deflated=True)
    _add(archive, METADATA, _metadata([json for _, _, json in entries]), deflated=True)
    for entry, compressed, _ in entries:
        deflated = _worth_deflating(compressed)
        _add(archive, instance_name(entry.sop_instance_uid), compressed.part10, deflated=deflated)
        if compressed.envelope is not None:
            _add(archive, envelope_name(entry.sop_instance_uid), compressed.envelope, deflated=True)


def _add(archive: ZipFile, name: str, data: bytes, *, deflated: bool) -> None:
    archive.writestr(blank(name, deflated=deflated), data, compresslevel=_LEVEL)


def _metadata(objects: Sequence[bytes]) -> bytes:
    """A JSON array with one instance a line, so that a reader can take single ones without parsing the rest.

    A line break in DICOM JSON can only be white space between tokens (RFC 8259 7: never inside a string).
    """
    return b"[" + b",\n".join(one.replace(b"\r", b" ").replace(b"\n", b" ") for one in objects) + b"]"


def _worth_deflating(compressed: Compressed) -> bool:
    """Whether a member is deflated: never when its frames are compressed, because those are read one by one."""
    syntax = TRANSFER_SYNTAXES.get(compressed.transfer_syntax_uid)
    if (syntax is not None and (syntax.encapsulated or syntax.deflated)) or len(compressed.part10) > _LARGEST_DEFLATED:
        return False
    with memoryview(compressed.part10) as whole, whole[:_SAMPLE] as sample:
        return len(zlib.compress(sample, _LEVEL)) <= _WORTH * len(sample)
