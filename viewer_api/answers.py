"""Answers that browsers and viewers may ask for in part or keep: ETag, 304, Range, gzip, zstd (RFC 9110 8.8.3, 13, 14).

Law: a strong ETag is made from what the answer is made from (digests, parameters), never from the time. Patients' data
is ``private``: kept by the browser of the person who may see it, by nothing on the way.
"""

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256

import imagecodecs
from fastapi import Request
from starlette.responses import Response, StreamingResponse

from viewer_api.problems import RangeNotSatisfiable, problem

IMMUTABLE = "private, max-age=86400, immutable"  # the address names content that never changes
REVALIDATE = "private, no-cache"  # kept, but asked about each time
PIECE = 1024 * 1024  # bytes of a large answer that are in memory at a time

Read = Callable[[int, int], bytes]  # offset, length


def etag(*parts: object) -> str:
    """A strong entity tag of ``parts``."""
    return '"' + sha256("\0".join(str(p) for p in parts).encode()).hexdigest()[:32] + '"'


def is_kept(request: Request, tag: str) -> bool:
    """Whether the client says that it holds ``tag`` (If-None-Match, weak comparison)."""
    sent = request.headers.get("if-none-match", "")
    return sent == "*" or tag in {t.strip().removeprefix("W/") for t in sent.split(",")}


def not_modified(tag: str, cache_control: str) -> Response:
    """304 with what a cache has to know again."""
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": cache_control})


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """First and one-past-last byte of a single range; None: send all; RangeNotSatisfiable outside of ``size``."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if found is None or not (found[1] or found[2]):
        return None  # RFC 9110 14.2: a range that cannot be understood (or several) may be ignored
    if not found[1]:
        start, end = max(0, size - int(found[2])), size
    else:
        start, end = int(found[1]), min(size, int(found[2]) + 1 if found[2] else size)
    if start >= end:
        raise RangeNotSatisfiable
    return start, end


def whole_or_part(
    request: Request, body: bytes, *, media_type: str, tag: str, cache_control: str = IMMUTABLE
) -> Response:
    """``body``, or the range of it that was asked for, or 304."""
    read: Read = lambda start, size: body[start : start + size]  # noqa: E731  # a name for what the type says
    return ranged(request, len(body), read, media_type=media_type, tag=tag, cache_control=cache_control)


def ranged(
    request: Request, size: int, read: Read, *, media_type: str, tag: str, cache_control: str = IMMUTABLE
) -> Response:
    """Content of ``size`` bytes, or the range of it that was asked for, or 304; read piece by piece as it is sent."""
    if is_kept(request, tag):
        return not_modified(tag, cache_control)
    headers = {"ETag": tag, "Cache-Control": cache_control, "Accept-Ranges": "bytes", "Content-Type": media_type}
    asked = request.headers.get("range", "") if request.headers.get("if-range", tag) == tag else ""
    try:
        part = parse_range(asked, size)
    except RangeNotSatisfiable as error:
        return problem(416, str(error), headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"})
    start, end = part or (0, size)
    if part:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    status = 206 if part else 200
    first = read(start, min(end - start, PIECE))  # now, so that a refusal is still a problem
    if end - start <= PIECE:
        return Response(first, status, headers)
    headers["Content-Length"] = str(end - start)
    return StreamingResponse(_pieces(first, read, start + PIECE, end), status, headers)


def _pieces(first: bytes, read: Read, start: int, end: int) -> Iterator[bytes]:
    yield first
    for position in range(start, end, PIECE):
        yield read(position, min(PIECE, end - position))


def streamed(
    request: Request, chunks: Iterable[bytes], *, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """A text stream, in gzip when the client takes it."""
    fields = {**(headers or {}), "Vary": "Accept, Accept-Encoding"}
    if takes_gzip(request):
        fields["Content-Encoding"] = "gzip"
        chunks = gzipped(chunks)
    return StreamingResponse(chunks, headers=fields, media_type=media_type)


def squeezed(request: Request, body: bytes, *, media_type: str, headers: Mapping[str, str] | None = None) -> Response:
    """A whole text, in the best content coding that the client takes."""
    coding = content_coding(request)
    fields = {**(headers or {}), "Vary": "Accept, Accept-Encoding"}
    if coding:
        fields["Content-Encoding"] = coding
    return Response(coded(body, coding), headers=fields, media_type=media_type)


def takes_gzip(request: Request) -> bool:
    """Whether Accept-Encoding names gzip without forbidding it."""
    return takes(request, "gzip")


def takes(request: Request, coding: str) -> bool:
    """Whether Accept-Encoding names this content coding without forbidding it (RFC 9110 12.5.3)."""
    found = re.search(rf"\b{coding}\b\s*(?:;\s*q=([\d.]+))?", request.headers.get("accept-encoding", ""))
    return found is not None and found[1] not in {"0", "0.0", "0.00", "0.000"}


def content_coding(request: Request) -> str:
    """The best content coding that the client takes, "" for none."""
    return next((coding for coding in CODINGS if takes(request, coding)), "")


def coded(body: bytes, coding: str) -> bytes:
    """A whole body in one of `CODINGS`."""
    return CODINGS[coding](body) if coding else body


def gzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """``chunks`` as one gzip stream (RFC 1952); level 4: metadata shrinks eightfold at 100 MB/s."""
    squeeze = zlib.compressobj(4, zlib.DEFLATED, 31)
    for chunk in chunks:
        if out := squeeze.compress(chunk):
            yield out
    yield squeeze.flush()


def _zstandard(body: bytes) -> bytes:
    return bytes(imagecodecs.zstd_encode(body, level=3))


def _gzip(body: bytes) -> bytes:
    return b"".join(gzipped((body,)))


CODINGS: Mapping[str, Callable[[bytes], bytes]] = {"zstd": _zstandard, "gzip": _gzip}  # denser and faster first
