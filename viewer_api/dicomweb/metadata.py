"""WADO-RS metadata: the stored DICOM JSON of instances (PS3.18 10.4.1.1.2).

Law: made once, at ingest; here it is only joined, addressed and compressed. The second request for a series finds the
finished answer in memory.
"""

import json
from collections.abc import Iterator
from itertools import chain

from fastapi import APIRouter, Request
from starlette.responses import Response

from pacs.dataset.native_model import native_model
from storage.access import Session
from storage.archive import Archive
from viewer_api.answers import REVALIDATE, coded, content_coding, etag, is_kept, not_modified, streamed
from viewer_api.dicomweb.accepts import DICOM_XML, XML_PARTS, accepted, form_of
from viewer_api.dicomweb.addresses import Held, base
from viewer_api.dicomweb.parts import Parts, multipart
from viewer_api.memory import Memory
from viewer_api.session import SignedIn

router = APIRouter(tags=["WADO-RS"])

MIB = 1024 * 1024
FINISHED = 64 * MIB  # bytes of finished answers in memory
LARGEST = 4 * MIB  # of one of them


@router.get("/studies/{study}/metadata")
def metadata_of_study(request: Request, session: SignedIn, archive: Held, study: str) -> Response:
    """Metadata of all instances of a study."""
    return metadata(request, session, archive, study)


@router.get("/studies/{study}/series/{series}/metadata")
def metadata_of_series(request: Request, session: SignedIn, archive: Held, study: str, series: str) -> Response:
    """Metadata of all instances of a series."""
    return metadata(request, session, archive, study, series)


@router.get("/studies/{study}/series/{series}/instances/{instance}/metadata")
def metadata_of_instance(
    request: Request, session: SignedIn, archive: Held, *, study: str, series: str, instance: str
) -> Response:
    """Metadata of one instance."""
    return metadata(request, session, archive, study, series, instance)


def metadata(request: Request, session: Session, archive: Archive, *uids: str) -> Response:
    """The stored DICOM JSON, its references made absolute; from memory when this was asked for lately."""
    media_type = form_of(accepted(request))
    found = archive.instances(session.hospital, *uids)
    here, coding = base(request), content_coding(request)
    tag = etag(session.hospital, here, media_type, *((s.identity.sop_instance_uid, s.digest) for s in found))
    headers = {"ETag": tag, "Cache-Control": REVALIDATE, "Vary": "Accept, Accept-Encoding"}
    if is_kept(request, tag):
        return not_modified(tag, REVALIDATE)
    finished: Memory[bytes] = request.app.state.metadata
    body = finished.peek((tag, coding))
    if body is None:
        start = b'"BulkDataURI":"' + here.encode() + b"/"
        # one piece is one instance, and a quote within a value is escaped, so nothing else can look like this
        pieces = (p.replace(b'"BulkDataURI":"/', start) for p in archive.metadata(session.hospital, *uids))
        if media_type == XML_PARTS:
            return multipart(xml_parts(pieces), DICOM_XML)
        gathered = list(up_to(pieces, LARGEST))
        rest = next(pieces, None)
        if rest is not None:
            return streamed(request, chain(gathered, (rest,), pieces), media_type=media_type, headers=headers)
        body = coded(b"".join(gathered), coding)
        finished.keep((tag, coding), body)
    if coding:
        headers["Content-Encoding"] = coding
    return Response(body, headers=headers, media_type=media_type)


def xml_parts(pieces: Iterator[bytes]) -> Parts:
    """Each instance as a Native DICOM Model (PS3.18 8.7.3.2) made from its JSON."""
    for piece in pieces:
        for data_set in json.loads(b"[" + piece.strip(b"[], \n") + b"]"):
            yield {"Content-Type": DICOM_XML}, native_model(data_set)


def up_to(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Pieces until they are ``size`` bytes together."""
    while size > 0:
        piece = next(pieces, None)
        if piece is None:
            return
        size -= len(piece)
        yield piece
