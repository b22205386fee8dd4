"""The worst instances of the world: what is kept of them comes back as valid JSON, and never as script."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pydicom
import pytest
from pydicom.uid import generate_uid

from dicom_scp.sender import send
from tests.acceptance.conftest import RunningArchive
from tests.acceptance.test_whole_way import stored_instances, uids

pytestmark = [pytest.mark.acceptance, pytest.mark.filterwarnings("ignore::UserWarning:pydicom")]

SCRIPT = "<script>alert(1)</script>^\"'><img src=x onerror=alert(2)>"
HARMLESS = ("application/dicom+json", "application/json", "application/problem+json", "image/", "application/dicom")


@pytest.fixture(scope="module")
def client(
    module_archive: RunningArchive, corpus_files: Callable[[str], list[Path]], pydicom_file: Callable[[str], Path]
) -> Iterator[httpx.Client]:
    """An archive to which everything malformed was sent, and an image whose patient is a script."""
    module_archive.start()
    malformed = corpus_files("malformed/**/*") + [pydicom_file(name) for name in ("badVR.dcm", "no_meta.dcm")]
    with module_archive.client() as http:
        assert store(http, hostile(pydicom_file("CT_small.dcm"))).status_code == 200
        for path in malformed:
            assert store(http, path.read_bytes()).status_code in {200, 202, 409}, path.name
        good = [pydicom_file("MR_small.dcm")]
        assert [
            r.status for r in send(good, host="127.0.0.1", port=module_archive.dicom_port, calling="T", called="PACS")
        ] == [0]
        seen: list[int] = []

        def settled() -> bool:
            seen.append(len(stored_instances(http)))
            return len(seen) > 25 and len(set(seen[-25:])) == 1

        module_archive.wait_for(settled, 60)
        yield http


def hostile(path: Path) -> bytes:
    """An image with markup wherever a person may type."""
    data_set = pydicom.dcmread(path)
    data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data_set.SeriesInstanceUID, data_set.StudyInstanceUID = generate_uid(), generate_uid()
    data_set.PatientName = data_set.PatientID = data_set.StudyDescription = data_set.SeriesDescription = SCRIPT
    data_set.PatientID, data_set.AccessionNumber = "<b>1</b>", "</script><b>"
    buffer = io.BytesIO()
    data_set.save_as(buffer)
    return buffer.getvalue()


def store(http: httpx.Client, part10: bytes) -> httpx.Response:
    """One instance by STOW-RS."""
    body = b"--b\r\nContent-Type: application/dicom\r\n\r\n" + part10 + b"\r\n--b--\r\n"
    return http.post(
        "/dicom-web/studies",
        content=body,
        headers={"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'},
    )


def checked(answer: httpx.Response) -> httpx.Response:
    """An answer that no browser runs."""
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"].startswith((*HARMLESS, "multipart/related")), answer.headers["Content-Type"]
    assert answer.status_code < 500, (str(answer.url), answer.text[:300])
    return answer


def test_all_metadata_is_valid_json(client: httpx.Client) -> None:
    """Search results and metadata of every malformed instance parse strictly, without NaN, and name their instance."""

    def never(name: str) -> None:
        raise AssertionError(name)

    found = stored_instances(client)
    assert len(found) >= 3
    for item in found.values():
        study, series, instance = uids(item)
        path = f"/dicom-web/studies/{study}/series/{series}/instances/{instance}"
        answer = checked(client.get(f"{path}/metadata"))
        assert answer.status_code == 200, answer.text[:300]
        (parsed,) = json.loads(answer.content.decode("utf-8"), parse_constant=never)
        assert parsed["00080018"]["Value"] == [instance]


def test_nothing_malformed_breaks_the_server_when_it_is_shown_or_read(client: httpx.Client) -> None:
    """Thumbnails, frames and whole instances are given or refused in words, never with a 5xx."""
    for item in stored_instances(client).values():
        study, series, instance = uids(item)
        path = f"/dicom-web/studies/{study}/series/{series}/instances/{instance}"
        for rest, accept in (
            ("/thumbnail", "image/jpeg"),
            ("/rendered", "image/png"),
            ("/frames/1", 'multipart/related; type="application/octet-stream"; transfer-syntax=*'),
            ("", 'multipart/related; type="application/dicom"; transfer-syntax=*'),
            ("", "application/dicom"),
        ):
            checked(client.get(path + rest, headers={"Accept": accept}))


def test_a_script_in_a_name_stays_text_everywhere(client: httpx.Client) -> None:
    """DICOM JSON holds it as data under nosniff; our pages show it escaped."""
    answer = checked(client.get("/dicom-web/studies", params={"PatientID": "<b>1</b>", "includefield": "all"}))
    (study,) = answer.json()
    assert SCRIPT.partition("^")[0] in study["00100010"]["Value"][0]["Alphabetic"]
    uid = study["0020000D"]["Value"][0]
    for page in ("/", f"/studies/{uid}"):
        html = client.get(page, headers={"Accept": "text/html"})
        assert html.status_code == 200
        assert "alert(1)" in html.text
        assert "<script>alert" not in html.text
        assert "<img src=x" not in html.text
        assert "script-src 'self'" in html.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/dicom-web/studies/<script>",
        "/dicom-web/studies?PatientBirthDate=<script>alert(1)</script>",
        "/dicom-web/<svg onload=alert(1)>",
    ],
)
def test_what_a_request_says_is_never_markup_in_the_answer(client: httpx.Client, path: str) -> None:
    """An error repeats nothing that a browser could run."""
    answer = checked(client.get(path, headers={"Accept": "text/html, */*"}))
    assert answer.headers["Content-Type"].startswith(HARMLESS)
