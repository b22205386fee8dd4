"""Clients of others ask, and count what pynetdicom counts."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from pacs.orders import read_order
from storage.index.orders import change_status, put_orders
from tests.conftest import _free_ports

PEERS = Path(__file__).parents[2] / "peers"
Ask = Callable[..., str]


@pytest.fixture
def ask() -> Ask:
    """Runs a program to its end and gives what it printed; the test is skipped where it is not installed."""

    def run(program: str, *arguments: object) -> str:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
        environment = {"TCP_NODELAY": "1", "PATH": "/usr/bin:/bin:/usr/local/bin"}
        done = subprocess.run(
            [program, *map(str, arguments)], check=False, capture_output=True, timeout=60, env=environment
        )
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.returncode == 0, said
        return said

    return run


@pytest.mark.parametrize(
    ("model", "keys", "count"),
    [
        ("-P", ["QueryRetrieveLevel=PATIENT", "PatientID", "PatientName"], 6),
        ("-P", ["QueryRetrieveLevel=STUDY", "PatientID=P1", "StudyInstanceUID"], 2),
        ("-S", ["QueryRetrieveLevel=STUDY", "StudyInstanceUID", "StudyDate=20240201-20240301"], 3),
        ("-S", ["QueryRetrieveLevel=SERIES", "StudyInstanceUID=1.2.3.1", "SeriesInstanceUID"], 2),
        ("-S", ["QueryRetrieveLevel=IMAGE", "StudyInstanceUID=1.2.3.1", "SeriesInstanceUID=1.2.3.1.1", "0008,0018"], 2),
        ("-O", ["QueryRetrieveLevel=STUDY", "PatientID=P1", "StudyInstanceUID"], 2),
    ],
)
@pytest.mark.parametrize("syntaxes", ["-xe", "-xi", "-xd"])
def test_dcmtk_finds(  # noqa: PLR0917  # fixtures and cases
    ask: Ask, peer: Any, model: str, keys: list[str], count: int, syntaxes: str
) -> None:
    """DCMTK counts at every level of every model, in every transfer syntax of messages."""
    given = [part for key in keys for part in ("-k", key)]
    said = ask("findscu", "-v", syntaxes, model, *given, "-aec", "PACS", "127.0.0.1", peer.port)
    assert len(re.findall(r"Find Response: \d+ \(Pending\)", said)) == count
    assert "Received Final Find Response (Success)" in said


def test_dcmtk_cancels(ask: Ask, peer: Any) -> None:
    """Who wanted one match gets the status of a cancelled search, or its end when all were on their way."""
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID")
    said = ask("findscu", "-v", "-S", *keys, "--cancel", "1", "-aec", "PACS", "127.0.0.1", peer.port)
    assert "Sending Cancel Request" in said
    assert re.search(r"Received Final Find Response \((Cancel|Success)", said)


def test_dcmtk_asks_for_the_worklist(ask: Ask, peer: Any) -> None:
    """A scanner gets an order by modality and day, its name in UTF-8 when it asks in it."""
    order = {
        "AccessionNumber": "D1",
        "PatientID": "PD1",
        "PatientName": "NGUYỄN^VĂN A",
        "Modality": "XA",
        "ScheduledProcedureStepStartDate": "20230105",
        "ScheduledProcedureStepStartTime": "0900",
    }
    put_orders(peer.archive.index, "default", [read_order(order)])
    try:
        step = "ScheduledProcedureStepSequence[0]"
        keys = ("-k", f"{step}.Modality=XA", "-k", f"{step}.ScheduledProcedureStepStartDate=20230105")
        asked = ("-k", "PatientName", "-k", "PatientID", *keys, "-aec", "PACS", "127.0.0.1", peer.port)
        plain, utf8 = (
            ask("findscu", "-v", "-W", *more, *asked) for more in ((), ("-k", "SpecificCharacterSet=ISO_IR 192"))
        )
        assert plain.count("(Pending)") == utf8.count("(Pending)") == 1
        assert "NGUYEN^VAN A" in plain
        assert "NGUYỄN^VĂN A" in utf8
    finally:
        with peer.archive.index.transaction("default") as connection:
            change_status(connection, "D1", "", "CANCELLED")


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        (["--echo"], 0),
        (["--find", "--patientroot", "--patient", "--key", "10,20=P*", "--key", "10,10="], 6),
        (["--find", "--studyroot", "--study", "--key", "8,61=CT", "--key", "20,10="], 3),
    ],
)
def test_gdcm_verifies_and_finds(peer: Any, asked: list[str], count: int) -> None:
    """Every pending response and the success reach gdcmscu, which prints each command set as it reads it."""
    if shutil.which("gdcmscu") is None:
        pytest.skip("gdcmscu is not installed")
    command = ["gdcmscu", "-D", *asked, "--call", "PACS", "127.0.0.1", str(peer.port)]
    done = subprocess.run(command, check=False, capture_output=True, timeout=60)
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    # GDCM 3.0 aborts itself after the release was answered, whoever answered it, so that its exit code says nothing
    assert done.returncode == 0 or "ProtocolStream as nullptr is invalid" in said
    statuses = re.findall(r"\(0000,0900\) \?\? \(US\) (\d+)", said)
    assert statuses.count(str(0xFF00)) == 2 * count  # printed with the command set, and again when the Identifier is in
    assert statuses[-1] == "0"


def test_dcmjs_dimse_finds(ask: Ask, peer: Any) -> None:
    """The JavaScript client verifies, searches by an accented name and reads it."""
    if not (PEERS / "node_modules" / "dcmjs-dimse").is_dir():
        pytest.skip("dcmjs-dimse is not installed")
    keys = {"PatientName": "TRẦN*", "StudyInstanceUID": "", "StudyID": ""}
    found = json.loads(ask("node", PEERS / "dimse.mjs", peer.port, json.dumps(keys)).splitlines()[-1])
    assert found["echo"] == 0
    assert found["statuses"][-1] == 0
    assert [study["StudyID"] for study in found["studies"]] == ["3"]


@pytest.fixture(scope="module")
def orthanc(peer: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Orthanc on free ports, which knows us as "pacs"."""
    program = shutil.which("Orthanc", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("Orthanc is not installed")
    folder, (dicom_port, http_port) = tmp_path_factory.mktemp("orthanc"), _free_ports(2)
    settings = {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "DicomPort": dicom_port,
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DefaultEncoding": "Utf8",
        "DicomModalities": {"pacs": ["PACS", "127.0.0.1", peer.port]},
        "Plugins": [],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, folder / "orthanc.json"], stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{http_port}", timeout=60) as web:
            for _ in range(200):
                with suppress(httpx.HTTPError):
                    web.get("/system").raise_for_status()
                    break
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
            yield web
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize(
    ("level", "query", "count"),
    [
        ("Patient", {"PatientID": "*"}, 6),
        ("Study", {"PatientName": "NGUYEN*"}, 2),
        ("Study", {"StudyDate": "20240201-20240301", "ModalitiesInStudy": "CT\\MR"}, 2),
        ("Series", {"PatientID": "P1", "StudyInstanceUID": "1.2.3.1"}, 2),
        ("Instance", {"PatientID": "P1", "StudyInstanceUID": "1.2.3.1", "SeriesInstanceUID": "1.2.3.1.1"}, 2),
    ],
)
def test_orthanc_finds(orthanc: httpx.Client, level: str, query: dict[str, str], count: int) -> None:
    """A remote modality of Orthanc: C-ECHO, and as many answers at each level as there are."""
    orthanc.post("/modalities/pacs/echo", json={}).raise_for_status()
    asked = orthanc.post("/modalities/pacs/query", json={"Level": level, "Query": query}).json()
    assert len(orthanc.get(f"{asked['Path']}/answers").json()) == count
