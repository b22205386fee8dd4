"""What an object store is to the archive, and the rules in which real stores differ.

Law: one small contract, kept by every engine and pinned by one test class:
- a key is ASCII, ``segment/segment/…``; a segment begins with a letter, digit or underscore, so no key leads elsewhere;
- a missing object is NotFound, for `read` and `size`; deleting it is fine;
- a range must lie within the object: past the end is Damaged, never a short answer (the index promised those bytes);
- an engine that doesn't answer, or answers nonsense, is Unavailable. Its own words stay out of our errors: some engines
  put addresses and keys in them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pacs.errors import Damaged, InvalidRequest, Misconfigured

PART_SIZE = 16 * 1024 * 1024  # bytes of one part of a multipart upload; objects above this size use it

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of a listing."""

    key: str
    size: int  # bytes
    modified: float  # seconds since the epoch, by the engine's clock


class ObjectStore(Protocol):
    """Where packs are kept. Usable from several threads; open one in each process."""

    def check(self) -> None:
        """See that the store can be used (bucket there, credentials good); Unavailable when not."""

    def put(self, key: str, data: bytes) -> None:
        """Store bytes, replacing an object of that key; durable, and never seen in part."""

    def put_file(self, key: str, path: Path) -> None:
        """The same with a file, streamed; the file stays, and must not be changed afterwards (a folder may link it)."""

    def read(self, key: str, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``offset``. NotFound; Damaged when the range isn't all within the object."""

    def size(self, key: str) -> int:
        """Bytes of the object; NotFound."""

    def listing(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every object whose key begins with these characters, in no promised order."""

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys of `listing`."""

    def delete(self, key: str) -> None:
        """Remove an object; fine when it isn't there."""

    def local_path(self, key: str) -> Path | None:
        """The file of the object when the store is a local folder (NotFound when missing), else None."""


def checked_key(key: str) -> str:
    """The key itself; InvalidRequest when it isn't one."""
    if len(key) > 512 or _KEY.fullmatch(key) is None:
        raise InvalidRequest("not a key of an object")
    return key


def whole(data: bytes, length: int) -> bytes:
    """The bytes themselves; Damaged when they are not ``length``."""
    if len(data) != length:
        raise Damaged(f"an object ends {length - len(data)} bytes before the end of the range")
    return data


def encryption(sse: str) -> dict[str, str]:
    """Parameters of S3's PutObject for server-side encryption: "", "AES256", "aws:kms" or "aws:kms:<key>"."""
    if not sse:
        return {}
    if sse == "AES256":
        return {"ServerSideEncryption": "AES256"}
    algorithm, key = sse[:7], sse[8:]
    if algorithm != "aws:kms" or sse[7:8] not in ("", ":"):
        raise Misconfigured("server-side encryption is AES256, aws:kms or aws:kms:<key>")
    return {"ServerSideEncryption": algorithm, **({"SSEKMSKeyId": key} if key else {})}
