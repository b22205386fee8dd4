"""Those we know, over the wire: from an unknown modality to one that stores over TLS."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.conftest import RunningArchive, free_port
from tests.dicom_scp.certificates import Authority

pytestmark = pytest.mark.acceptance


def until(true: Callable[[], bool], limit: float = 15) -> None:
    """Wait for what takes effect within seconds."""
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end, "not within seconds"
        time.sleep(0.3)


@dataclass(frozen=True, slots=True)
class Ct1:
    """A modality with DCMTK in it, which may speak TLS."""

    dcmtk: Callable[[str], str]
    authority: Authority
    port: int
    tls_port: int

    def ask(self, program: str, *words: object, called: str = "PACS", tls: bool = False) -> str:
        """What its requestor says."""
        pair = self.authority.issue("ct")
        secured = ["+tls", pair.key, pair.certificate, "+cf", self.authority.ca] if tls else []
        port = self.tls_port if tls else self.port
        command = [self.dcmtk(program), "-v", *secured, "-aet", "CT1", "-aec", called, "127.0.0.1", port, *words]
        ended = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True, timeout=60)
        return ended.stdout + ended.stderr


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """A CA that has signed the archive's certificate."""
    authority = Authority(tmp_path / "ca")
    ours = authority.issue("archive")
    monkeypatch.setenv("PACS_DICOM_TLS_PORT", str(free_port()))
    monkeypatch.setenv("PACS_DICOM_TLS_CERTIFICATE", str(ours.certificate))
    monkeypatch.setenv("PACS_DICOM_TLS_KEY", str(ours.key))
    monkeypatch.setenv("PACS_DICOM_TLS_CA", str(authority.ca))
    return authority


@pytest.fixture
def running(
    database: str, authority: Authority, archive: RunningArchive, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningArchive]:
    """An archive as in production, with a database of its own: this machine is trusted no more than others."""
    monkeypatch.setenv("PACS_DATABASE_URL", database)
    archive.start()
    yield archive
    archive.stop()


def admit_by_click(archive: RunningArchive) -> None:
    """Open the page as a person does, and press the one button."""
    with archive.client() as browser:
        browser.headers.pop("Authorization")
        browser.get(archive.run("token", "--link").strip().removeprefix(archive.web))
        page = browser.get("/admin/modalities", params={"lang": "en"}).text
        assert "It calls a wrong AE title: PACKS ≠ PACS" in page
        [form] = [line for line in page.splitlines() if "/admin/modalities/seen/" in line]
        action = form.split('action="')[1].split('"')[0]
        assert browser.post(action, headers={"Origin": archive.web}).status_code == 303


def test_an_unknown_modality_is_seen_admitted_limited_and_forgotten(
    running: RunningArchive, authority: Authority, dcmtk: Callable[[str], str], pydicom_file: Callable[[str], Path]
) -> None:
    """One archive, never restarted: each change of the registry and of the certificate is in effect within seconds."""
    ct1 = Ct1(dcmtk, authority, running.dicom_port, int(os.environ["PACS_DICOM_TLS_PORT"]))
    image = pydicom_file("CT_small.dcm")
    echoed, stored = "Received Echo Response (Success)", "Received Store Response (Success)"
    assert "Called AE Title Not Recognized" in ct1.ask("echoscu", called="PACKS")
    assert "Calling AE Title Not Recognized" in ct1.ask("echoscu")
    until(lambda: running.run("modality", "seen").count("CT1") == 2)
    admit_by_click(running)
    until(lambda: stored in ct1.ask("storescu", image))

    running.run("modality", "add", "CT1", "127.0.0.1", "--may", "query")
    until(lambda: "Received Store Response (Unknown Status: 0x124)" in ct1.ask("storescu", image))
    running.run("modality", "add", "CT1", "127.0.0.1", "--tls")
    until(lambda: "Calling AE Title Not Recognized" in ct1.ask("echoscu"))
    until(lambda: stored in ct1.ask("storescu", image, tls=True))

    (authority.folder / "archive.pem").write_text("a renewal that went wrong")
    assert echoed in ct1.ask("echoscu", tls=True)
    authority.issue("archive")
    assert echoed in ct1.ask("echoscu", tls=True)
    running.run("modality", "remove", "CT1")
    until(lambda: "Calling AE Title Not Recognized" in ct1.ask("echoscu", tls=True))
