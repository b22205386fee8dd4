"""IIIF Image API 3, level 1, so that any IIIF viewer shows a frame in tiles (https://iiif.io/api/image/3.0/).

Law: an image is a frame through a window, therefore the identifier is ``<SOP Instance UID>:<frame>[:<window>]`` and the
address of a tile names content that never changes.
"""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from pacs.dataset.identity import is_safe_uid
from pacs.errors import InvalidRequest, NotFound, NotRenderable
from pacs.render import Window, parse_window
from pacs.render.tiles import image_information, parse_quality, parse_region, parse_rotation, parse_size, plan
from storage.access import Session
from storage.archive import Archive
from viewer_api.answers import IMMUTABLE, REVALIDATE, is_kept, not_modified, whole_or_part
from viewer_api.dicomweb.addresses import Held
from viewer_api.rendering import Renderer, Style, Subject
from viewer_api.session import SignedIn

router = APIRouter(prefix="/iiif", tags=["IIIF"])


@dataclass(frozen=True, slots=True)
class Identifier:
    """What an identifier names."""

    sop_instance_uid: str
    frame: int
    window: Window | None


def parse_identifier(text: str) -> Identifier:
    """``1.2.3:1`` or ``1.2.3:1:40,400,linear``; raises InvalidRequest."""
    uid, _, rest = text.partition(":")
    frame, _, window = rest.partition(":")
    if not is_safe_uid(uid) or not (frame.isascii() and frame.isdigit() and int(frame[:9]) > 0 and len(frame) < 10):
        raise InvalidRequest("an identifier is <SOP Instance UID>:<frame>[:<center>,<width>[,<function>]]")
    return Identifier(uid, int(frame), parse_window(window) if window else None)


def subject_of(archive: Archive, session: Session, identifier: str) -> Subject:
    """The frame that an identifier names; raises InvalidRequest, NotFound, NotRenderable."""
    wanted = parse_identifier(identifier)
    stored = archive.instance(session.hospital, wanted.sop_instance_uid)
    if wanted.frame > max(1, stored.number_of_frames):
        raise NotFound("frame")
    if not (stored.rows and stored.columns):
        raise NotRenderable
    return Subject(session.hospital, stored, wanted.frame, wanted.window)


@router.get("/{identifier}")
def base(request: Request, _session: SignedIn, identifier: str) -> Response:
    """The image itself leads to its information (section 2)."""
    return RedirectResponse(f"{request.url.path.removesuffix(identifier)}{identifier}/info.json", 303)


@router.get("/{identifier}/info.json")
def information(request: Request, session: SignedIn, archive: Held, identifier: str) -> Response:
    """Size, tiles and what can be asked for (section 5)."""
    stored = subject_of(archive, session, identifier).stored
    address = str(request.url.replace(query="")).removesuffix("/info.json")
    document = image_information(address, stored.columns, stored.rows)
    media_type = 'application/ld+json;profile="http://iiif.io/api/image/3/context.json"'
    return JSONResponse(document, headers={"Cache-Control": REVALIDATE}, media_type=media_type)


@router.get("/{identifier}/{region}/{size}/{rotation}/{last}")
def image(
    request: Request,
    session: SignedIn,
    archive: Held,
    *,
    identifier: str,
    region: str,
    size: str,
    rotation: str,
    last: str,
) -> Response:
    """A part of the image at a size (section 4)."""
    subject = subject_of(archive, session, identifier)
    width, height = subject.stored.columns, subject.stored.rows
    part = parse_region(region, width, height)
    mirror, turn = parse_rotation(rotation)
    quality, media_type = parse_quality(last)
    wanted = plan(
        width,
        height,
        region=part,
        size=parse_size(size, part[2], part[3]),
        levels=subject.levels,
        mirror=mirror,
        rotation=turn,
    )
    return picture(request, subject, Style(wanted, media_type, gray=quality == "gray"))


def picture(request: Request, subject: Subject, style: Style, *, cache_control: str = IMMUTABLE) -> Response:
    """A picture with its tag; not even looked at when the client holds it."""
    renderer: Renderer = request.app.state.renderer
    tag = renderer.tag(subject, style)
    if is_kept(request, tag):
        return not_modified(tag, cache_control)
    body = renderer.picture(subject, style)
    return whole_or_part(request, body, media_type=style.media_type, tag=tag, cache_control=cache_control)
