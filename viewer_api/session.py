"""Who is asking: a session cookie of a browser or a bearer token of a program.

Law: the hospital of a request comes from its token and from nothing the client writes elsewhere. A cookie travels with
every request a browser makes, so a change asked with a cookie must come from our own pages (Origin); a bearer token is
never sent by accident. Tokens never appear in logs or answers.
"""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from pacs.errors import NotAllowed, NotSignedIn
from storage.access import Access, Session
from viewer_api.words import remember_language

COOKIE = "pacs_session"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

router = APIRouter()


def access_of(request: Request) -> Access:
    """The tokens of this application."""
    access: Access = request.app.state.access
    return access


def token_of(request: Request) -> str:
    """The token of a request; raises NotAllowed when another site's page makes a browser ask for a change."""
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and bearer:
        return bearer.strip()
    cookie = request.cookies.get(COOKIE, "")
    if cookie and request.method not in SAFE_METHODS and not from_our_pages(request):
        raise NotAllowed("the request comes from another site")
    return cookie


def from_our_pages(request: Request) -> bool:
    """Whether the browser says that one of our own pages asks."""
    site = request.headers.get("sec-fetch-site")  # sent over https and to localhost
    if site is not None:
        return site == "same-origin"
    return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")


def signed_in(request: Request, access: Annotated[Access, Depends(access_of)]) -> Session:
    """The session of a request; raises NotSignedIn."""
    token = token_of(request)
    session = access.check(token) if token else None
    if session is None:
        raise NotSignedIn
    return session


SignedIn = Annotated[Session, Depends(signed_in)]


def redeem(request: Request, access: Access, link: str) -> Response:
    """Turn a one-time link into a session cookie and lead to the worklist; NotSignedIn for a used or late link."""
    response = RedirectResponse("/", 303)
    response.set_cookie(
        COOKIE,
        access.redeem(link),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
        path="/",
    )
    return remember_language(request, response)


@router.post("/sign-out", include_in_schema=False)
def sign_out(request: Request, _session: SignedIn, access: Annotated[Access, Depends(access_of)]) -> Response:
    """End the session of this browser, here and in the archive."""
    access.revoke(token_of(request))
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
    return response
