"""The page that lets people in, by a one-time link.

Law: a link signs in by being opened, as its name says; it works once, so a copy in a history or a log is worthless.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from pacs.errors import ArchiveError
from storage.access import Access
from viewer_api.looks import page
from viewer_api.session import access_of, redeem

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
def sign_in(request: Request, access: Annotated[Access, Depends(access_of)], link: str = "") -> Response:
    """Redeem a link, or explain how to get one."""
    if not link:
        return page(request, "sign_in.html", used=False)
    try:
        return redeem(request, access, link)
    except ArchiveError:
        return page(request, "sign_in.html", status=401, used=True)
