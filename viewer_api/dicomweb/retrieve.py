"""WADO-RS: whole instances, as Part 10 files (PS3.18 10.4.1.1.1).

Law: everything is looked up and chosen before the first byte leaves, so that refusals are problems and not broken
streams; then one instance is in memory at a time. Where only some instances of a study can be had in what is
acceptable, those are sent, and the status says that they are not all (206, PS3.18 Table 10.4.3-1).
"""

from collections.abc import Iterator, Sequence
from itertools import chain

from fastapi import APIRouter, Request
from starlette.responses import Response

from pacs.errors import NotAcceptable
from pacs.model import StoredInstance
from storage.access import Session
from storage.archive import Archive
from viewer_api.answers import REVALIDATE, etag, ranged, whole_or_part
from viewer_api.dicomweb.accepts import accepted
from viewer_api.dicomweb.addresses import Held, location
from viewer_api.dicomweb.forms import Choice, instance_choices, not_acceptable
from viewer_api.dicomweb.parts import multipart
from viewer_api.dicomweb.zipped import zipped
from viewer_api.media_types import DICOM, MULTIPART, ZIP, MediaRange
from viewer_api.session import SignedIn

router = APIRouter(tags=["WADO-RS"])

Chosen = list[tuple[StoredInstance, list[Choice]]]


@router.get("/studies/{study}")
def study(request: Request, session: SignedIn, archive: Held, study: str) -> Response:
    """All instances of a study."""
    return instances(request, session, archive, archive.instances(session.hospital, study))


@router.get("/studies/{study}/series/{series}")
def series(request: Request, session: SignedIn, archive: Held, study: str, series: str) -> Response:
    """All instances of a series."""
    return instances(request, session, archive, archive.instances(session.hospital, study, series))


@router.get("/studies/{study}/series/{series}/instances/{instance}")
def instance(request: Request, session: SignedIn, archive: Held, *, study: str, series: str, instance: str) -> Response:
    """One instance."""
    return instances(request, session, archive, archive.instances(session.hospital, study, series, instance))


def instances(
    request: Request,
    session: Session,
    archive: Archive,
    found: Sequence[StoredInstance],
    ranges: Sequence[MediaRange] = (),
) -> Response:
    """Instances as ``multipart/related`` or ZIP, or one alone as ``application/dicom``; the best range that works."""
    ranges = ranges or accepted(request)
    for wanted in ranges:
        chosen = [(stored, choices) for stored in found if (choices := instance_choices((wanted,), stored))]
        if not chosen:
            continue
        if wanted.media_type == ZIP:
            return zipped(request, session, archive, part10s(archive, session, chosen), wanted)
        if chosen[0][1][0].multipart:
            return _multipart(request, session, archive, chosen, complete=len(chosen) == len(found))
        if len(found) > 1:
            continue
        answer = _single(request, session, archive, *chosen[0])
        if answer is not None:
            return answer
    if len(found) > 1 and any(wanted.media_type == DICOM for wanted in ranges):
        raise NotAcceptable(f"several instances need {MULTIPART} or {ZIP}")
    raise not_acceptable(found[0])


def _single(
    request: Request, session: Session, archive: Archive, stored: StoredInstance, choices: Sequence[Choice]
) -> Response | None:
    """One instance alone; None when its pixels do not go into the transfer syntax after all."""
    for choice in choices:
        uid = choice.transfer_syntax_uid
        tag = etag(session.hospital, stored.digest, stored.transfer_syntax_uid, choice.content_type)
        if uid == stored.transfer_syntax_uid:
            whole = archive.part10_ranged(session.hospital, stored)
            return ranged(
                request, whole.size, whole.read, media_type=choice.content_type, tag=tag, cache_control=REVALIDATE
            )
        try:
            body = archive.converted(session.hospital, stored, uid)
        except NotAcceptable:
            continue
        return whole_or_part(request, body, media_type=choice.content_type, tag=tag, cache_control=REVALIDATE)
    return None


def _multipart(request: Request, session: Session, archive: Archive, chosen: Chosen, *, complete: bool) -> Response:
    bodies = part10s(archive, session, chosen)
    first = next(bodies)  # now, so that a refusal is still a problem

    def parts() -> Iterator[tuple[dict[str, str], bytes]]:
        for stored, choice, body in chain((first,), bodies):
            yield _headers(request, stored, choice), body

    return multipart(parts(), DICOM, status=200 if complete else 206)


def _headers(request: Request, stored: StoredInstance, choice: Choice) -> dict[str, str]:
    return {"Content-Type": choice.content_type, "Content-Location": location(request, stored)}


def part10s(archive: Archive, session: Session, chosen: Chosen) -> Iterator[tuple[StoredInstance, Choice, bytes]]:
    """Each instance with the choice that worked and its file; NotAcceptable when the only one has none that works.

    Among many, one whose pixels turn out not to go into what was asked for (32 bits, a damaged frame) comes as it was
    received, and its part says so: without it the study would lack it silently, or never come at all.
    """
    for stored, choices in chosen:
        received = Choice(stored.received_transfer_syntax_uid, DICOM, multipart=True)
        yield stored, *_part10(archive, session, stored, [*choices, received] if len(chosen) > 1 else choices)


def _part10(
    archive: Archive, session: Session, stored: StoredInstance, choices: Sequence[Choice]
) -> tuple[Choice, bytes]:
    for choice in choices:
        try:
            return choice, archive.converted(session.hospital, stored, choice.transfer_syntax_uid)
        except NotAcceptable:
            continue
    raise not_acceptable(stored)
