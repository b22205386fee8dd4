"""OHIF's page, our configuration of it, and its files.

Law: OHIF expects its files at the root of the origin. Each is given by its exact name, known at the start, so that no
path can be made up. Its files hold no patients and need no session; its page leads to sign-in as ours do. Its policies
are wider than that of our pages and hold for its page and files alone.
"""

import gzip
import mimetypes
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from pacs.errors import NotFound
from viewer_api.answers import etag, is_kept, not_modified, takes_gzip
from viewer_api.session import SignedIn

HERE = Path(__file__).parent
FOLDER = HERE.parent / "web" / "ohif"

FOR_EVER = "public, max-age=31536000, immutable"  # the name holds a digest of the content
ASK = "public, no-cache"

# what loads a service worker or makes an app of its own out of this one page
UNWANTED = re.compile(rb'<script[^>]*src="/init-service-worker\.js"[^>]*></script>|<link rel="manifest"[^>]*>')
INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)

PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'{scripts}; worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:; media-src 'self' blob:; object-src 'self' blob:; frame-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A worker obeys the policy that its script is sent with. The decoders, C++ made WebAssembly, make their bindings from
# text ("new Function"), so they may; the page itself, where a name of a patient could do harm, may not.
WORKER_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval'; worker-src 'self' blob:; "
    "connect-src 'self' data: blob:; frame-ancestors 'none'"
)
ISOLATION = {  # both are needed for SharedArrayBuffer, also on the scripts of workers
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


@dataclass(frozen=True, slots=True)
class File:
    """One file as it lies there; ``squeezed`` when only its gzip form is kept."""

    path: Path
    media_type: str
    squeezed: bool
    cache_control: str

    @property
    def tag(self) -> str:
        """The entity tag: set-up writes a file anew whenever it changes."""
        status = self.path.stat()
        return etag(self.path.name, status.st_size, status.st_mtime_ns)


def files_of(folder: Path) -> Mapping[str, File]:
    """Every file by the name that browsers know; nothing when OHIF is not installed."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
        name = path.relative_to(folder).as_posix()
        squeezed = name.endswith(".gz")
        name = name.removesuffix(".gz")
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        hashed = re.search(r"(^|\.)[0-9a-f]{16}\.", name) is not None
        found[name] = File(path, media_type, squeezed, FOR_EVER if hashed else ASK)
    return found


def page_of(index: bytes) -> tuple[bytes, str]:
    """OHIF's page without what we do not want, and the policy that lets its own inline scripts run by digest."""
    html = UNWANTED.sub(b"", index)
    digests = (b64encode(sha256(script).digest()).decode() for script in INLINE.findall(html))
    return html, PAGE_POLICY.format(scripts="".join(f" 'sha256-{digest}'" for digest in digests))


def ohif(folder: Path = FOLDER) -> APIRouter:
    """The routes of one installed OHIF; without one, its page says so and the rest of the archive works."""
    router = APIRouter(include_in_schema=False)
    files = dict(files_of(folder))
    index = files.pop("index.html", None)
    html, policy = page_of(gzip.decompress(index.path.read_bytes())) if index else (b"", "")
    page_headers = {"Content-Security-Policy": policy, **ISOLATION, "Cache-Control": "no-cache"}
    file_headers = {"Content-Security-Policy": WORKER_POLICY, **ISOLATION}

    @router.get("/viewer")
    def viewer(_session: SignedIn) -> Response:
        """OHIF; the studies are in the query, which only its script reads."""
        if not html:
            raise NotFound("OHIF is not installed: make setup")
        return Response(html, headers=page_headers, media_type="text/html; charset=utf-8")

    config = File(HERE / "app-config.js", "text/javascript", squeezed=False, cache_control=ASK)
    for name, file in [*files.items(), ("app-config.js", config)]:
        router.add_route(f"/{name}", partial(give, file=file, headers=file_headers), methods=["GET"])
    return router


def give(request: Request, *, file: File, headers: Mapping[str, str]) -> Response:
    """A file, compressed as it lies there when the browser takes that."""
    tag = file.tag
    if is_kept(request, tag):
        return not_modified(tag, file.cache_control)
    fields = {**headers, "ETag": tag, "Cache-Control": file.cache_control, "Vary": "Accept-Encoding"}
    body = file.path.read_bytes()
    if file.squeezed and takes_gzip(request):
        fields["Content-Encoding"] = "gzip"
    elif file.squeezed:
        body = gzip.decompress(body)
    return Response(body, headers=fields, media_type=file.media_type)
