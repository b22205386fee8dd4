"""Objects in AWS S3, through boto3: credential chain, KMS, Object Lock, storage classes.

Law: the contract is `storage.objects.contract`; only this module knows boto3.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pacs.errors import ArchiveError, Damaged, NotFound, Unavailable
from storage.objects.contract import PART_SIZE, StoredObject, checked_key, whole

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_ANSWERS: dict[str, type[ArchiveError]] = {"NoSuchKey": NotFound, "404": NotFound, "InvalidRange": Damaged}
_TRANSFER = TransferConfig(multipart_threshold=PART_SIZE, multipart_chunksize=PART_SIZE, max_concurrency=4)
_CONFIG = Config(
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "max_attempts": 4},
    max_pool_connections=16,
)


class S3Store:
    """The object store in one bucket."""

    def __init__(self, *, bucket: str, region: str | None, endpoint: str | None, encrypted: dict[str, str]) -> None:
        self._client: S3Client = boto3.session.Session().client(
            "s3", region_name=region, endpoint_url=endpoint, config=_CONFIG
        )
        self._bucket = bucket
        self._encrypted: dict[str, Any] = dict(encrypted)

    def __repr__(self) -> str:
        return f"S3Store({self._bucket!r})"

    def check(self) -> None:
        """See `ObjectStore`."""
        try:
            with _engine():
                self._client.head_bucket(Bucket=self._bucket)
        except NotFound:
            raise Unavailable("the bucket does not exist") from None

    def put(self, key: str, data: bytes) -> None:
        """See `ObjectStore`."""
        with _engine(checked_key(key)):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=data, **self._encrypted)

    def put_file(self, key: str, path: Path) -> None:
        """See `ObjectStore`."""
        with _engine(checked_key(key)):
            self._client.upload_file(str(path), self._bucket, key, ExtraArgs=self._encrypted, Config=_TRANSFER)

    def read(self, key: str, offset: int, length: int) -> bytes:
        """See `ObjectStore`."""
        if length == 0:  # S3 has no empty range
            if offset > self.size(key):
                raise Damaged("a range past the end of an object")
            return b""
        with _engine(checked_key(key)):
            wanted = f"bytes={offset}-{offset + length - 1}"
            answer = self._client.get_object(Bucket=self._bucket, Key=key, Range=wanted)
            with answer["Body"] as body:
                return whole(body.read(), length)

    def size(self, key: str) -> int:
        """See `ObjectStore`."""
        with _engine(checked_key(key)):
            return self._client.head_object(Bucket=self._bucket, Key=key)["ContentLength"]

    def listing(self, prefix: str = "") -> Iterator[StoredObject]:
        """See `ObjectStore`."""
        with _engine():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                for found in page.get("Contents", ()):
                    yield StoredObject(found["Key"], found["Size"], found["LastModified"].timestamp())

    def keys(self, prefix: str = "") -> Iterator[str]:
        """See `ObjectStore`."""
        return (found.key for found in self.listing(prefix))

    def delete(self, key: str) -> None:
        """See `ObjectStore`."""
        with _engine(checked_key(key)):
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def local_path(self, key: str) -> None:  # noqa: ARG002  # the contract's signature
        """See `ObjectStore`."""
        return


@contextmanager
def _engine(key: str = "") -> Iterator[None]:
    """boto3's errors in the archive's words; the texts of boto3 stay in the chained exception."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise _ANSWERS.get(code, Unavailable)(f"{code} {key}".strip()) from error
    except (BotoCoreError, Boto3Error, OSError) as error:
        raise Unavailable(f"object store: {type(error).__name__}") from error
