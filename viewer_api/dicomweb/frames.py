"""WADO-RS frames: as stored, or as Explicit VR Little Endian (PS3.18 10.4.1.1.6).

Law: numbers are checked and the form is chosen before the first byte leaves. A single frame may be asked for alone, not
in a multipart, and then in ranges: viewers read the beginning of an HTJ2K frame first.
"""

from collections.abc import Iterator

from fastapi import APIRouter, Request
from starlette.responses import Response

from pacs.errors import InvalidRequest, NotAcceptable, NotFound
from pacs.model import StoredInstance
from storage.access import Session
from storage.archive import Archive
from viewer_api.answers import IMMUTABLE, etag, is_kept, not_modified, whole_or_part
from viewer_api.dicomweb.addresses import Held
from viewer_api.dicomweb.forms import Choice, Form, choose_frame
from viewer_api.dicomweb.native import image_as_received, native_frame
from viewer_api.dicomweb.retrieve import location, multipart
from viewer_api.media_types import MULTIPART, acceptable
from viewer_api.session import SignedIn

router = APIRouter(tags=["WADO-RS"])


@router.get("/studies/{study}/series/{series}/instances/{instance}/frames/{numbers}")
def frames(
    request: Request, session: SignedIn, archive: Held, *, study: str, series: str, instance: str, numbers: str
) -> Response:
    """Frames of an instance by number, such as ``1,2,3``."""
    (stored,) = archive.instances(session.hospital, study, series, instance)
    wanted = frame_numbers(numbers, stored)
    choice = choose_frame(acceptable(request.headers.getlist("accept")), stored)
    tag = etag(session.hospital, stored.digest, stored.transfer_syntax_uid, choice.content_type, numbers)
    if is_kept(request, tag):
        return not_modified(tag, IMMUTABLE)
    if not choice.multipart:
        if len(wanted) > 1:
            raise NotAcceptable(f"several frames need {MULTIPART}")
        body = frame_bytes(archive, session, stored, choice, wanted[0])
        return whole_or_part(request, body, media_type=choice.content_type, tag=tag)

    first = frame_bytes(archive, session, stored, choice, wanted[0])  # now, so that a refusal is still a problem

    def parts() -> Iterator[tuple[dict[str, str], bytes]]:
        for place, number in enumerate(wanted):
            headers = {
                "Content-Type": choice.content_type,
                "Content-Location": f"{location(request, stored)}/frames/{number}",
            }
            yield headers, frame_bytes(archive, session, stored, choice, number) if place else first

    # a boundary from the tag: equal tags promise equal bytes
    answer = multipart(parts(), choice.media_type, boundary=tag.strip('"'))
    answer.headers.update({"ETag": tag, "Cache-Control": IMMUTABLE, "Vary": "Accept"})
    return answer


def frame_numbers(text: str, stored: StoredInstance) -> tuple[int, ...]:
    """Frame numbers of a path, each within the instance; raises InvalidRequest, NotFound."""
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise InvalidRequest("frame numbers")
    numbers = tuple(int(part) for part in parts)
    if not all(1 <= number <= max(1, stored.number_of_frames) for number in numbers) or not stored.frames:
        raise NotFound("frame")
    return numbers


def frame_bytes(archive: Archive, session: Session, stored: StoredInstance, choice: Choice, number: int) -> bytes:
    """One frame in the chosen form."""
    frame = archive.frame(session.hospital, stored, number)
    if choice.form is Form.STORED:
        return frame
    image = image_as_received(archive, session.hospital, stored)
    return native_frame(frame, image, stored, index=number - 1)
