"""The page of those whom the hospital knows, and of those who called without being known.

Law: what a click admits may do what a modality needs, no more; other rights are given by `pacs modality add`. Every
click is in the audit. Only the hospital of the session is seen and changed.
"""

from datetime import datetime

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from pacs.modalities import Right
from storage.audit import Event, record
from storage.index.registry import hospitals, modalities
from storage.index.strangers import admit_seen, seen
from viewer_api.dicomweb.addresses import Held
from viewer_api.looks import page
from viewer_api.pages import ZONE
from viewer_api.session import SignedIn

router = APIRouter(prefix="/admin/modalities", include_in_schema=False)


@router.get("")
def known_and_seen(request: Request, session: SignedIn, archive: Held) -> Response:
    """Who may do what, and who called in vain, latest first."""
    index, hospital = archive.index, session.hospital
    return page(
        request,
        "modalities.html",
        known=[one for one in modalities(index) if one.hospital == hospital],
        strangers=seen(index, hospital),
        ae_title=next((one.ae_title for one in hospitals(index) if one.hospital == hospital), ""),
        rights=tuple(Right),
        moment=moment,
    )


@router.post("/seen/{stranger}")
def admit(request: Request, session: SignedIn, archive: Held, stranger: int) -> Response:
    """Let one of those who called come in; raises NotFound for one that called somebody else."""
    ae_title, address = admit_seen(archive.index, session.hospital, stranger)
    admitted = Event(
        subject=session.subject,
        source=f"http:{request.client.host}" if request.client else "",
        act="admit modality",
        outcome="success",
        detail={"ae_title": ae_title, "address": address},
    )
    record(archive.index, session.hospital, admitted)
    return RedirectResponse("/admin/modalities", 303)


def moment(at: datetime) -> str:
    """A point in time as people here write it."""
    return at.astimezone(ZONE).strftime("%d/%m/%Y %H:%M")
