from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from minio import Minio

from pacs.errors import Misconfigured, Unavailable
from storage.objects import PART_SIZE, open_objects
from storage.objects.contract import encryption
from storage.objects.minio_sdk import MinioStore
from storage.objects.s3 import S3Store

if TYPE_CHECKING:
    from tests.conftest import S3Endpoint


def remote_urls(endpoint: "S3Endpoint") -> list[str]:
    """One new bucket for each SDK."""
    return [endpoint.minio_url(endpoint.new_bucket()), endpoint.s3_url(endpoint.new_bucket())]


def test_no_bucket(s3_endpoint: "S3Endpoint", aws_keys: None) -> None:
    """A bucket that isn't there is Unavailable at the check, not NotFound: no object was asked for."""
    for url in (s3_endpoint.minio_url("no-such-bucket"), s3_endpoint.s3_url("no-such-bucket")):
        with pytest.raises(Unavailable):
            open_objects(url).check()


def test_nobody_answers(aws_keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that doesn't answer is Unavailable, and no message, repr or cause shown to a client has the secret."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for url in ("minio://name:secret-word@127.0.0.1:9/bucket?secure=0", "s3://bucket?endpoint=http://127.0.0.1:9"):
        store = open_objects(url)
        with pytest.raises(Unavailable) as caught:
            store.read("one", 0, 1)
        assert "secret" not in f"{caught.value}{caught.value!r}{store!r}{store}"


def test_wrong_secret(s3_endpoint: "S3Endpoint") -> None:
    """Keys that the store refuses make it Unavailable, and stay out of the message."""
    store = open_objects(f"minio://archive:wrong-secret@{s3_endpoint.address}/{s3_endpoint.new_bucket()}?secure=0")
    with pytest.raises(Unavailable) as caught:
        store.put("one", b"1")
    assert "wrong-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "folder",
        "file://relative/folder",
        "ftp://somewhere/else",
        "minio://127.0.0.1:9000/bucket",
        "minio://key:hidden@127.0.0.1:9000",
        "minio://key:hidden@127.0.0.1:9000/bucket/folder",
        "minio://key:hidden@127.0.0.1:port/bucket",
        "s3://",
        "s3://key:hidden@bucket",
        "s3://bucket/folder",
    ],
)
def test_addresses_that_make_no_sense(url: str) -> None:
    """A wrong address is refused at the start, without repeating the secret in it."""
    with pytest.raises(Misconfigured) as caught:
        open_objects(url)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("sse", "parameters"),
    [
        ("", {}),
        ("AES256", {"ServerSideEncryption": "AES256"}),
        ("aws:kms", {"ServerSideEncryption": "aws:kms"}),
        ("aws:kms:arn:aws:kms:x:key/1", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:x:key/1"}),
    ],
)
def test_encryption_parameters(sse: str, parameters: dict[str, str]) -> None:
    """The setting says exactly what is asked of S3."""
    assert encryption(sse) == parameters


@pytest.mark.parametrize("sse", ["aes256", "kms", "aws:kmskey"])
def test_encryption_that_does_not_exist(sse: str) -> None:
    """A typing error must not mean unencrypted."""
    with pytest.raises(Misconfigured):
        open_objects("s3://bucket?region=us-east-1", sse=sse)
    with pytest.raises(Misconfigured):
        open_objects("file:///objects", sse="AES256")


@pytest.mark.parametrize("size", [10, PART_SIZE + 1])
def test_encrypted_at_rest(s3_endpoint: "S3Endpoint", aws_keys: None, tmp_path: Path, size: int) -> None:
    """Encryption that was asked for is what the store reports for the object, put in one part or in several."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    asking = Minio(
        s3_endpoint.address, access_key=s3_endpoint.access_key, secret_key=s3_endpoint.secret_key, secure=False
    )
    for url in remote_urls(s3_endpoint):
        store = open_objects(url, sse="AES256")
        store.put_file("one", path)
        bucket = urlsplit(url).netloc if url.startswith("s3:") else urlsplit(url).path[1:]
        headers = asking.stat_object(bucket_name=bucket, object_name="one").metadata
        assert headers is not None
        assert headers["x-amz-server-side-encryption"] == "AES256"
        assert store.read("one", 3, 4) == b"xxxx"


def test_encryption_by_a_key_of_the_site(s3_endpoint: "S3Endpoint", aws_keys: None) -> None:
    """The key of the site's KMS is asked for by both SDKs (watched on the wire: the test's S3 has no such key)."""
    asked: list[dict[str, str]] = []
    through_boto3 = open_objects(s3_endpoint.s3_url(s3_endpoint.new_bucket()), sse="aws:kms:site-key")
    assert isinstance(through_boto3, S3Store)
    through_boto3._client.meta.events.register(
        "before-send.s3.PutObject",
        lambda request, **_: asked.append({k.lower(): v for k, v in request.headers.items()}),
    )
    through_minio = open_objects(s3_endpoint.minio_url(s3_endpoint.new_bucket()), sse="aws:kms:site-key")
    assert isinstance(through_minio, MinioStore)
    wire = through_minio._client._http
    send = wire.urlopen

    def watched(method: str, url: str, **given: Any) -> Any:
        asked.append({name.lower(): value for name, value in given["headers"].items()})
        return send(method, url, **given)

    wire.urlopen = watched  # type: ignore[method-assign, assignment]  # the wire, not our code
    for store in (through_boto3, through_minio):
        with suppress(Unavailable):
            store.put("one", b"1")
    assert len(asked) >= 2
    for headers in asked:
        values = [headers[f"x-amz-server-side-encryption{rest}"] for rest in ("", "-aws-kms-key-id")]
        assert [v.decode() if isinstance(v, bytes) else v for v in values] == ["aws:kms", "site-key"]
