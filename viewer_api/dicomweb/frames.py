"""WADO-RS frames: as stored, or in another transfer syntax (PS3.18 10.4.1.1.6).

Law: numbers are checked and the form is chosen before the first byte leaves. A single frame may be asked for alone, not
in a multipart, and then in ranges: viewers read the beginning of an HTJ2K frame first, which costs no more than itself.
"""

from collections.abc import Iterator, Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from pacs.errors import InvalidRequest, NotAcceptable, NotFound, NotRenderable
from pacs.model import StoredInstance
from storage.access import Session
from storage.archive import Archive
from viewer_api.answers import IMMUTABLE, etag, is_kept, not_modified, ranged, whole_or_part
from viewer_api.dicomweb.accepts import accepted
from viewer_api.dicomweb.addresses import Held, location
from viewer_api.dicomweb.forms import Choice, frame_choices, not_acceptable
from viewer_api.dicomweb.native import converted_frame, shares_bytes
from viewer_api.dicomweb.parts import multipart
from viewer_api.media_types import MULTIPART
from viewer_api.multipart import write_parts
from viewer_api.session import SignedIn

router = APIRouter(tags=["WADO-RS"])


@router.get("/studies/{study}/series/{series}/instances/{instance}/frames/{numbers}")
def frames(
    request: Request, session: SignedIn, archive: Held, *, study: str, series: str, instance: str, numbers: str
) -> Response:
    """Frames of an instance by number, such as ``1,2,3``."""
    (stored,) = archive.instances(session.hospital, study, series, instance)
    return answer(request, session, archive, stored, frame_numbers(numbers, stored))


def answer(
    request: Request,
    session: Session,
    archive: Archive,
    stored: StoredInstance,
    numbers: Sequence[int],
    *,
    alone: bool = False,
) -> Response:
    """The frames in the first acceptable form that can be made; ``alone``: to ``*/*`` a single one as it is."""
    single = len(numbers) == 1
    choices = [c for c in frame_choices(accepted(request), stored, alone=alone and single) if c.multipart or single]
    reason: NotAcceptable | None = None
    for choice in choices:
        tag = etag(session.hospital, stored.digest, stored.transfer_syntax_uid, choice.content_type, numbers)
        if is_kept(request, tag):
            return not_modified(tag, IMMUTABLE)
        try:
            return _sent(request, session, archive, stored, choice=choice, numbers=numbers, tag=tag)
        except (NotAcceptable, NotRenderable) as error:
            reason = NotAcceptable(error.detail)
    if not single and not choices:
        raise NotAcceptable(f"several frames need {MULTIPART}")
    raise reason or not_acceptable(stored, frames=True)


def _sent(
    request: Request,
    session: Session,
    archive: Archive,
    stored: StoredInstance,
    *,
    choice: Choice,
    numbers: Sequence[int],
    tag: str,
) -> Response:
    uid = choice.transfer_syntax_uid
    if not choice.multipart and uid == stored.transfer_syntax_uid and not shares_bytes(stored):
        frame = archive.frame_ranged(session.hospital, stored, numbers[0])
        return ranged(request, frame.size, frame.read, media_type=choice.content_type, tag=tag)
    first = converted_frame(archive, session.hospital, stored, numbers[0], uid)
    if not choice.multipart:
        return whole_or_part(request, first, media_type=choice.content_type, tag=tag)

    def parts() -> Iterator[tuple[dict[str, str], bytes]]:
        for place, number in enumerate(numbers):
            body = converted_frame(archive, session.hospital, stored, number, uid) if place else first
            where = f"{location(request, stored)}/frames/{number}"
            yield {"Content-Type": choice.content_type, "Content-Location": where}, body

    # a boundary from the tag: equal tags promise equal bytes
    boundary = tag.strip('"')
    answered = multipart(parts(), choice.media_type, boundary=boundary)
    if len(numbers) == 1:
        # with its length and in ranges: viewers show a progressive frame while it arrives, and judge by them how far
        body = b"".join(write_parts(parts(), boundary))
        answered = whole_or_part(request, body, media_type=answered.headers["Content-Type"], tag=tag)
    answered.headers.update({"ETag": tag, "Cache-Control": IMMUTABLE, "Vary": "Accept"})
    return answered


def frame_numbers(text: str, stored: StoredInstance) -> tuple[int, ...]:
    """Frame numbers of a path, each within the instance; raises InvalidRequest, NotFound."""
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise InvalidRequest("frame numbers")
    numbers = tuple(int(part) for part in parts)
    if not all(1 <= number <= max(1, stored.number_of_frames) for number in numbers) or not stored.frames:
        raise NotFound("frame")
    return numbers
