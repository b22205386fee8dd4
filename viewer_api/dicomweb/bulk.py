"""WADO-RS bulk data: one large value by the path that the metadata gives (PS3.18 10.4.1.1.5, 10.4.1.1.7).

Law: compressed Pixel Data is its frames, in the forms that frames have; every other value is the bytes that were
received, in Little Endian. A single part may be asked for in ranges.
"""

from fastapi import APIRouter, Request
from starlette.responses import Response

from pacs.dataset.bulk_data import bulk_data
from pacs.errors import NotAcceptable
from pacs.model import StoredInstance
from storage.access import Session
from storage.archive import Archive
from viewer_api.answers import REVALIDATE, etag, whole_or_part
from viewer_api.dicomweb import documents, frames
from viewer_api.dicomweb.accepts import accepted
from viewer_api.dicomweb.addresses import Held, base
from viewer_api.dicomweb.forms import is_native
from viewer_api.dicomweb.native import whole_data_set
from viewer_api.dicomweb.parts import multipart
from viewer_api.media_types import OCTET_STREAM
from viewer_api.session import SignedIn

router = APIRouter(tags=["WADO-RS"])

PIXEL_DATA = "7FE00010"
DOCUMENT = "00420011"
INSTANCE = "/studies/{study}/series/{series}/instances/{instance}"


@router.get(INSTANCE + "/bulkdata/{path:path}")
def bulk(
    request: Request, session: SignedIn, archive: Held, *, study: str, series: str, instance: str, path: str
) -> Response:
    """One large value."""
    (stored,) = archive.instances(session.hospital, study, series, instance)
    received_native = is_native(stored.received_transfer_syntax_uid)
    if path.upper() == PIXEL_DATA and stored.frames and not received_native:
        everything = range(1, 2 if len(stored.frames) == 1 else stored.number_of_frames + 1)
        return frames.answer(request, session, archive, stored, everything, alone=True)
    return value(request, session, archive, stored, path)


def value(request: Request, session: Session, archive: Archive, stored: StoredInstance, path: str) -> Response:
    """A value as bytes; an encapsulated document also as what it is."""
    offers = [OCTET_STREAM]
    if path == DOCUMENT and (media_type := documents.other_media_type(archive, session.hospital, stored)):
        offers.insert(0, media_type)
    fits = ((wanted, offer) for wanted in accepted(request) for offer in offers if wanted.covers(offer))
    wanted, media_type = next(fits, (None, OCTET_STREAM))
    if wanted is None:
        raise NotAcceptable(f"available: {', '.join(offers)}")
    if media_type != OCTET_STREAM and not wanted.multipart:
        return documents.send(request, session, archive, stored, media_type)
    body = bytes(bulk_data(whole_data_set(archive, session.hospital, stored), path))
    if wanted.multipart:
        where = f"{base(request)}{request.url.path}"
        return multipart(iter([({"Content-Type": media_type, "Content-Location": where}, body)]), media_type)
    tag = etag(session.hospital, stored.digest, path)
    return whole_or_part(request, body, media_type=media_type, tag=tag, cache_control=REVALIDATE)
