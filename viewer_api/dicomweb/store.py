"""STOW-RS: store instances sent over HTTP (PS3.18 10.5).

Law: a body of any size goes to disk as it arrives, never into memory; an instance is reported as stored only after
`Incoming.finish`, that is on disk, and after the audit says who sent it. A body that breaks off fails what was not
complete.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Protocol

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from pacs.errors import InvalidRequest
from pacs.model import Source
from storage.access import Session
from storage.archive import Archive
from storage.audit import Event, record
from viewer_api.dicomweb.addresses import Held
from viewer_api.dicomweb.store_outcome import DICOM_XML, DUPLICATE, Outcome, answer, check
from viewer_api.dicomweb.store_parts import METADATA_TYPES, Upload
from viewer_api.media_types import DICOM, DICOM_JSON, MULTIPART, acceptable, choose, parse_media_type
from viewer_api.multipart import MultipartParser, PartListener
from viewer_api.session import SignedIn

log = logging.getLogger(__name__)
router = APIRouter(tags=["STOW-RS"])

LOGGED = 20  # failures of one request: a sender may repeat one mistake a thousand times
ANSWERS = (DICOM_JSON, "application/json", DICOM_XML)
ROOTS = METADATA_TYPES | {DICOM}


BODY = {
    "required": True,
    "content": {
        kind: {"schema": {"type": "string", "format": "binary"}} for kind in (MULTIPART, DICOM, DICOM_JSON, DICOM_XML)
    },
}
STATUSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "All instances are stored", "content": {kind: {} for kind in (DICOM_JSON, DICOM_XML)}},
    202: {"description": "Some are stored, or all with warnings"},
    400: {"description": "The body makes no sense"},
    401: {"description": "Not signed in"},
    403: {"description": "Asked by another site's page"},
    406: {"description": "The answer is JSON or XML"},
    409: {"description": "No instance is stored; the answer says why"},
    413: {"description": "More metadata or parts than one request may hold"},
    415: {"description": "Not a body that holds instances"},
    503: {"description": "No room, or a part of the archive does not answer"},
}


@router.post("/studies", responses=STATUSES, openapi_extra={"requestBody": BODY})
async def store_instances(request: Request, session: SignedIn, archive: Held) -> Response:
    """Store instances of any study."""
    return await store(request, session, archive, "")


@router.post("/studies/{study}", responses=STATUSES, openapi_extra={"requestBody": BODY})
async def store_instances_of_study(request: Request, session: SignedIn, archive: Held, study: str) -> Response:
    """Store instances of one study; others in the same body fail."""
    return await store(request, session, archive, study)


async def store(request: Request, session: Session, archive: Archive, study: str) -> Response:
    """Bridge the arriving body to the thread that writes; the only asynchronous function of the room."""
    media_type = choose(acceptable(request.headers.getlist("accept")), ANSWERS)  # before anything is stored
    kind, root, boundary = kind_of_body(request.headers)
    upload = Upload(
        request.app.state.spool,
        session.hospital,
        study,
        source=source_of(request),
        root=root,
        base=str(request.url),
    )
    parser: Feed = MultipartParser(boundary, upload) if kind == MULTIPART else SinglePart(upload)
    try:
        async for chunk in request.stream():
            await run_in_threadpool(parser.feed, chunk)
        await run_in_threadpool(parser.close)
        await run_in_threadpool(upload.finish)
        check(upload.outcome)
        await run_in_threadpool(conclude, archive, session, upload.outcome, source_of(request), study)
    except ClientDisconnect:
        raise InvalidRequest("the sender went away") from None
    finally:
        await run_in_threadpool(upload.close)
    return answer(request, upload.outcome, media_type)


def kind_of_body(headers: Mapping[str, str]) -> tuple[str, str, str]:
    """Media type, kind of the parts and boundary; 415 for what cannot hold instances, or is compressed."""
    kind, parameters = parse_media_type(headers.get("content-type", ""))
    root = parameters.get("type", DICOM).lower() if kind == MULTIPART else kind
    if root not in ROOTS:
        raise HTTPException(415, f'Content-Type is {DICOM}, {DICOM_JSON}, {DICOM_XML} or {MULTIPART}; type="…" of one')
    if headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
        raise HTTPException(415, "Content-Encoding is not supported")
    return kind, root, parameters.get("boundary", "")


def source_of(request: Request) -> Source:
    """Who sends, in the attributes that File Meta has for it."""
    return Source(source_presentation_address=f"http:{request.client.host}" if request.client else "")


class Feed(Protocol):
    """What takes a body in pieces."""

    def feed(self, data: bytes) -> None:
        """The next piece."""

    def close(self) -> None:
        """The body has ended."""


class SinglePart:
    """A body that is one part."""

    def __init__(self, listener: PartListener) -> None:
        self._listener = listener
        listener.begin({})

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        self._listener.content(memoryview(data))

    def close(self) -> None:
        """The body has ended, and with it its part."""
        self._listener.end()


def conclude(archive: Archive, session: Session, outcome: Outcome, source: Source, study: str) -> None:
    """Tell what is known to be a duplicate with another content, and record who stored what.

    A duplicate that is still on its way to the index is not seen here; it is kept all the same. Raises Unavailable when
    the audit cannot be written: the sender repeats, and instances that are here already are found equal.
    """
    known = archive.known(session.hospital, [one.identity.sop_instance_uid for one in outcome.stored])
    for one in outcome.stored:
        if known.instances.get(one.identity.sop_instance_uid, one.digest) != one.digest:
            one.warning = DUPLICATE
    studies: dict[str, list[bool]] = defaultdict(list)
    for one in outcome.stored:
        studies[one.identity.study_instance_uid].append(not one.warning)
    events = [
        _event(session, source, uid, "success" if all(clean) else "warning", len(clean))
        for uid, clean in sorted(studies.items())
    ]
    for failed in outcome.failed[:LOGGED]:
        log.warning("instance %s was not stored: %s", failed.sop_instance_uid or "without UID", failed.error)
    if outcome.failed:
        events.append(_event(session, source, study, "failure", len(outcome.failed)))
    record(archive.index, session.hospital, *events)


def _event(session: Session, source: Source, study: str, outcome: str, instances: int) -> Event:
    return Event(
        subject=session.subject,
        source=source.source_presentation_address,
        act="store",
        outcome=outcome,
        study_instance_uid=study,
        detail={"instances": instances},
    )
