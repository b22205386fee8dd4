import io
import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom
import pytest

from pacs.query import parse_query
from viewer_api.worklist import Asked, understand

if TYPE_CHECKING:
    from tests.viewer_api.conftest import Site

PAGE = {"Accept": "text/html"}
TODAY = date(2026, 11, 23)


def changed(path: Path, **attributes: str) -> bytes:
    """A file with other attributes, in UTF-8."""
    data_set = pydicom.dcmread(path)
    data_set.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in attributes.items():
        setattr(data_set, keyword, value)
    file = io.BytesIO()
    data_set.save_as(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("", []),
        ("nguyễn văn", [("PatientName", "nguyễn văn"), ("fuzzymatching", "true")]),
        ("DG00012", [("PatientID", "*DG00012*\\*DG00012*")]),
        ("ct", [("ModalitiesInStudy", "CT")]),
        ("xq hôm nay", [("StudyDate", "20261123"), ("ModalitiesInStudy", "CR\\DX")]),
        ("CT HÔM QUA", [("StudyDate", "20261122"), ("ModalitiesInStudy", "CT")]),
        ("23/11/2026", [("StudyDate", "20261123")]),
        ("binh 1/2/2024 mri", [("StudyDate", "20240201"), ("ModalitiesInStudy", "MR"), ("PatientName", "binh"),
                               ("fuzzymatching", "true")]),
        ("***", []),
    ],
)  # fmt: skip
def test_the_search_box_understands_what_people_type(text: str, first: list[tuple[str, str]]) -> None:
    """Days and machines filter; the rest is a name, or an identifier when it has digits."""
    assert understand(Asked(text), TODAY)[0] == first


@pytest.mark.parametrize(
    "text", ["a\\b", "31/02/2024", "🙂", "x" * 900, "'; drop", "ct ct ct", "0", "^=", "hom nay hom qua"]
)
def test_whatever_is_typed_makes_a_search_or_a_plain_answer(filled: "Site", text: str) -> None:
    """No text in the search box breaks the page."""
    response = filled.client().get("/", params={"q": text}, headers=PAGE)
    assert response.status_code in {200, 400}
    assert "<main" in response.text


def test_every_try_of_the_search_box_is_a_valid_query() -> None:
    """All alternatives parse."""
    for text in ("binh", "DG1", "xq hôm qua 7", "ct"):
        for parameters in understand(Asked(text, "7", "XQ"), TODAY):
            parse_query("study", parameters)


def test_filters_keep_each_other_in_the_address() -> None:
    """Changing one filter keeps the rest and begins at the first page."""
    asked = Asked("văn a", "today", "CT", 3)
    assert asked.address(modality="MR") == "/?q=v%C4%83n+a&when=today&modality=MR"
    assert asked.address(page=4).endswith("page=4")
    assert Asked().address() == "/"


def test_the_worklist_shows_what_there_is(filled: "Site") -> None:
    """Each study is a row with a link; names are shown as sent."""
    html = filled.client().get("/", headers=PAGE).text
    assert html.count('class="study"') >= 7
    assert "CompressedSamples CT1" in html


def test_names_are_found_without_accents_and_by_their_beginning(
    site: "Site", pydicom_file: Callable[[str], Path]
) -> None:
    """Three letters are enough: đ and marks do not matter."""
    site.receive(changed(pydicom_file("CT_small.dcm"), PatientName="ĐẶNG^THỊ BÍCH", PatientID="DG007"))
    site.file()
    client = site.client()
    for text in ("dang", "ĐẶNG THỊ", "bich", "bic da", "dg00", "007"):
        assert "ĐẶNG THỊ BÍCH" in client.get("/", params={"q": text}, headers=PAGE).text, text
    nothing = client.get("/", params={"q": "tran"}, headers=PAGE).text
    assert "Không tìm thấy ca nào" in nothing


def test_an_empty_archive_says_so(site: "Site") -> None:
    """The first visit is not a blank page."""
    assert "Chưa có ảnh nào" in site.client().get("/", headers=PAGE).text


def test_english_is_a_click_away_and_remembered(site: "Site") -> None:
    """``?lang=en`` switches, and the next page stays English."""
    client = site.client()
    assert '<html lang="vi"' in client.get("/", headers=PAGE).text
    assert "No images yet" in client.get("/", params={"lang": "en"}, headers=PAGE).text
    assert '<html lang="en"' in client.get("/", headers=PAGE).text


def test_script_in_a_name_is_text(site: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """A name, a description or an ID never becomes markup, on no page and in no data block."""
    attack = "</script><script>alert(1)</script>"
    names = {"PatientName": attack, "PatientID": attack, "StudyDescription": attack, "SeriesDescription": attack}
    site.receive(changed(pydicom_file("CT_small.dcm"), **names))
    site.file()
    client = site.client()
    study = client.get("/dicom-web/studies").json()[0]["0020000D"]["Value"][0]
    series = client.get("/dicom-web/series").json()[0]["0020000E"]["Value"][0]
    for path in ("/", f"/?q={attack}", f"/studies/{study}", f"/studies/{study}/series/{series}/view"):
        response = client.get(path, headers=PAGE)
        assert response.status_code == 200, path
        assert "<script>alert" not in response.text, path
        assert "&lt;script&gt;alert(1)" in response.text, path


def test_a_study_of_two_patients_is_shown_apart_with_a_warning(
    site: "Site", pydicom_file: Callable[[str], Path]
) -> None:
    """One Study UID sent for two patients: both are visible, each with their own series only."""
    first = pydicom.dcmread(pydicom_file("CT_small.dcm"))
    site.receive(changed(pydicom_file("CT_small.dcm"), PatientName="FIRST^ONE", PatientID="1", SeriesDescription="S-1"))
    other = {"SOPInstanceUID": "1.2.3.4", "SeriesInstanceUID": "1.2.3", "SeriesDescription": "S-2"}
    site.receive(changed(pydicom_file("CT_small.dcm"), PatientName="SECOND^ONE", PatientID="2", **other))
    site.file()
    html = site.client().get(f"/studies/{first.StudyInstanceUID}", headers=PAGE).text
    assert "Hai bệnh nhân dùng chung" in html
    _, *articles = html.split("<article")
    one, two = sorted(articles, key=lambda article: "FIRST ONE" not in article)  # filed in any order
    assert ("FIRST ONE" in one, "S-1" in one, "S-2" in one) == (True, True, False)
    assert ("SECOND ONE" in two, "S-2" in two, "S-1" in two) == (True, True, False)


def test_the_viewer_lists_every_frame_and_window(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """Frames of a multi-frame instance are pictures of the series; a CT has its windows by name."""
    client = filled.client()
    for name, count, words in (("examples_ybr_color.dcm", 30, ()), ("CT_small.dcm", 1, ("Phổi", "Xương", "Não"))):
        data_set = pydicom.dcmread(pydicom_file(name), stop_before_pixels=True)
        path = f"/studies/{data_set.StudyInstanceUID}/series/{data_set.SeriesInstanceUID}/view"
        html = client.get(path, headers=PAGE).text
        (block,) = re.findall(r'<script type="application/json" id="slices">(.*?)</script>', html)
        slices = json.loads(block)["slices"]
        assert len(slices) == count
        assert slices[0] == [data_set.SOPInstanceUID, 1, data_set.Columns, data_set.Rows]
        assert all(word in html for word in words)


def test_a_report_is_a_document_and_not_a_broken_picture(filled: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """A series without pictures is listed by its words, and its tiny picture is a drawing."""
    data_set = pydicom.dcmread(pydicom_file("reportsi.dcm"))
    client = filled.client()
    html = client.get(f"/studies/{data_set.StudyInstanceUID}", headers=PAGE).text
    assert "Tài liệu và dữ liệu khác" in html
    assert 'class="card"' not in html
    tiny = client.get(f"/studies/{data_set.StudyInstanceUID}/pictures/0", follow_redirects=True)
    assert (tiny.status_code, tiny.headers["content-type"]) == (200, "image/svg+xml")


@pytest.mark.parametrize("path", ["/studies/1.2.3", "/studies/1.2.3/series/4.5/view", "/nothing/here"])
def test_a_page_that_is_not_there_speaks_plainly(filled: "Site", path: str) -> None:
    """A person gets a page with a way back."""
    response = filled.client().get(path, headers=PAGE)
    assert response.status_code == 404
    assert "Về danh sách" in response.text


def test_health_and_numbers(filled: "Site") -> None:
    """The parts are really asked; the numbers are this hospital's."""
    stranger = filled.client(signed_in=False)
    assert stranger.get("/healthz").text == "ok\n"
    assert stranger.get("/readyz").json() == {"database and objects": True, "spool": True}
    numbers = filled.client().get("/metrics").text
    assert re.search(r'^pacs_packs\{hospital="default"\} [1-9]', numbers, re.MULTILINE)


def test_assets_are_served_and_nothing_else_of_a_package(filled: "Site") -> None:
    """Stylesheets and scripts come compressed; notes and maps of packages stay inside."""
    client = filled.client(signed_in=False)
    style = client.get("/static/look.css")
    assert (style.status_code, style.headers["content-encoding"]) == (200, "gzip")
    assert client.get("/packages/openseadragon/package.json").status_code == 404
    assert client.get("/static/../app.py").status_code == 404
