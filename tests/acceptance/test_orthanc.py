"""Orthanc as a peer over DICOMweb, both ways: it pulls our studies and pushes its own."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import imagecodecs
import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.uid import HTJ2KLosslessRPCL

from dicom_scp.sender import send
from tests.acceptance.conftest import RunningArchive, free_port
from tests.acceptance.test_whole_way import stored_instances, uids

pytestmark = [pytest.mark.acceptance, pytest.mark.filterwarnings("ignore::UserWarning:pydicom")]

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
OURS = ("CT_small.dcm", "examples_rgb_color.dcm", "examples_palette.dcm")  # native: they come back to the bit
THEIRS = ("MR_small.dcm", "examples_ybr_color.dcm", "JPEG2000.dcm", "rtdose_rle_1frame.dcm")


@pytest.fixture(scope="module")
def archive(module_archive: RunningArchive, pydicom_file: Callable[[str], Path]) -> RunningArchive:
    """A started archive with our instances."""
    module_archive.start()
    paths = [pydicom_file(name) for name in OURS]
    answers = send(paths, host="127.0.0.1", port=module_archive.dicom_port, calling="TEST", called="PACS")
    assert {answer.status for answer in answers} == {0}
    with module_archive.client() as http:
        module_archive.wait_for(lambda: len(stored_instances(http)) == len(paths))
    return module_archive


@pytest.fixture(scope="module")
def orthanc(archive: RunningArchive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """An empty Orthanc that knows the archive as the DICOMweb server ``pacs``; a missing one fails the run loudly."""
    program = shutil.which("Orthanc", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "Orthanc is missing: apt-get install orthanc"
    assert PLUGIN.exists(), "its plugin is missing: apt-get install orthanc-dicomweb"
    folder, port = tmp_path_factory.mktemp("orthanc"), free_port()
    with archive.client() as http:
        token = http.headers["Authorization"]
    settings = {
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {
            "Servers": {"pacs": {"Url": f"{archive.web}/dicom-web/", "HttpHeaders": {"Authorization": token}}}
        },
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, folder / "orthanc.json"], stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            await_answer(client, process, folder / "log")
            yield client
    finally:
        process.terminate()
        process.wait(30)


def await_answer(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until Orthanc answers, or fail with what it said."""
    for _ in range(300):
        try:
            if client.get("/system").status_code == 200:
                return
        except httpx.TransportError:
            assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    pytest.fail(log.read_text())


def pixels(part10: bytes) -> str:
    """The digest of the pixel values of a file; our HTJ2K by OpenJPEG, which did not write it."""
    data_set = pydicom.dcmread(io.BytesIO(part10))
    if data_set.file_meta.TransferSyntaxUID != HTJ2KLosslessRPCL:
        return hashlib.sha256(data_set.PixelData.rstrip(b"\0")).hexdigest()
    (frame,) = generate_frames(data_set.PixelData, number_of_frames=1)
    values = imagecodecs.jpeg2k_decode(frame)
    return hashlib.sha256(values.tobytes().rstrip(b"\0")).hexdigest()


def test_orthanc_pulls_our_studies(
    archive: RunningArchive, orthanc: httpx.Client, pydicom_file: Callable[[str], Path]
) -> None:
    """QIDO-RS and WADO-RS by Orthanc's own client: every instance arrives there, pixels equal to what was sent."""
    sent = {name: pydicom.dcmread(pydicom_file(name)) for name in OURS}
    found = orthanc.post("/dicom-web/servers/pacs/qido", json={"Uri": "/studies", "Arguments": {}})
    assert {s["0020000D"]["Value"] for s in found.json()} == {str(d.StudyInstanceUID) for d in sent.values()}
    wanted = [{"Study": str(data_set.StudyInstanceUID)} for data_set in sent.values()]
    answer = orthanc.post("/dicom-web/servers/pacs/retrieve", json={"Resources": wanted, "Synchronous": True})
    assert answer.status_code == 200, answer.text
    held = orthanc.get("/instances").json()
    assert len(held) == len(sent)
    there = {pixels(orthanc.get(f"/instances/{one}/file").content) for one in held}
    assert there == {pixels(pydicom_file(name).read_bytes()) for name in OURS}


def test_orthanc_pushes_its_own(
    archive: RunningArchive, orthanc: httpx.Client, pydicom_file: Callable[[str], Path]
) -> None:
    """STOW-RS by Orthanc's own client: every instance arrives here, in its own transfer syntax, pixels equal."""
    names = {}
    for name in THEIRS:
        added = orthanc.post("/instances", content=pydicom_file(name).read_bytes())
        assert added.status_code == 200, (name, added.text)
        names[added.json()["ID"]] = name
    answer = orthanc.post("/dicom-web/servers/pacs/stow", json={"Resources": list(names), "Synchronous": True})
    assert answer.status_code == 200, answer.text
    expected = {str(pydicom.dcmread(pydicom_file(name)).SOPInstanceUID): name for name in THEIRS}
    with archive.client() as http:
        archive.wait_for(lambda: len(stored_instances(http)) == len(OURS) + len(THEIRS))
        found = stored_instances(http)
        for uid, name in expected.items():
            study, series, instance = uids(found[uid])
            native = not pydicom.dcmread(pydicom_file(name)).file_meta.TransferSyntaxUID.is_compressed
            syntax = "1.2.840.10008.1.2.1" if native else "*"
            got = http.get(
                f"/dicom-web/studies/{study}/series/{series}/instances/{instance}",
                headers={"Accept": f"application/dicom; transfer-syntax={syntax}"},
            )
            assert got.status_code == 200, (name, got.text)
            assert pixels(got.content) == pixels(pydicom_file(name).read_bytes()), name
