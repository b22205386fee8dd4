"""Delete studies, series and instances, as every archive does though PS3.18 has no such transaction.

Law: only a token that was issued for it may delete, and whoever tries is recorded. What is deleted can be restored
(`pacs undelete`) until its grace time is over; that is the archive's business, not that of a request.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pacs.errors import NotAllowed
from storage.access import Session
from storage.archive import Actor, Archive
from storage.audit import Event, record
from viewer_api.dicomweb.addresses import Held
from viewer_api.session import SignedIn

router = APIRouter(tags=["Delete"])

STATUSES: dict[int | str, dict[str, Any]] = {
    204: {"description": "Deleted"},
    400: {"description": "Not a UID, or a reason that is too long"},
    401: {"description": "Not signed in"},
    403: {"description": "The token may not delete"},
    404: {"description": "There is no such study, series or instance"},
    503: {"description": "A part of the archive does not answer"},
}

Reason = Annotated[str, Query(max_length=200, description="Why; kept in the audit.")]


@router.delete("/studies/{study}", status_code=204, responses=STATUSES)
def delete_study(request: Request, session: SignedIn, archive: Held, study: str, reason: Reason = "") -> Response:
    """Delete a study."""
    return delete(request, session, archive, (study, None, None), reason)


@router.delete("/studies/{study}/series/{series}", status_code=204, responses=STATUSES)
def delete_series(
    request: Request, session: SignedIn, archive: Held, study: str, series: str, *, reason: Reason = ""
) -> Response:
    """Delete a series of a study."""
    return delete(request, session, archive, (study, series, None), reason)


@router.delete("/studies/{study}/series/{series}/instances/{instance}", status_code=204, responses=STATUSES)
def delete_instance(
    request: Request, session: SignedIn, archive: Held, study: str, *, series: str, instance: str, reason: Reason = ""
) -> Response:
    """Delete one instance."""
    return delete(request, session, archive, (study, series, instance), reason)


def delete(
    request: Request, session: Session, archive: Archive, uids: tuple[str, str | None, str | None], reason: str
) -> Response:
    """Delete what the UIDs name. Raises NotAllowed, recorded; NotFound."""
    source = f"http:{request.client.host}" if request.client else ""
    study, series, instance = uids
    if not session.may_delete:
        refused = Event(
            subject=session.subject,
            source=source,
            act="delete",
            outcome="failure",
            study_instance_uid=study,
            series_instance_uid=series or "",
            sop_instance_uid=instance or "",
            detail={"reason": reason},
        )
        record(archive.index, session.hospital, refused)
        raise NotAllowed("this token may not delete")
    archive.delete(session.hospital, study, series, instance, by=Actor(session.subject, source, reason))
    return Response(status_code=204)
