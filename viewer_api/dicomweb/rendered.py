"""Rendered frames and thumbnails (PS3.18 10.4.1.1.3 and 10.4.1.1.4).

Law: parameters mean what PS3.18 8.3.5 says; the picture itself is made by the one renderer. A thumbnail of a series is
of its middle instance, of a study of the middle of its first series with pictures.
"""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from pacs.errors import InvalidRequest, NotAcceptable, NotFound, NotRenderable
from pacs.model import StoredInstance
from pacs.render import parse_window
from pacs.render.tiles import plan
from storage.access import Session
from viewer_api.answers import REVALIDATE
from viewer_api.dicomweb.addresses import Held
from viewer_api.dicomweb.frames import frame_numbers
from viewer_api.iiif import picture
from viewer_api.media_types import acceptable, choose
from viewer_api.rendering import Style, Subject
from viewer_api.session import SignedIn

router = APIRouter(tags=["WADO-RS"])

MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp")  # the first is the default (PS3.18 Table 8.7.4-1)
THUMBNAIL = "128,128"
MAX_VIEWPORT = 8192
INSTANCE = "/studies/{study}/series/{series}/instances/{instance}"


@router.get(INSTANCE + "/rendered")
def rendered_instance(
    request: Request, session: SignedIn, archive: Held, *, study: str, series: str, instance: str
) -> Response:
    """The first frame of an instance, rendered."""
    (stored,) = archive.instances(session.hospital, study, series, instance)
    return render(request, session, stored, 1)


@router.get(INSTANCE + "/frames/{numbers}/rendered")
def rendered_frame(
    request: Request, session: SignedIn, archive: Held, *, study: str, series: str, instance: str, numbers: str
) -> Response:
    """One frame, rendered."""
    (stored,) = archive.instances(session.hospital, study, series, instance)
    return render(request, session, stored, one(frame_numbers(numbers, stored)))


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
    return render(request, session, stored, one(frame_numbers(numbers, stored)), viewport=THUMBNAIL)


def one(numbers: Sequence[int]) -> int:
    """The only frame; several would need a multipart, which no viewer asks for."""
    if len(numbers) > 1:
        raise NotAcceptable("one frame at a time can be rendered")
    return numbers[0]


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
    return render(request, session, stored, max(1, stored.number_of_frames) // 2 + 1, viewport=THUMBNAIL)


def render(request: Request, session: Session, stored: StoredInstance, frame: int, *, viewport: str = "") -> Response:
    """A frame as the parameters of the request say."""
    if not has_picture(stored):
        raise NotRenderable
    media_type = choose(acceptable(request.headers.getlist("accept")), MEDIA_TYPES)
    asked = request.query_params
    window = parse_window(asked["window"]) if asked.get("window") else None
    subject = Subject(session.hospital, stored, min(frame, max(1, stored.number_of_frames)), window)
    region, size = parse_viewport(asked.get("viewport", viewport), stored.columns, stored.rows)
    wanted = plan(stored.columns, stored.rows, region=region, size=size, levels=subject.levels)
    style = Style(wanted, media_type, parse_quality(asked.get("quality", "90")))
    return picture(request, subject, style, cache_control=REVALIDATE)


def parse_quality(text: str) -> int:
    """The ``quality`` parameter, 1 to 100 (PS3.18 8.3.5.1.3)."""
    if text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= 100:
        return int(text)
    raise InvalidRequest("quality is from 1 to 100")


def parse_viewport(text: str, width: int, height: int) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
    """The region and output size that ``viewport=vw,vh[,sx,sy,sw,sh]`` means (PS3.18 8.3.5.1.2).

    The region fits into the viewport with its proportions kept and is never enlarged. Mirroring by a negative sw or sh
    is not supported.
    """
    if not text:
        return (0, 0, width, height), (width, height)
    try:
        numbers = [float(part) if part else None for part in text.split(",")]
        if len(numbers) not in {2, 6}:
            raise ValueError  # noqa: TRY301  # one answer for every way to be wrong
        given = (*numbers, None, None, None, None)[:6]
        usual = (width, height, 0, 0, width, height)
        room_width, room_height, left, top, wide, high = (
            int(usual[n] if number is None else number) for n, number in enumerate(given)
        )
        room, region = (room_width, room_height), (left, top, min(wide, width - left), min(high, height - top))
    except (ValueError, OverflowError):
        raise InvalidRequest("viewport is width,height[,x,y,width,height]") from None
    if min(*region[2:], *room) < 1 or min(region) < 0 or max(room) > MAX_VIEWPORT:
        raise InvalidRequest("the viewport shows nothing of the image")
    scale = min(room[0] / region[2], room[1] / region[3], 1)
    return region, (max(1, round(region[2] * scale)), max(1, round(region[3] * scale)))
