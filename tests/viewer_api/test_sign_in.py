from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from tests.viewer_api.conftest import Site

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def signed_in_browser(site: "Site") -> httpx.Client:
    """A browser that opened a one-time link."""
    browser = site.client(signed_in=False)
    browser.headers.update(PAGE)
    link = site.access.issue("link", "default", "person", timedelta(minutes=5))
    response = browser.get("/sign-in", params={"link": link})
    assert (response.status_code, response.headers["location"]) == (303, "/")
    return browser


def test_a_link_signs_in_once(site: "Site") -> None:
    """The first opening sets an HttpOnly cookie, the second explains that it was used."""
    link = site.access.issue("link", "default", "person", timedelta(minutes=5))
    browser = site.client(signed_in=False)
    first = browser.get("/sign-in", params={"link": link})
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert browser.get("/", headers=PAGE).status_code == 200
    again = site.client(signed_in=False).get("/sign-in", params={"link": link})
    assert again.status_code == 401
    assert "set-cookie" not in again.headers
    assert "đã được dùng" in again.text


@pytest.mark.parametrize("path", ["/", "/studies/1.2.3", "/studies/1/series/2/view"])
def test_a_person_who_is_not_signed_in_is_led_to_the_door(site: "Site", path: str) -> None:
    """Pages lead to the sign-in page, which explains itself."""
    response = site.client(signed_in=False).get(path, headers=PAGE)
    assert (response.status_code, response.headers["location"]) == (303, "/sign-in")
    assert "pacs token" in site.client(signed_in=False).get("/sign-in").text


@pytest.mark.parametrize(
    "path",
    ["/dicom-web/studies", "/dicom-web/studies/1.2/metadata", "/iiif/1.2:1/info.json", "/metrics", "/api/openapi.json",
     "/studies/1.2/pictures/0"],
)  # fmt: skip
@pytest.mark.parametrize("authorization", ["", "Bearer nonsense", "Basic YTpi"])
def test_a_program_without_a_token_gets_401(site: "Site", path: str, authorization: str) -> None:
    """Nothing is given, not even whether something exists."""
    headers = {"Authorization": authorization} if authorization else {}
    response = site.client(signed_in=False).get(path, headers=headers)
    assert (response.status_code, response.headers["content-type"]) == (401, "application/problem+json")
    assert response.headers["www-authenticate"].startswith("Bearer")


def test_every_path_but_the_door_needs_signing_in(site: "Site") -> None:
    """Walks all operations of the interface: a new one cannot forget to ask who is there."""
    document = site.client().get("/api/openapi.json").json()
    stranger = site.client(signed_in=False)
    for path, operations in document["paths"].items():
        for method in operations:
            response = stranger.request(method, path.replace("{", "").replace("}", ""))
            assert response.status_code == (200 if path in {"/healthz", "/readyz"} else 401), path


def test_signing_out_ends_the_session_for_every_copy_of_its_cookie(site: "Site") -> None:
    """After signing out the token is worthless, wherever it was copied to."""
    browser = signed_in_browser(site)
    copied = dict(browser.cookies)
    out = browser.post("/sign-out", headers={"Origin": site.address})
    assert out.status_code == 303
    thief = site.client(signed_in=False)
    thief.cookies.update(copied)
    assert thief.get("/", headers=PAGE).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
     {"Sec-Fetch-Site": "same-site", "Origin": "http://evil.example"}],
)  # fmt: skip
def test_another_sites_page_cannot_make_a_browser_change_anything(site: "Site", headers: dict[str, str]) -> None:
    """A POST with the cookie alone is refused unless it comes from our own pages."""
    browser = signed_in_browser(site)
    refused = browser.post("/dicom-web/studies", content=b"", headers={**headers, "Accept": "*/*"})
    assert refused.status_code == 403
    assert browser.post("/sign-out", headers=headers).status_code == 403
    assert browser.get("/", headers=PAGE).status_code == 200


def test_every_answer_carries_the_security_headers(site: "Site") -> None:
    """No inline script, no frames, no sniffing, and no patient in a cache."""
    for path in ("/", "/sign-in", "/dicom-web/studies", "/static/look.css", "/no/such/page"):
        headers = site.client().get(path).headers
        assert "script-src 'self';" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "referrer-policy" in headers
        if not path.startswith("/static"):
            assert "no-store" in headers["cache-control"]
