"""``pack.json``: what a pack says about its members beyond DICOM, as text and as values.

Law: pure, and the same in both directions; equal entries give equal bytes, because the digest of the pack depends on
them. Members of the JSON that this version doesn't know are ignored, so that older software reads newer packs.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from pacs.errors import Damaged
from pacs.model import ManifestEntry, Source

VERSION = 1

_PLAIN = {field.name: field.type for field in fields(ManifestEntry) if field.type in (int, str)}
_SOURCE = tuple(field.name for field in fields(Source))


def manifest_json(entries: Sequence[ManifestEntry]) -> bytes:
    """The manifest of these entries, in their order."""
    value = {"version": VERSION, "instances": [asdict(entry) for entry in entries]}
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def parse_manifest(data: bytes) -> tuple[ManifestEntry, ...]:
    """The entries of a manifest, in its order. Raises Damaged when it isn't one."""
    try:
        value = json.loads(data)
        if value["version"] != VERSION:
            raise Damaged(f"a manifest of version {value['version']}")
        return tuple(_entry(one) for one in value["instances"])
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged("a manifest that cannot be read") from error


def _entry(value: dict[str, Any]) -> ManifestEntry:
    known = {name: value[name] for name in _PLAIN}
    wrong = [name for name, kind in _PLAIN.items() if type(known[name]) is not kind]
    if wrong:
        raise TypeError(wrong)
    frames = tuple((int(offset), int(length)) for offset, length in value["frames"])
    source = Source(**{name: str(value["source"][name]) for name in _SOURCE})
    return ManifestEntry(**known, frames=frames, source=source)
