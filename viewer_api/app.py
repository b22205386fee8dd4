"""The web application, put together.

Law: one application for one archive; what an endpoint needs comes from ``app.state`` through a dependency, so that
tests and processes build their own. Order of the routers is order of matching.
"""

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from pacs import __version__
from pacs.settings import Settings
from storage.access import Access
from storage.archive import Archive
from storage.spool import Spool
from viewer_api import documentation, health, iiif, modalities, pages, session, sign_in, viewer
from viewer_api.cross_origin import CrossOrigin, parse_origins
from viewer_api.dicomweb import bulk, delete, frames, metadata, rendered, retrieve, search, store, wado_uri
from viewer_api.dicomweb.addresses import ROOT
from viewer_api.memory import Memory
from viewer_api.ohif.page import ohif
from viewer_api.openapi import described
from viewer_api.problems import answer_with_problems
from viewer_api.rendering import Renderer
from viewer_api.request_ids import RequestIds
from viewer_api.security import SecurityHeaders

HERE = Path(__file__).parent
PACKAGES = HERE / "web" / "node_modules"


class Assets(StaticFiles):
    """Files without patients in them, which a browser may keep for ``max_age`` seconds before it asks again."""

    def __init__(self, directory: Path, *, max_age: int) -> None:
        super().__init__(directory=directory, check_dir=False)  # without packages the API still works
        self._max_age = max_age

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """The file with its ETag and how long it keeps."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = f"public, max-age={self._max_age}"
        return response

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Only what browsers load; a package's sources, scripts and notes stay inside."""
        if not path.endswith((".css", ".js", ".svg", ".woff", ".woff2", ".png")):
            path = "nothing"
        return await super().get_response(path, scope)


class Application(FastAPI):
    """FastAPI, with what must hold for every answer around all of it."""

    def build_middleware_stack(self) -> ASGIApp:
        """Outside of the answer to unforeseen errors too, which middleware added as usual never sees."""
        stack: ASGIApp = SecurityHeaders(super().build_middleware_stack())
        if origins := parse_origins(self.state.settings.cors_origins):
            stack = CrossOrigin(stack, origins)
        return RequestIds(stack)

    def openapi(self) -> dict[str, Any]:
        """What can be asked and how it is answered, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = described(super().openapi())
        return self.openapi_schema


def create_app(settings: Settings, archive: Archive, spool: Spool, access: Access) -> FastAPI:
    """The application of one archive; opens nothing and closes nothing."""
    parse_origins(settings.cors_origins)  # said at the start, not at the first request
    app = Application(
        title="PACS",
        version=__version__,
        description="DICOMweb (PS3.18), IIIF Image API 3 and the pages of the archive.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.archive = archive
    app.state.spool = spool
    app.state.access = access
    app.state.renderer = Renderer(archive)
    app.state.metadata = Memory(metadata.FINISHED, len)
    answer_with_problems(app)
    for router in (
        search.router,
        metadata.router,
        retrieve.router,
        frames.router,
        bulk.router,
        rendered.router,
        store.router,
        delete.router,
    ):
        app.include_router(router, prefix=ROOT)
    for router in (
        wado_uri.router,
        iiif.router,
        health.router,
        session.router,
        sign_in.router,
        documentation.router,
        viewer.router,
        modalities.router,
        pages.router,
        ohif(),
    ):
        app.include_router(router)
    app.mount("/static", GZipMiddleware(Assets(HERE / "static", max_age=0)))
    app.mount("/packages", GZipMiddleware(Assets(PACKAGES, max_age=604800)))
    return app
