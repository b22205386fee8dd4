"""Rendered instances and frames, and thumbnails (PS3.18 10.4.1.1.3 and 10.4.1.1.4).

Law: parameters mean what PS3.18 8.3.5 says; the picture itself is made by the one renderer. What is shown of an
instance is its first frame, of a video or a document the thing itself. A thumbnail of a series is of its middle
instance, of a study of the middle of its first series with pictures.
"""

from collections.abc import Iterator, Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from pacs.errors import NotAcceptable, NotFound, NotRenderable
from pacs.model import StoredInstance
from storage.access import Session
from storage.archive import Archive
from viewer_api.answers import REVALIDATE
from viewer_api.dicomweb import documents
from viewer_api.dicomweb.accepts import accepted
from viewer_api.dicomweb.addresses import Held, location
from viewer_api.dicomweb.frames import frame_numbers
from viewer_api.dicomweb.looks import Look, look_of
from viewer_api.dicomweb.parts import multipart
from viewer_api.iiif import picture
from viewer_api.media_types import MULTIPART, MediaRange, choose
from viewer_api.rendering import Renderer
from viewer_api.session import SignedIn

router = APIRouter(tags=["WADO-RS"])

MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp")  # the first is the default (PS3.18 Table 8.7.4-1)
THUMBNAIL = "128,128"
INSTANCE = "/studies/{study}/series/{series}/instances/{instance}"
Shown = Sequence[tuple[StoredInstance, int]]


@router.get("/studies/{study}/rendered")
def rendered_study(request: Request, session: SignedIn, archive: Held, study: str) -> Response:
    """All instances of a study that have pictures, rendered."""
    return rendered_all(request, session, archive.instances(session.hospital, study))


@router.get("/studies/{study}/series/{series}/rendered")
def rendered_series(request: Request, session: SignedIn, archive: Held, study: str, series: str) -> Response:
    """All instances of a series that have pictures, rendered."""
    return rendered_all(request, session, archive.instances(session.hospital, study, series))


@router.get(INSTANCE + "/rendered")
def rendered_instance(
    request: Request, session: SignedIn, archive: Held, *, study: str, series: str, instance: str
) -> Response:
    """The first frame of an instance, rendered; a video or document as it is."""
    (stored,) = archive.instances(session.hospital, study, series, instance)
    return shown(request, session, archive, stored)


@router.get(INSTANCE + "/frames/{numbers}/rendered")
def rendered_frames(
    request: Request, session: SignedIn, archive: Held, *, study: str, series: str, instance: str, numbers: str
) -> Response:
    """Frames, rendered."""
    (stored,) = archive.instances(session.hospital, study, series, instance)
    wanted = [(stored, number) for number in frame_numbers(numbers, stored)]
    return render_several(request, session, wanted)


@router.get("/studies/{study}/thumbnail")
def thumbnail_of_study(request: Request, session: SignedIn, archive: Held, study: str) -> Response:
    """A small picture that stands for a study."""
    found = pictured(archive.instances(session.hospital, study))
    first = found[0].identity.series_instance_uid
    return thumbnail_of_middle(request, session, [s for s in found if s.identity.series_instance_uid == first])


@router.get("/studies/{study}/series/{series}/thumbnail")
def thumbnail_of_series(request: Request, session: SignedIn, archive: Held, study: str, series: str) -> Response:
    """A small picture that stands for a series."""
    return thumbnail_of_middle(request, session, pictured(archive.instances(session.hospital, study, series)))


@router.get(INSTANCE + "/thumbnail")
def thumbnail_of_instance(
    request: Request, session: SignedIn, archive: Held, *, study: str, series: str, instance: str
) -> Response:
    """A small picture of an instance."""
    return thumbnail_of_middle(request, session, archive.instances(session.hospital, study, series, instance))


@router.get(INSTANCE + "/frames/{numbers}/thumbnail")
def thumbnail_of_frame(
    request: Request, session: SignedIn, archive: Held, *, study: str, series: str, instance: str, numbers: str
) -> Response:
    """A small picture of a frame."""
    (stored,) = archive.instances(session.hospital, study, series, instance)
    first = frame_numbers(numbers, stored)[0]
    return render(request, session, stored, first, look_of(request, viewport=THUMBNAIL))


def rendered_all(request: Request, session: Session, found: Sequence[StoredInstance]) -> Response:
    """The first frame of each instance that has a picture."""
    return render_several(request, session, [(stored, 1) for stored in pictured(found)])


def pictured(found: Sequence[StoredInstance]) -> Sequence[StoredInstance]:
    """The instances that have a picture; raises NotFound when none has."""
    shown = [stored for stored in found if has_picture(stored)]
    if not shown:
        raise NotFound("a picture")
    return shown


def has_picture(stored: StoredInstance) -> bool:
    """Whether an instance has pixels that may be shown."""
    return bool(stored.rows and stored.columns and stored.frames)


def thumbnail_of_middle(request: Request, session: Session, found: Sequence[StoredInstance]) -> Response:
    """A small picture of the middle frame of the middle instance."""
    stored = found[len(found) // 2]
    look = look_of(request, viewport=THUMBNAIL)
    return render(request, session, stored, max(1, stored.number_of_frames) // 2 + 1, look)


def shown(request: Request, session: Session, archive: Archive, stored: StoredInstance) -> Response:
    """What a person can look at of an instance."""
    media_type = documents.other_media_type(archive, session.hospital, stored)
    if media_type:
        choose(accepted(request), (media_type,))
        return documents.send(request, session, archive, stored, media_type)
    return render_several(request, session, [(stored, 1)])


def render_several(request: Request, session: Session, wanted: Shown) -> Response:
    """One picture alone, unless a multipart is asked for; several as ``multipart/related``."""
    range_, media_type = choose_range(accepted(request))
    look = look_of(request)
    if len(wanted) == 1 and not range_.multipart:
        return render(request, session, *wanted[0], look)
    if not range_.multipart and range_.media_type != "*/*":
        raise NotAcceptable(f"several pictures need {MULTIPART}")
    renderer: Renderer = request.app.state.renderer
    # all looks first: a parameter without sense must be answered with 400, not by an answer that breaks off
    looks = [(stored, number, look.of(session.hospital, stored, number, media_type)) for stored, number in wanted]

    def parts() -> Iterator[tuple[dict[str, str], bytes]]:
        for stored, number, (subject, style) in looks:
            where = f"{location(request, stored)}/frames/{number}/rendered"
            try:
                body = renderer.picture(subject, style)
            except NotRenderable:
                continue  # one damaged image must not take the others with it
            yield {"Content-Type": media_type, "Content-Location": where}, body

    return multipart(parts(), media_type)


def choose_range(ranges: Sequence[MediaRange]) -> tuple[MediaRange, str]:
    """The best range that a picture fits, and the picture's media type; raises NotAcceptable."""
    for wanted in ranges:
        for offer in MEDIA_TYPES:
            if wanted.covers(offer):
                return wanted, offer
    raise NotAcceptable(f"available: {', '.join(MEDIA_TYPES)}")


def render(request: Request, session: Session, stored: StoredInstance, frame: int, look: Look) -> Response:
    """A frame as the parameters of the request say."""
    if not has_picture(stored):
        raise NotRenderable
    _, media_type = choose_range(look.ranges or accepted(request))
    subject, style = look.of(session.hospital, stored, frame, media_type)
    return picture(request, subject, style, cache_control=REVALIDATE)
