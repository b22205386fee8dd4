from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from pacs.errors import Misconfigured
from tests.viewer_api.conftest import Site, serving
from viewer_api.app import create_app
from viewer_api.cross_origin import parse_origins

VIEWER = "https://viewer.example"
PREFLIGHT = {
    "Origin": VIEWER,
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "authorization, accept, range",
}


@pytest.fixture(scope="module")
def shared(filled: Site) -> Iterator[httpx.Client]:
    """The same archive, configured for a viewer of another origin."""
    settings = replace(filled.settings, cors_origins=f"{VIEWER}, http://127.0.0.1:3000")
    app = create_app(settings, filled.archive, filled.spool, filled.access)
    token = filled.client().headers["Authorization"]
    with serving(app) as address, httpx.Client(base_url=address, headers={"Authorization": token}) as client:
        yield client


def test_a_preflight_of_a_named_origin_is_answered_for_hours_and_without_a_token(shared: httpx.Client) -> None:
    """Authorization, Accept and Range may be sent, and the browser need not ask again soon."""
    answer = httpx.options(f"{shared.base_url}/dicom-web/studies", headers=PREFLIGHT)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == VIEWER
    allowed = answer.headers["Access-Control-Allow-Headers"].lower()
    assert all(name in allowed for name in ("authorization", "accept", "range"))
    assert int(answer.headers["Access-Control-Max-Age"]) >= 3600
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_named_origin_may_read_answers_and_the_fields_that_viewers_need(shared: httpx.Client) -> None:
    """Content-Range, ETag and the others are exposed, and caches keep answers of origins apart."""
    answer = shared.get("/dicom-web/studies", headers={"Origin": VIEWER})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == VIEWER
    assert "Origin" in answer.headers["Vary"]
    exposed = answer.headers["Access-Control-Expose-Headers"]
    assert all(name in exposed for name in ("Content-Range", "Content-Length", "ETag", "Warning"))


def test_errors_are_readable_for_the_named_origin_too(shared: httpx.Client) -> None:
    """A viewer learns that its token ended, instead of a mute network error."""
    answer = httpx.get(f"{shared.base_url}/dicom-web/studies", headers={"Origin": VIEWER})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (401, VIEWER)


@pytest.mark.parametrize("path", ["/dicom-web/studies", "/"])
def test_other_origins_and_our_pages_stay_closed(shared: httpx.Client, path: str) -> None:
    """An origin that is not named gets nothing; pages are shared with nobody."""
    origin = "https://evil.example" if path != "/" else VIEWER
    answer = shared.get(path, headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_nobody_is_named_by_default(filled: Site) -> None:
    """Without the setting no answer speaks of other origins."""
    answer = filled.client().get("/dicom-web/studies", headers={"Origin": VIEWER})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_a_setting_that_is_no_origin_stops_the_start() -> None:
    """A path or a forgotten scheme would silently never match."""
    for wrong in ("viewer.example", "https://viewer.example/app", "null"):
        with pytest.raises(Misconfigured):
            parse_origins(wrong)
