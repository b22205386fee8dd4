"""QIDO-RS: search for studies, series and instances (PS3.18 10.6).

Law: parameters are understood by `pacs.query`, matched by the archive; here a path becomes parameters and a result
an answer. No result is ``200 []``: PS3.18 Table 10.6.3-1 also allows 204, over which viewers stumble that parse every
body.
"""

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from pacs.query import parse_query
from storage.access import Session
from storage.archive import Archive
from viewer_api.answers import streamed
from viewer_api.dicomweb.addresses import Held, resource_of
from viewer_api.media_types import DICOM_JSON, acceptable, choose
from viewer_api.session import SignedIn

router = APIRouter(tags=["QIDO-RS"])


@router.get("/studies")
def studies(request: Request, session: SignedIn, archive: Held) -> Response:
    """Search for studies."""
    return search(request, session, archive, "study")


@router.get("/studies/{study}/series")
def series_of_study(request: Request, session: SignedIn, archive: Held, study: str) -> Response:
    """Search for series of one study."""
    return search(request, session, archive, "series", StudyInstanceUID=study)


@router.get("/series")
def series(request: Request, session: SignedIn, archive: Held) -> Response:
    """Search for series of all studies."""
    return search(request, session, archive, "series")


@router.get("/studies/{study}/series/{series}/instances")
def instances_of_series(request: Request, session: SignedIn, archive: Held, study: str, series: str) -> Response:
    """Search for instances of one series."""
    return search(request, session, archive, "instance", StudyInstanceUID=study, SeriesInstanceUID=series)


@router.get("/studies/{study}/instances")
def instances_of_study(request: Request, session: SignedIn, archive: Held, study: str) -> Response:
    """Search for instances of one study."""
    return search(request, session, archive, "instance", StudyInstanceUID=study)


@router.get("/instances")
def instances(request: Request, session: SignedIn, archive: Held) -> Response:
    """Search for instances of all studies."""
    return search(request, session, archive, "instance")


def search(request: Request, session: Session, archive: Archive, level: str, **within: str) -> Response:
    """Answer one search; ``within`` are the UIDs of the path, one more condition each."""
    choose(acceptable(request.headers.getlist("accept")), (DICOM_JSON, "application/json"))
    parameters = [*within.items(), *request.query_params.multi_items()]
    result = archive.search(session.hospital, parse_query(level, parameters))
    headers = {}
    if result.remaining > 0:  # PS3.18 8.3.4.4
        service = str(request.base_url).rstrip("/")
        headers["Warning"] = f"299 {service}: There are {result.remaining} additional results that can be requested"
    body = json.dumps([with_address(request, item) for item in result.items], ensure_ascii=False)
    return streamed(request, [body.encode()], media_type=DICOM_JSON, headers=headers)


def with_address(request: Request, item: dict[str, Any]) -> dict[str, Any]:
    """The result with its Retrieve URL (0008,1190), attributes in ascending order (PS3.18 F.2.2)."""
    located = {**item, "00081190": {"vr": "UR", "Value": [resource_of(request, item)]}}
    return {tag: located[tag] for tag in sorted(located)}
