"""Objects in an S3-compatible store, through the MinIO SDK: the cheaper client where the credential chain isn't needed.

Law: the contract is `storage.objects.contract`; only this module knows the SDK.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error
from minio.sse import Sse

from pacs.errors import ArchiveError, Damaged, NotFound, Unavailable
from storage.objects.contract import PART_SIZE, StoredObject, checked_key, whole

_ANSWERS: dict[str, type[ArchiveError]] = {"NoSuchKey": NotFound, "InvalidRange": Damaged}
_HEADERS = {
    "ServerSideEncryption": "X-Amz-Server-Side-Encryption",
    "SSEKMSKeyId": "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id",
}


class _Encryption(Sse):
    """Any server-side encryption of the contract; the SDK's own classes cannot ask for KMS with the default key."""

    def __init__(self, encrypted: dict[str, str]) -> None:
        self._headers = {_HEADERS[name]: value for name, value in encrypted.items()}

    def headers(self) -> dict[str, str]:
        return dict(self._headers)

    def tls_required(self) -> bool:
        return False  # no key of ours is in the request

    def copy_headers(self) -> dict[str, str]:
        return {}


class MinioStore:
    """The object store in one bucket."""

    def __init__(
        self,
        *,
        endpoint: str,
        access_key: str,
        secret_key: str,
        bucket: str,
        secure: bool,
        region: str,
        encrypted: dict[str, str],
    ) -> None:
        # the SDK's default waits five minutes for an answer, five times over
        http = urllib3.PoolManager(
            maxsize=16,
            timeout=urllib3.Timeout(connect=5, read=60),
            retries=urllib3.Retry(total=3, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504)),
        )
        self._client = Minio(
            endpoint, access_key=access_key, secret_key=secret_key, secure=secure, region=region, http_client=http
        )
        self._bucket = bucket
        self._sse = _Encryption(encrypted) if encrypted else None

    def __repr__(self) -> str:
        return f"MinioStore({self._bucket!r})"

    def check(self) -> None:
        """See `ObjectStore`."""
        with _engine():
            if not self._client.bucket_exists(bucket_name=self._bucket):
                raise Unavailable("the bucket does not exist")

    def put(self, key: str, data: bytes) -> None:
        """See `ObjectStore`."""
        with _engine(checked_key(key)):
            self._client.put_object(
                bucket_name=self._bucket,
                object_name=key,
                data=BytesIO(data),
                length=len(data),
                part_size=PART_SIZE,
                sse=self._sse,
            )

    def put_file(self, key: str, path: Path) -> None:
        """See `ObjectStore`."""
        with _engine(checked_key(key)), path.open("rb") as file:
            self._client.put_object(
                bucket_name=self._bucket,
                object_name=key,
                data=file,
                length=path.stat().st_size,
                part_size=PART_SIZE,
                sse=self._sse,
            )

    def read(self, key: str, offset: int, length: int) -> bytes:
        """See `ObjectStore`."""
        if length == 0:  # S3 has no empty range, and the SDK takes 0 for "to the end"
            return self._nothing(key, offset)
        with _engine(checked_key(key)):
            answer = self._client.get_object(bucket_name=self._bucket, object_name=key, offset=offset, length=length)
            try:
                return whole(answer.read(), length)
            finally:
                answer.close()
                answer.release_conn()

    def size(self, key: str) -> int:
        """See `ObjectStore`."""
        with _engine(checked_key(key)):
            return self._client.stat_object(bucket_name=self._bucket, object_name=key).size or 0

    def listing(self, prefix: str = "") -> Iterator[StoredObject]:
        """See `ObjectStore`."""
        with _engine():
            for found in self._client.list_objects(bucket_name=self._bucket, prefix=prefix, recursive=True):
                modified = found.last_modified.timestamp() if found.last_modified else 0.0
                yield StoredObject(found.object_name or "", found.size or 0, modified)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """See `ObjectStore`."""
        return (found.key for found in self.listing(prefix))

    def delete(self, key: str) -> None:
        """See `ObjectStore`."""
        with _engine(checked_key(key)):
            self._client.remove_object(bucket_name=self._bucket, object_name=key)

    def local_path(self, key: str) -> None:  # noqa: ARG002  # the contract's signature
        """See `ObjectStore`."""
        return

    def _nothing(self, key: str, offset: int) -> bytes:
        if offset > self.size(key):
            raise Damaged("a range past the end of an object")
        return b""


@contextmanager
def _engine(key: str = "") -> Iterator[None]:
    """The SDK's errors in the archive's words; the texts of the SDK stay in the chained exception."""
    try:
        yield
    except S3Error as error:
        raise _ANSWERS.get(error.code or "", Unavailable)(f"{error.code} {key}".strip()) from error
    except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise Unavailable(f"object store: {type(error).__name__}") from error
