"""Orthanc and the archive as peers, both ways: store, commitment, query and retrieve of one by the other."""

import io
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.uid import generate_uid
from typer.testing import CliRunner

from pacs.cli import app
from pacs.errors import InvalidRequest, NotAllowed, NotFound, Unavailable
from pacs.forwarding import ForwardRule
from pacs.modalities import MODALITY_RIGHTS, Modality, Right
from storage.index.errands import add_forward_rule, drop_forward_rule
from storage.index.registry import put_modality
from storage.ingest import Worker
from tests.conftest import _free_ports
from tests.dicom_scp.later.conftest import HOSPITAL, Whole
from tests.dicom_scp.retrieve.asking import read_back
from tests.dicom_scp.test_querying import archive, match


@pytest.fixture(scope="module")
def orthanc(whole: Whole, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Orthanc of the distribution on free ports, which knows us as "pacs" and we it as ORTHANC."""
    program = shutil.which("Orthanc", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("Orthanc is not installed")
    folder = tmp_path_factory.mktemp("orthanc")
    dicom_port, http_port = _free_ports(2)
    settings = {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "DicomAet": "ORTHANC",
        "DefaultEncoding": "Utf8",  # in which it answers queries
        "DicomPort": dicom_port,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowStore": True,
        "DicomModalities": {"pacs": {"AET": "PACS", "Host": "127.0.0.1", "Port": whole.port}},
        "Plugins": [],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, folder / "orthanc.json"],
            stdout=log,
            stderr=log,
            env={"TCP_NODELAY": "1", "PATH": "/usr/bin:/bin"},
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{http_port}", timeout=60) as web:
            _await_answer(web, process, folder / "log")
            whole.know("ORTHANC", dicom_port)
            yield web
    finally:
        process.terminate()
        process.wait(30)


def _await_answer(web: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        try:
            web.get("/system").raise_for_status()
        except httpx.HTTPError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        else:
            return
    pytest.fail(log.read_text())


def committed(whole: Whole, orthanc: httpx.Client, *references: tuple[str, str]) -> dict[str, Any]:
    """What Orthanc hears after asking for these instances."""
    wanted = [{"SOPClassUID": sop_class, "SOPInstanceUID": uid} for sop_class, uid in references]
    answer = orthanc.post("/modalities/pacs/storage-commitment", json={"DicomInstances": wanted}).json()
    path = f"/storage-commitment/{answer['ID']}"
    whole.wait(lambda: orthanc.get(path).json()["Status"] != "Pending")
    heard: dict[str, Any] = orthanc.get(path).json()
    return heard


def test_orthanc_hears_that_what_it_stored_is_safe(dispatching: Whole, orthanc: httpx.Client) -> None:
    """What it stored by C-STORE is committed; an instance that we never saw fails, with the standard's reason."""
    uploaded = orthanc.post("/instances", content=dispatching.template).json()
    orthanc.post("/modalities/pacs/store", json=[uploaded["ID"]]).raise_for_status()
    tags = orthanc.get(f"/instances/{uploaded['ID']}/simplified-tags").json()
    reference = (tags["SOPClassUID"], tags["SOPInstanceUID"])
    dispatching.drain()
    heard = committed(dispatching, orthanc, reference)
    assert heard["Status"] == "Success"
    assert [one["SOPInstanceUID"] for one in heard["Success"]] == [reference[1]]
    heard = committed(dispatching, orthanc, reference, (reference[0], "1.2.3.4"))
    assert heard["Status"] == "Failure"
    (failure,) = heard["Failures"]
    assert failure["SOPInstanceUID"] == "1.2.3.4"
    assert 0x0112 in failure.values(), failure


def test_orthanc_gets_what_is_forwarded(dispatching: Whole, orthanc: httpx.Client) -> None:
    """A rule to Orthanc brings every new instance there, whatever syntax it is kept in here."""
    key = add_forward_rule(dispatching.archive.index, HOSPITAL, ForwardRule(destination="ORTHANC"))
    _, uid = dispatching.filed(calling="CT9")
    drop_forward_rule(dispatching.archive.index, HOSPITAL, key)
    query = {"Level": "Instance", "Query": {"SOPInstanceUID": uid}}
    dispatching.wait(lambda: len(orthanc.post("/tools/find", json=query).json()) == 1)
    dispatching.wait(lambda: dispatching.rows("SELECT FROM delivery WHERE acknowledged_at IS NOT NULL"))


def test_orthanc_commits_what_is_forwarded(dispatching: Whole, orthanc: httpx.Client) -> None:
    """A rule that asks for it makes Orthanc tell, on an association of its own, that it keeps the instance."""
    rule = ForwardRule(destination="ORTHANC", to_commit=True)
    key = add_forward_rule(dispatching.archive.index, HOSPITAL, rule)
    _, uid = dispatching.filed(calling="CT9")
    drop_forward_rule(dispatching.archive.index, HOSPITAL, key)
    query = f"SELECT FROM delivery WHERE sop_instance_uid = '{uid}' AND committed_at IS NOT NULL"
    dispatching.wait(lambda: dispatching.rows(query))
    assert orthanc.post("/tools/find", json={"Level": "Instance", "Query": {"SOPInstanceUID": uid}}).json()


NAME = "Nguyễn^Văn Ánh"


@pytest.fixture(scope="module")
def old(orthanc: httpx.Client, whole: Whole) -> dict[str, bytes]:
    """Studies that only Orthanc has, three instances of one and one of another; Part 10 files by SOP Instance UID."""
    files = {}
    for study, count in ((STUDY, 3), (f"{STUDY}.1", 1)):
        for _ in range(count):
            data_set = pydicom.dcmread(io.BytesIO(whole.template))
            data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            data_set.StudyInstanceUID, data_set.SeriesInstanceUID, data_set.PatientID = study, f"{study}.2", "OLD"
            data_set.SpecificCharacterSet, data_set.PatientName = "ISO_IR 192", NAME
            file = io.BytesIO()
            data_set.save_as(file)
            files[data_set.SOPInstanceUID] = file.getvalue()
            orthanc.post("/instances", content=file.getvalue()).raise_for_status()
    return files


STUDY = generate_uid()[:50]
Run = Callable[..., str]


@pytest.fixture
def run(orthanc: httpx.Client, whole: Whole, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``pacs modality …`` on the archive."""
    monkeypatch.setenv("PACS_DATA", str(whole.settings.data))
    monkeypatch.setenv("PACS_DATABASE_URL", whole.settings.database_url)
    monkeypatch.setenv("COLUMNS", "250")
    return lambda *words: CliRunner().invoke(app, ["modality", *words], catch_exceptions=False).output


@pytest.fixture
def filing(whole: Whole) -> Iterator[None]:
    """The worker runs, as `pacs ingest` does."""
    stop = threading.Event()
    worker = Worker(whole.spool, whole.archive, whole.settings)
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    yield
    stop.set()
    thread.join(30)


@pytest.mark.usefixtures("old")
def test_its_studies_are_listed(run: Run) -> None:
    """A query by a name with accents, or by several keys, lists what it has: names readable, instances counted."""
    listed = run("query", "ORTHANC", "--patient-name", "Nguyễn*")
    assert "2 studies at ORTHANC" in listed
    assert NAME in listed
    row = next(line for line in listed.splitlines() if f"{STUDY} " in line)
    assert [cell.strip() for cell in row.strip("│").split("│")][-1] == "3"
    assert "2 studies" in run(
        "query", "ORTHANC", "--patient-id", "OLD", "--study-date", "20040101-20041231", "--modality", "CT"
    )
    assert "0 studies" in run("query", "ORTHANC", "--patient-id", "OLD", "--study-date", "2005-")
    assert "0 studies" in run("query", "ORTHANC", "--accession-number", "NONE")


@pytest.mark.usefixtures("filing")
def test_its_studies_are_fetched_whole(run: Run, whole: Whole, old: dict[str, bytes]) -> None:
    """All instances of the studies are here afterwards, and every attribute and pixel is as it was there."""
    fetched = run("fetch", "ORTHANC", "--study", STUDY)
    assert f"{STUDY}: 3 sent, 0 failed; here are 3 of 3" in fetched
    fetched = run("fetch", "ORTHANC", "--patient-id", "OLD")
    assert "here are 1 of 1" in fetched
    for uid, part10 in old.items():
        stored = whole.archive.instance(HOSPITAL, uid)
        here = read_back(bytes(whole.archive.received(HOSPITAL, stored)), stored.received_transfer_syntax_uid)
        there = pydicom.dcmread(io.BytesIO(part10))
        assert here.PixelData == there.PixelData
        assert here.PatientName == there.PatientName == NAME


def test_what_cannot_be_fetched_is_told(run: Run, whole: Whole) -> None:
    """A study it has not, a fetch of everything by mistake, and a peer that could not store here end at once."""
    with pytest.raises(NotFound, match="no such study at ORTHANC"):
        run("fetch", "ORTHANC", "--study", "1.2.3")
    with pytest.raises(InvalidRequest, match="say which"):
        run("fetch", "ORTHANC")
    rights = MODALITY_RIGHTS - {Right.STORE}
    put_modality(
        whole.archive.index, Modality(hospital=HOSPITAL, ae_title="MUTE", address="127.0.0.1", port=104, rights=rights)
    )
    with pytest.raises(NotAllowed, match="MUTE may not store here"):
        run("fetch", "MUTE", "--study", STUDY)


def test_a_study_that_does_not_arrive_whole_is_no_success(run: Run, whole: Whole) -> None:
    """An archive that tells of two instances and says it sent them, but did not, ends the command with an error."""

    def find(_: Any) -> Iterator[Any]:
        yield 0xFF00, match(StudyInstanceUID="1.2.3.9", NumberOfStudyRelatedInstances="2")

    def move(_: Any) -> Iterator[Any]:
        yield "127.0.0.1", whole.port
        yield 0

    with archive(find=find, move=move) as peer:
        whole.know("OLD", peer.modality.port)
        with pytest.raises(Unavailable, match="1 of 1 studies are not complete"):
            run("fetch", "OLD", "--study", "1.2.3.9", "--silence", "1")
