"""Object stores: the only place that knows buckets.

Law: the archive sees `ObjectStore` and nothing of the engine behind it; the address alone decides which one it is. An
address may hold a secret, so it is never part of a message.
"""

from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pacs.errors import Misconfigured
from storage.objects.contract import PART_SIZE, ObjectStore, StoredObject, encryption
from storage.objects.folder import FolderStore

__all__ = ["PART_SIZE", "ObjectStore", "StoredObject", "open_objects"]


def open_objects(url: str, *, sse: str = "") -> ObjectStore:
    """The store at an address; nothing is contacted yet (see `ObjectStore.check`).

    ``file:///folder``, ``minio://key:secret@host:port/bucket?secure=0&region=…`` or
    ``s3://bucket?region=…&endpoint=…`` (credentials by the chain of AWS). ``sse``: server-side encryption that is asked
    of S3, "AES256" or "aws:kms[:key]". Misconfigured when the address makes no sense.
    """
    try:
        parts = urlsplit(url)
        options = {name: values[-1] for name, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()}
        return _ENGINES[parts.scheme](parts, options, sse)
    except (KeyError, ValueError):
        raise Misconfigured("objects are at file:///…, minio://… or s3://…") from None


def _folder(parts: SplitResult, options: dict[str, str], sse: str) -> ObjectStore:
    if parts.netloc or not parts.path.startswith("/") or options:
        raise Misconfigured("the folder of objects is an absolute path, file:///…")
    if sse:
        raise Misconfigured("a folder cannot encrypt: leave PACS_OBJECTS_SSE empty, or choose S3")
    return FolderStore(Path(unquote(parts.path)))


def _minio(parts: SplitResult, options: dict[str, str], sse: str) -> ObjectStore:
    from storage.objects.minio_sdk import MinioStore  # noqa: PLC0415  # 0.2 s that sites without it need not spend

    bucket = parts.path.strip("/")
    if not (parts.hostname and parts.username and parts.password and bucket) or "/" in bucket:
        raise Misconfigured("a MinIO store is minio://key:secret@host:port/bucket")
    return MinioStore(
        endpoint=parts.netloc.rpartition("@")[2],
        access_key=unquote(parts.username),
        secret_key=unquote(parts.password),
        bucket=bucket,
        secure=options.get("secure", "1") != "0",
        region=options.get("region", "us-east-1"),
        encrypted=encryption(sse),
    )


def _s3(parts: SplitResult, options: dict[str, str], sse: str) -> ObjectStore:
    from storage.objects.s3 import S3Store  # noqa: PLC0415  # 0.5 s that sites without it need not spend

    if not parts.netloc or "@" in parts.netloc or parts.path.strip("/"):
        raise Misconfigured("an S3 store is s3://bucket; credentials come from the environment")
    return S3Store(
        bucket=parts.netloc,
        region=options.get("region") or None,
        endpoint=options.get("endpoint") or None,
        encrypted=encryption(sse),
    )


_ENGINES = {"file": _folder, "minio": _minio, "s3": _s3}
