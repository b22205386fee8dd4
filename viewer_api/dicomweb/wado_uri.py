"""WADO-URI: one instance or picture by query parameters, for links in old systems (PS3.18 9).

Law: a parameter that would change what is shown and that we do not know is refused, never ignored: a picture that was
asked for without names must not come with them.
"""

from fastapi import APIRouter, Request
from starlette.responses import Response

from pacs.errors import InvalidRequest, NotAcceptable
from pacs.model import StoredInstance
from storage.access import Session
from storage.archive import Archive
from viewer_api.dicomweb import documents, retrieve
from viewer_api.dicomweb.addresses import Held
from viewer_api.dicomweb.frames import frame_numbers
from viewer_api.dicomweb.looks import Look
from viewer_api.dicomweb.rendered import MEDIA_TYPES, has_picture, render
from viewer_api.media_types import DICOM, MediaRange, acceptable
from viewer_api.session import SignedIn

router = APIRouter(tags=["WADO-URI"])

_UNSUPPORTED = ("anonymize", "annotation", "presentationUID", "presentationSeriesUID", "overlays")


@router.get("/wado")
def wado(request: Request, session: SignedIn, archive: Held) -> Response:
    """An instance (``contentType=application/dicom``) or a picture of one of its frames."""
    asked = request.query_params
    if asked.get("requestType") != "WADO":
        raise InvalidRequest("requestType is WADO")
    for name in _UNSUPPORTED:
        if asked.get(name):
            raise InvalidRequest(f"{name} is not supported")
    try:
        uids = [asked[name] for name in ("studyUID", "seriesUID", "objectUID")]
    except KeyError as error:
        raise InvalidRequest(f"{error.args[0]} is missing") from None
    (stored,) = archive.instances(session.hospital, *uids)
    for wanted in acceptable([asked.get("contentType") or usual(request, session, archive, stored)]):
        answer = attempt(request, session, archive, stored, wanted)
        if answer is not None:
            return answer
    raise NotAcceptable(f"available: {DICOM}, {', '.join(MEDIA_TYPES)}")


def usual(request: Request, session: Session, archive: Archive, stored: StoredInstance) -> str:
    """What is given to who names no content type (PS3.18 9.1.2.1.4)."""
    other = documents.other_media_type(archive, session.hospital, stored)
    if other == documents.PDF:
        return other
    alone = stored.number_of_frames <= 1 or "frameNumber" in request.query_params
    return MEDIA_TYPES[0] if alone and has_picture(stored) and not other else DICOM


def attempt(
    request: Request, session: Session, archive: Archive, stored: StoredInstance, wanted: MediaRange
) -> Response | None:
    """The instance in one content type; None when there is no such thing."""
    asked = request.query_params
    if wanted.covers(DICOM):
        syntax = asked.get("transferSyntax", wanted.transfer_syntax)
        ranges = (MediaRange(DICOM, {"transfer-syntax": syntax}, 1.0),)
        return retrieve.instances(request, session, archive, [stored], ranges)
    other = documents.other_media_type(archive, session.hospital, stored)
    if other:
        return documents.send(request, session, archive, stored, other) if wanted.covers(other) else None
    if not any(wanted.covers(offer) for offer in MEDIA_TYPES):
        return None
    (frame,) = frame_numbers(asked.get("frameNumber", "1"), stored) if has_picture(stored) else (1,)
    return render(request, session, stored, frame, look(request, stored, wanted))


def look(request: Request, stored: StoredInstance, wanted: MediaRange) -> Look:
    """The look that WADO-URI's own parameters ask for (PS3.18 9.1.2.2)."""
    asked = request.query_params
    window = ",".join(asked[name] for name in ("windowCenter", "windowWidth") if asked.get(name))
    size = f"{asked.get('columns', '')},{asked.get('rows', '')}"
    viewport = "" if size == "," else size
    if asked.get("region"):
        viewport = f"{size},{_region(asked['region'], stored)}"
    return Look(window, viewport, asked.get("imageQuality", "90"), (wanted,))


def _region(text: str, stored: StoredInstance) -> str:
    """Fractions of the image, left, top, right and bottom, as x, y, width and height in pixels."""
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
        if not 0 <= left < right <= 1 or not 0 <= top < bottom <= 1:
            raise ValueError  # noqa: TRY301  # one answer for every way to be wrong
    except ValueError:
        raise InvalidRequest("region is left,top,right,bottom, each from 0 to 1") from None
    x, y = round(left * stored.columns), round(top * stored.rows)
    return f"{x},{y},{round(right * stored.columns) - x},{round(bottom * stored.rows) - y}"
