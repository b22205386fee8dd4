"""One table from the error tree to HTTP, answered as problem details (RFC 9457).

Law: the table is total over `pacs.errors` (a test walks the subclasses). A client reads the tree's own sentence and
nothing else: text of an unexpected exception may hold a patient's attributes, so it goes to the log alone.
"""

import json
import logging
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from pacs.errors import (
    ArchiveError,
    Damaged,
    InvalidRequest,
    Misconfigured,
    NotAcceptable,
    NotAllowed,
    NotFound,
    NotRenderable,
    NotSignedIn,
    OutOfResources,
    TooBroad,
    Unavailable,
    Unidentified,
    Unreadable,
)
from viewer_api.looks import sorry

log = logging.getLogger(__name__)

STATUS: Mapping[type[ArchiveError], int] = {
    ArchiveError: 500,
    Unreadable: 400,
    Unidentified: 409,
    OutOfResources: 503,  # PS3.18 Table 8.5-1: busy, repeat later
    NotFound: 404,
    InvalidRequest: 400,
    TooBroad: 413,  # PS3.18 Table 10.6.3-1: a narrower query may be answered
    NotAcceptable: 406,
    NotRenderable: 406,  # PS3.18 10.4: no rendered representation exists
    NotSignedIn: 401,
    NotAllowed: 403,
    Unavailable: 503,
    Damaged: 500,
    Misconfigured: 500,
}

HEADERS: Mapping[int, Mapping[str, str]] = {
    401: {"WWW-Authenticate": 'Bearer realm="pacs"'},
    503: {"Retry-After": "5"},
}

UNEXPECTED = "Something unexpected happened; it has been recorded."


class RangeNotSatisfiable(InvalidRequest):
    """The range lies outside of the representation."""


def problem(status: int, title: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """A problem details document (RFC 9457 3) that no cache keeps."""
    body = json.dumps({"type": "about:blank", "title": title, "status": status}, ensure_ascii=False)
    everything = {"Cache-Control": "no-store", **HEADERS.get(status, {}), **(headers or {})}
    return Response(body, status, everything, media_type="application/problem+json")


def status_of(error: Exception) -> int:
    """The status of an error, by the nearest class of the table."""
    return next((status for kind in type(error).__mro__ for known, status in STATUS.items() if kind is known), 500)


def of_archive(request: Request, error: Exception) -> Response:
    """Answer an error of the tree: a problem to programs, a page to people, who are led to sign in if that is all."""
    status = status_of(error)
    if status >= 500:
        log.error("%s on %s: %s", type(error).__name__, request.url.path, error)
    if not wants_page(request):
        return problem(status, str(error))
    return RedirectResponse("/sign-in", 303) if status == 401 else sorry(request, status)


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks for a page, not a program for an API."""
    is_api = request.url.path.startswith(("/dicom-web", "/wado", "/iiif", "/metrics", "/api"))
    return not is_api and "text/html" in request.headers.get("accept", "")


def of_http(request: Request, error: Exception) -> Response:
    """Answer the framework's own refusals (no such path, no such method) in the same form."""
    if not isinstance(error, HTTPException):
        return problem(500, UNEXPECTED)
    if wants_page(request):
        return sorry(request, error.status_code)
    return problem(error.status_code, error.detail, headers=error.headers)


def of_validation(_request: Request, error: Exception) -> Response:
    """Answer parameters of the wrong kind by their names alone, never with the values sent."""
    errors = error.errors() if isinstance(error, RequestValidationError) else ()
    names = ", ".join(sorted({str(e["loc"][-1]) for e in errors}))
    return problem(400, str(InvalidRequest(names)))


def of_anything(request: Request, error: Exception) -> Response:
    """Answer what nobody foresaw with a generic text, and record it."""
    log.error("unexpected %s on %s", type(error).__name__, request.url.path, exc_info=error)
    return sorry(request, 500) if wants_page(request) else problem(500, UNEXPECTED)


def answer_with_problems(app: FastAPI) -> None:
    """Make every error of ``app`` leave by this table."""
    app.add_exception_handler(ArchiveError, of_archive)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, of_validation)
    app.add_exception_handler(Exception, of_anything)
