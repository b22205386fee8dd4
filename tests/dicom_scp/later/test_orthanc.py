"""Orthanc stores here, asks for commitment and hears the result; and it gets what we forward."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pacs.forwarding import ForwardRule
from storage.index.errands import add_forward_rule, drop_forward_rule
from tests.conftest import _free_ports
from tests.dicom_scp.later.conftest import HOSPITAL, Whole


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
