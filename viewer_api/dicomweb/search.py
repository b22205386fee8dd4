"""QIDO-RS: search for studies, series and instances (PS3.18 10.6).

Law: parameters are understood by `pacs.query`, matched by the archive; here a path becomes parameters and a result
an answer. No result is ``200 []``, as PS3.18 has said since 2026a; before, it was 204, over which viewers stumble that
parse every body.
"""

import json
from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from pacs.dataset.identity import is_safe_uid
from pacs.dataset.native_model import native_model
from pacs.errors import InvalidRequest
from pacs.levels import Level
from pacs.query import parse_query
from storage.access import Session
from storage.archive import Archive, SearchResult
from viewer_api.answers import squeezed
from viewer_api.dicomweb.accepts import DICOM_XML, XML_PARTS, accepted, form_of
from viewer_api.dicomweb.addresses import ROOT, Held, base, resource_of
from viewer_api.multipart import new_boundary, write_parts
from viewer_api.session import SignedIn

router = APIRouter(tags=["QIDO-RS"])


@router.get("/studies")
def studies(request: Request, session: SignedIn, archive: Held) -> Response:
    """Search for studies."""
    return search(request, session, archive, "study")


@router.get("/studies/{study}/series")
def series_of_study(request: Request, session: SignedIn, archive: Held, study: str) -> Response:
    """Search for series of one study."""
    return search(request, session, archive, "series", study=study)


@router.get("/series")
def series(request: Request, session: SignedIn, archive: Held) -> Response:
    """Search for series of all studies."""
    return search(request, session, archive, "series")


@router.get("/studies/{study}/series/{series}/instances")
def instances_of_series(request: Request, session: SignedIn, archive: Held, study: str, series: str) -> Response:
    """Search for instances of one series."""
    return search(request, session, archive, "instance", study=study, series=series)


@router.get("/studies/{study}/instances")
def instances_of_study(request: Request, session: SignedIn, archive: Held, study: str) -> Response:
    """Search for instances of one study."""
    return search(request, session, archive, "instance", study=study)


@router.get("/instances")
def instances(request: Request, session: SignedIn, archive: Held) -> Response:
    """Search for instances of all studies."""
    return search(request, session, archive, "instance")


def search(
    request: Request, session: Session, archive: Archive, level: Level, *, study: str = "", series: str = ""
) -> Response:
    """Answer one search; ``study`` and ``series`` are the UIDs that the path names, one more condition each."""
    media_type = form_of(accepted(request))
    within = [("StudyInstanceUID", study), ("SeriesInstanceUID", series)]
    keys = [(keyword, uid) for keyword, uid in within if uid]
    if not all(is_safe_uid(uid) and "," not in uid for _, uid in keys):
        raise InvalidRequest("the path names something that is no UID")
    named: tuple[Level, ...] = ("study", "series")
    query = parse_query(level, [*keys, *request.query_params.multi_items()], named=named[: len(keys)])
    result = archive.search(session.hospital, query)
    headers = {"Warning": warning} if (warning := warning_of(request, result)) else {}
    items = [with_address(request, item) for item in result.items]
    if media_type == XML_PARTS:
        return as_xml(items, headers)
    body = json.dumps(items, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return squeezed(request, body, media_type=media_type, headers=headers)


def warning_of(request: Request, result: SearchResult) -> str:
    """What the Warning header says of results not given (PS3.18 8.3.4.4.1); "" when all are."""
    if not result.remaining:
        return ""
    service = f"{base(request)}{ROOT}"
    count = f"at least {result.remaining}" if result.more else str(result.remaining)
    return f"299 {service}: There are {count} additional results that can be requested"


def as_xml(items: Iterable[dict[str, Any]], headers: dict[str, str]) -> Response:
    """Each result one part, a Native DICOM Model (PS3.18 8.7.3.2, 8.6.1.2)."""
    boundary = new_boundary()
    parts = (({"Content-Type": DICOM_XML}, native_model(item)) for item in items)
    fields = {**headers, "Vary": "Accept", "Content-Type": f"{XML_PARTS}; boundary={boundary}"}
    return StreamingResponse(write_parts(parts, boundary), headers=fields)


def with_address(request: Request, item: dict[str, Any]) -> dict[str, Any]:
    """The result with its Retrieve URL (0008,1190), attributes in ascending order (PS3.18 F.2.2)."""
    located = {**item, "00081190": {"vr": "UR", "Value": [resource_of(request, item)]}}
    return {tag: located[tag] for tag in sorted(located)}
