"""Pages of other origins that may call the programming interface (Fetch Standard 3.2, CORS).

Law: nobody, unless PACS_CORS_ORIGINS names them. Such a page sends a bearer token; a session cookie never counts for it
(no Access-Control-Allow-Credentials), so a foreign page cannot borrow a person's session. Our pages are never shared.
"""

import re
from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from pacs.errors import Misconfigured

SHARED = ("/dicom-web", "/iiif")
METHODS = ("GET", "HEAD", "POST", "DELETE")
ALLOWED = ("Accept", "Authorization", "Content-Type", "If-None-Match", "If-Range", "Range", "X-Request-ID")
EXPOSED = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Length",
    "Content-Location",
    "Content-Range",
    "Content-Type",
    "ETag",
    "Location",
    "Retry-After",
    "Warning",
    "X-Request-ID",
)
MAX_AGE = 7200  # seconds; more than any browser keeps a preflight
ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+|\*")


def parse_origins(text: str) -> Sequence[str]:
    """The origins of a setting, separated by spaces or commas; raises Misconfigured."""
    origins = re.split(r"[\s,]+", text.strip()) if text.strip() else []
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise Misconfigured(f"PACS_CORS_ORIGINS: {origin} is not like https://viewer.example")
    return origins


class CrossOrigin:
    """ASGI middleware: answers preflights and marks answers for the origins that may read them."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._shared = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=ALLOWED,
            expose_headers=EXPOSED,
            max_age=MAX_AGE,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Share the programming interface and nothing else."""
        shared = scope["type"] == "http" and scope["path"].startswith(SHARED)
        await (self._shared if shared else self._app)(scope, receive, send)
