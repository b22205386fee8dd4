import json
import zlib
from collections.abc import Callable

import imagecodecs
import pytest

from tests.viewer_api.conftest import Site
from viewer_api.answers import etag, gzipped, parse_range
from viewer_api.problems import RangeNotSatisfiable


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-99", (0, 100)),
        ("bytes=900-", (900, 1000)),
        ("bytes=-100", (900, 1000)),
        ("bytes=0-5000", (0, 1000)),
        ("bytes=-5000", (0, 1000)),
        ("", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("lines=1-2", None),
    ],
)
def test_a_range_is_cut_to_what_is_there(header: str, expected: tuple[int, int] | None) -> None:
    """Ranges mean what RFC 9110 says; what cannot be understood sends all."""
    assert parse_range(header, 1000) == expected


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=5-4", "bytes=-0"])
def test_a_range_outside_is_refused(header: str) -> None:
    """Nothing is not a part."""
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, 1000)


def test_tags_tell_parts_apart() -> None:
    """Values that only read alike together have different tags."""
    assert etag("ab", "c") != etag("a", "bc")
    assert etag("a", 1) == etag("a", 1)


def test_a_gzip_stream_is_one_stream() -> None:
    """Pieces come out as one gzip member whose content is theirs."""
    pieces = [b"[", b"1" * 100_000, b"]"]
    assert zlib.decompress(b"".join(gzipped(pieces)), 31) == b"".join(pieces)


@pytest.mark.parametrize(("accepted", "coding"), [("gzip, zstd", "zstd"), ("gzip", "gzip"), ("identity", None)])
def test_search_results_come_in_the_coding_that_the_client_takes(
    filled: Site, accepted: str, coding: str | None
) -> None:
    """The same JSON in zstd, gzip or as it is; caches keep them apart."""
    plain = filled.client().get("/dicom-web/studies", headers={"Accept-Encoding": "identity"}).json()
    with filled.client().stream("GET", "/dicom-web/studies", headers={"Accept-Encoding": accepted}) as answer:
        body = b"".join(answer.iter_raw())
    assert answer.headers.get("Content-Encoding") == coding
    assert "Accept-Encoding" in answer.headers["Vary"]
    undo: dict[str | None, Callable[[bytes], bytes | bytearray]] = {
        "zstd": imagecodecs.zstd_decode,
        "gzip": lambda b: zlib.decompress(b, 31),
        None: bytes,
    }
    assert json.loads(undo[coding](body)) == plain
