"""The worklist and the page of a study.

Law: pages ask the archive the same questions as DICOMweb clients do; they have no knowledge of their own. A Study UID
that two patients share is shown as two sections with a warning, never mixed and never half hidden.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from pacs.errors import NotFound, NotRenderable
from pacs.model import StoredInstance
from pacs.query import parse_query
from storage.archive import Archive
from viewer_api.dicomweb.addresses import Held
from viewer_api.dicomweb.rendered import has_picture, thumbnail_of_middle
from viewer_api.display import SeriesFacts, StudyFacts
from viewer_api.looks import page
from viewer_api.session import SignedIn
from viewer_api.worklist import MODALITIES, PAGE, PRESETS, Asked, understand

router = APIRouter(include_in_schema=False)

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")  # what "today" means on the pages
NO_PICTURE = "/static/no-picture.svg"  # a series of documents, or video
MANY = 1000  # series of one study shown at most


@dataclass(frozen=True, slots=True)
class Section:
    """One patient's share of a Study UID."""

    study: StudyFacts
    pictures: Sequence[SeriesFacts]
    documents: Sequence[SeriesFacts]


@router.get("/")
def worklist(
    request: Request,
    session: SignedIn,
    archive: Held,
    *,
    q: str = "",
    when: str = "",
    modality: str = "",
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """The studies, newest first, narrowed by what was typed."""
    asked = Asked(q.strip(), when, modality, number)
    items: Sequence[dict[str, Any]] = ()
    remaining = 0
    for parameters in understand(asked, datetime.now(ZONE).date()):
        paging = [("limit", str(PAGE)), ("offset", str(PAGE * (number - 1)))]
        result = archive.search(session.hospital, parse_query("study", [*parameters, *paging]))
        items, remaining = result.items, result.remaining
        if items:
            break
    return page(
        request,
        "worklist.html",
        asked=asked,
        address=asked.address,
        presets=PRESETS,
        modalities=MODALITIES,
        studies=[StudyFacts.of(item) for item in items],
        newer=asked.address(page=number - 1) if number > 1 else "",
        older=asked.address(page=number + 1) if remaining > 0 else "",
    )


@router.get("/studies/{study}")
def study_page(request: Request, session: SignedIn, archive: Held, study: str) -> Response:
    """One study: whose, what, and its series."""
    return page(request, "study.html", sections=sections_of(archive, session.hospital, study))


@router.get("/studies/{study}/pictures/{place}")
def small_picture(request: Request, session: SignedIn, archive: Held, study: str, place: int) -> Response:
    """A thumbnail of the study's series number ``place`` (from 0) of those with pictures, for the worklist."""
    found = archive.instances(session.hospital, study)
    by_series: dict[str, list[StoredInstance]] = {}
    for stored in filter(has_picture, found):
        by_series.setdefault(stored.identity.series_instance_uid, []).append(stored)
    if not 0 <= place < len(by_series):
        return RedirectResponse(NO_PICTURE, 303)
    try:
        response = thumbnail_of_middle(request, session, list(by_series.values())[place])
    except NotRenderable:
        return RedirectResponse(NO_PICTURE, 303)
    response.headers["Cache-Control"] = "private, max-age=300"  # a series grows: not for ever
    return response


def sections_of(archive: Archive, hospital: str, study: str) -> list[Section]:
    """A section for each patient who has this Study UID; raises NotFound when nobody has."""
    parameters = [("StudyInstanceUID", study), ("limit", str(MANY)), *WHOSE]
    studies = archive.search(hospital, parse_query("study", parameters)).items
    if not studies:
        raise NotFound(study)
    series = archive.search(hospital, parse_query("series", parameters)).items
    pictured = {s.identity.series_instance_uid for s in archive.instances(hospital, study) if has_picture(s)}
    return [section(item, [s for s in series if same_patient(s, item)], pictured) for item in studies]


# Patient ID and its issuer, which make a patient
WHOSE = [("includefield", tag) for tag in ("00100020", "00100021")]


def same_patient(series: dict[str, Any], study: dict[str, Any]) -> bool:
    """Whether a series result belongs to the patient of a study result."""
    return all(series.get(tag, {}).get("Value") == study.get(tag, {}).get("Value") for _, tag in WHOSE)


def section(study: dict[str, Any], series: Sequence[dict[str, Any]], pictured: set[str]) -> Section:
    """The series of one patient, those with pictures first, by number."""
    facts = sorted(
        (SeriesFacts.of(item) for item in series), key=lambda s: (number_of(s.number), s.series_instance_uid)
    )
    shown: Callable[[SeriesFacts], bool] = lambda s: s.series_instance_uid in pictured  # noqa: E731  # used twice below
    return Section(StudyFacts.of(study), [s for s in facts if shown(s)], [s for s in facts if not shown(s)])


def number_of(text: str) -> float:
    """A Series Number to sort by; without one, last."""
    try:
        return float(text)
    except ValueError:
        return float("inf")
