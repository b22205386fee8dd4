from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from pacs.modalities import MODALITY_RIGHTS, Modality, Right
from storage.audit import events
from storage.index import add_hospital
from storage.index.registry import modalities, put_modality
from storage.index.strangers import Noted, note, seen

if TYPE_CHECKING:
    from tests.viewer_api.conftest import Site

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def browser(site: "Site") -> httpx.Client:
    """Signed in at the first hospital, where one is known and one called in vain; another hospital has one too."""
    index = site.archive.index
    add_hospital(site.settings.database_url, "east", ae_title="EAST")
    known = Modality(hospital="default", ae_title="CT1", address="10.0.0.7", port=104, rights=frozenset({Right.STORE}))
    put_modality(index, known)
    callers = (("US3", "PACS"), ("MR2", "EAST"), ("<b>XA", "PACKS"))
    note(index, [Noted(calling, called, "10.0.0.9", 60.0, 4) for calling, called in callers])
    browser = site.client(signed_in=False)
    browser.headers.update(PAGE)
    browser.get("/sign-in", params={"link": site.access.issue("link", "default", "person", timedelta(minutes=5))})
    return browser


def test_the_page_shows_whom_we_know_and_who_called(browser: httpx.Client) -> None:
    """Known with what they may do, unknown with a button; what another hospital's callers are is not our matter."""
    for language, words in (("vi", ("Máy lạ đã gọi tới", "gửi ảnh")), ("en", ("Unknown, but they called", "store"))):
        text = browser.get("/admin/modalities", params={"lang": language}).text
        assert all(word in text for word in (*words, "CT1", "US3", "&lt;b&gt;XA", "PACKS ≠ PACS"))
        assert "MR2" not in text
        assert text.count('action="/admin/modalities/seen/') == 1


def test_one_click_admits(site: "Site", browser: httpx.Client) -> None:
    """The caller is registered with what a modality needs, and the audit says who did it."""
    index = site.archive.index
    [stranger] = [one for one in seen(index) if one.calling == "US3"]
    path = f"/admin/modalities/seen/{stranger.stranger}"
    response = browser.post(path, headers={"Origin": site.address})
    assert (response.status_code, response.headers["location"]) == (303, "/admin/modalities")
    assert {one.ae_title: one.rights for one in modalities(index)}["US3"] == MODALITY_RIGHTS
    [event] = [one for one in events(index, "default") if one.act == "admit modality"]
    assert (event.subject, event.detail) == ("person", {"ae_title": "US3", "address": "10.0.0.9"})
    assert browser.post(path, headers={"Origin": site.address}).status_code == 404


def test_nobody_admits_by_accident_or_from_elsewhere(site: "Site", browser: httpx.Client) -> None:
    """Another site's page, nobody signed in, another hospital's caller, a wrong title: none is registered."""
    index = site.archive.index
    found = {one.calling: f"/admin/modalities/seen/{one.stranger}" for one in seen(index)}
    assert browser.post(found["US3"], headers={"Origin": "https://evil.example"}).status_code == 403
    assert site.client(signed_in=False).post(found["US3"]).status_code == 401
    for calling in ("MR2", "<b>XA"):
        assert browser.post(found[calling], headers={"Origin": site.address}).status_code == 404
    assert [one.ae_title for one in modalities(index)] == ["CT1"]
    assert site.client(signed_in=False).get("/admin/modalities", headers=PAGE).headers["location"] == "/sign-in"
