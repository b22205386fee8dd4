"""Answers that browsers and viewers may ask for in part or keep: ETag, 304, Range and gzip (RFC 9110 8.8.3, 13, 14).

Law: a strong ETag is made from what the answer is made from (digests, parameters), never from the time. Patients' data
is ``private``: kept by the browser of the person who may see it, by nothing on the way.
"""

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from viewer_api.problems import RangeNotSatisfiable, problem

IMMUTABLE = "private, max-age=86400, immutable"  # the address names content that never changes
REVALIDATE = "private, no-cache"  # kept, but asked about each time


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
    if is_kept(request, tag):
        return not_modified(tag, cache_control)
    headers = {"ETag": tag, "Cache-Control": cache_control, "Accept-Ranges": "bytes", "Content-Type": media_type}
    if request.headers.get("if-range", tag) != tag:
        return Response(body, headers=headers)
    try:
        part = parse_range(request.headers.get("range", ""), len(body))
    except RangeNotSatisfiable as error:
        return problem(416, str(error), headers={"Content-Range": f"bytes */{len(body)}"})
    if part is None:
        return Response(body, headers=headers)
    start, end = part
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(body)}"
    return Response(body[start:end], 206, headers)


def streamed(
    request: Request, chunks: Iterable[bytes], *, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """A text stream, in gzip when the client takes it."""
    fields = {**(headers or {}), "Vary": "Accept, Accept-Encoding"}
    if takes_gzip(request):
        fields["Content-Encoding"] = "gzip"
        chunks = gzipped(chunks)
    return StreamingResponse(chunks, headers=fields, media_type=media_type)


def takes_gzip(request: Request) -> bool:
    """Whether Accept-Encoding names gzip without forbidding it."""
    found = re.search(r"\bgzip\b\s*(?:;\s*q=([\d.]+))?", request.headers.get("accept-encoding", ""))
    return found is not None and float(found[1] or 1) > 0


def gzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """``chunks`` as one gzip stream (RFC 1952); level 4: metadata shrinks eightfold at 100 MB/s."""
    squeeze = zlib.compressobj(4, zlib.DEFLATED, 31)
    for chunk in chunks:
        if out := squeeze.compress(chunk):
            yield out
    yield squeeze.flush()
