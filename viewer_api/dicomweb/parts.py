"""Answers of several parts (PS3.18 8.6.1.2).

Law: streamed, one part in memory at a time; no ranges, and it says so.
"""

from collections.abc import Iterator

from starlette.responses import Response, StreamingResponse

from viewer_api.media_types import MULTIPART
from viewer_api.multipart import new_boundary, write_parts

Parts = Iterator[tuple[dict[str, str], bytes]]


def multipart(parts: Parts, root_type: str, *, boundary: str = "", status: int = 200) -> Response:
    """A streamed ``multipart/related`` answer."""
    boundary = boundary or new_boundary()
    content_type = f'{MULTIPART}; type="{root_type}"; boundary={boundary}'
    headers = {"Content-Type": content_type, "Accept-Ranges": "none"}
    return StreamingResponse(write_parts(parts, boundary), status, headers)
