"""WADO-RS: metadata, instances and bulk data as stored or as asked (PS3.18 10.4).

Law: everything is looked up and chosen before the first byte leaves, so that refusals are problems and not broken
streams; then one instance is in memory at a time.
"""

from collections.abc import Iterator, Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from pacs.dataset.bulk_data import bulk_data
from pacs.errors import NotAcceptable
from pacs.model import StoredInstance
from storage.access import Session
from storage.archive import Archive
from viewer_api.answers import REVALIDATE, etag, is_kept, not_modified, streamed, whole_or_part
from viewer_api.dicomweb.addresses import Held, resource
from viewer_api.dicomweb.forms import Form, choose_instance
from viewer_api.dicomweb.native import explicit_little_endian, received_part10, whole_data_set
from viewer_api.media_types import DICOM, DICOM_JSON, MULTIPART, OCTET_STREAM, acceptable, choose
from viewer_api.multipart import new_boundary, write_parts
from viewer_api.session import SignedIn

router = APIRouter(tags=["WADO-RS"])


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
    """The stored DICOM JSON, its references made absolute (PS3.18 10.4.1.1.2)."""
    choose(acceptable(request.headers.getlist("accept")), (DICOM_JSON, "application/json"))
    found = archive.instances(session.hospital, *uids)
    base = str(request.base_url)
    tag = etag(session.hospital, base, *((s.identity.sop_instance_uid, s.digest) for s in found))
    if is_kept(request, tag):
        return not_modified(tag, REVALIDATE)
    headers = {"ETag": tag, "Cache-Control": REVALIDATE}
    here = b'"BulkDataURI":"' + base.rstrip("/").encode() + b"/"
    # one piece is one instance, and a quote within a value is escaped, so nothing else can look like this
    chunks = (c.replace(b'"BulkDataURI":"/', here) for c in archive.metadata(session.hospital, *uids))
    return streamed(request, chunks, media_type=DICOM_JSON, headers=headers)


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


def instances(request: Request, session: Session, archive: Archive, found: Sequence[StoredInstance]) -> Response:
    """Instances as ``multipart/related``, or one alone as ``application/dicom``."""
    accepted = acceptable(request.headers.getlist("accept"))
    chosen = [(stored, choose_instance(accepted, stored)) for stored in found]
    if not chosen[0][1].multipart:
        if len(chosen) > 1:
            raise NotAcceptable(f"several instances need {MULTIPART}")
        stored, choice = chosen[0]
        tag = etag(session.hospital, stored.digest, choice.content_type)
        body = instance_bytes(archive, session.hospital, stored, choice.form)
        return whole_or_part(request, body, media_type=choice.content_type, tag=tag, cache_control=REVALIDATE)

    def parts() -> Iterator[tuple[dict[str, str], bytes]]:
        for stored, choice in chosen:
            body = instance_bytes(archive, session.hospital, stored, choice.form)
            yield {"Content-Type": choice.content_type, "Content-Location": location(request, stored)}, body

    return multipart(parts(), DICOM)


def multipart(parts: Iterator[tuple[dict[str, str], bytes]], root_type: str, *, boundary: str = "") -> Response:
    """A streamed ``multipart/related`` answer (PS3.18 8.6.1.2)."""
    boundary = boundary or new_boundary()
    content_type = f'{MULTIPART}; type="{root_type}"; boundary={boundary}'
    return StreamingResponse(write_parts(parts, boundary), headers={"Content-Type": content_type})


def location(request: Request, stored: StoredInstance) -> str:
    """The absolute address of an instance."""
    identity = stored.identity
    return resource(request, identity.study_instance_uid, identity.series_instance_uid, identity.sop_instance_uid)


def instance_bytes(archive: Archive, hospital: str, stored: StoredInstance, form: Form) -> bytes:
    """A Part 10 file of the instance in ``form``."""
    if form is Form.STORED:
        return archive.part10(hospital, stored)
    if form is Form.RECEIVED:
        return received_part10(archive, hospital, stored)
    return explicit_little_endian(archive, hospital, stored)


@router.get("/studies/{study}/series/{series}/instances/{instance}/bulkdata/{path:path}")
def bulk(
    request: Request, session: SignedIn, archive: Held, *, study: str, series: str, instance: str, path: str
) -> Response:
    """One large value by the path that the metadata gives (PS3.18 10.4.1.1.5)."""
    accepted = acceptable(request.headers.getlist("accept"))
    wanted = next((r for r in accepted if r.covers(OCTET_STREAM)), None)
    if wanted is None:
        raise NotAcceptable(f"available: {OCTET_STREAM}")
    (stored,) = archive.instances(session.hospital, study, series, instance)
    body = bytes(bulk_data(whole_data_set(archive, session.hospital, stored), path))
    if wanted.multipart:
        part = ({"Content-Type": OCTET_STREAM, "Content-Location": str(request.url)}, body)
        return multipart(iter([part]), OCTET_STREAM)
    tag = etag(session.hospital, stored.digest, path)
    return whole_or_part(request, body, media_type=OCTET_STREAM, tag=tag, cache_control=REVALIDATE)
