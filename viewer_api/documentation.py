"""The programming interface, described for programs (OpenAPI) and for people.

Law: nothing is loaded from elsewhere, so the usual viewer of OpenAPI documents is not here.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from viewer_api.looks import page
from viewer_api.session import SignedIn

router = APIRouter(prefix="/api", include_in_schema=False)


@router.get("/openapi.json")
def openapi(request: Request, _session: SignedIn) -> Response:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())


@router.get("/docs")
def docs(request: Request, _session: SignedIn) -> Response:
    """All paths by group, for reading."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for group, entry in paths(request.app.openapi()):
        groups.setdefault(group, []).append(entry)
    return page(request, "api.html", groups=groups.items())


def paths(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each operation of an OpenAPI document with its group."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            entry = {"method": method.upper(), "path": path, "summary": operation.get("description", "")}
            yield operation.get("tags", ["Other"])[0], entry
