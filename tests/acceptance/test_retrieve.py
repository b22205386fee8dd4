"""C-MOVE and C-GET from the running archive, to a destination that a person registered."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dicom_scp.sender import send
from pacs.file_meta import read_file_meta
from tests.acceptance.conftest import RunningArchive, free_port

pytestmark = pytest.mark.acceptance

FILES = ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "SC_rgb_rle.dcm", "test-SR.dcm")


@pytest.fixture
def storescp(dcmtk: Callable[[str], str], tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """DCMTK's storage SCP; its port and folder."""
    port, folder = free_port(), tmp_path / "got"
    folder.mkdir()
    process = subprocess.Popen([dcmtk("storescp"), "+B", "+xa", "-od", str(folder), str(port)])
    yield port, folder
    process.terminate()
    process.wait(10)


def data_sets(folder: Path) -> dict[str, bytes]:
    """The data sets in a folder, by SOP Instance UID."""
    files = [path.read_bytes() for path in folder.iterdir()]
    metas = [read_file_meta(data) for data in files]
    return {meta.sop_instance_uid: data[meta.data_set_offset :] for meta, data in zip(metas, files, strict=True)}


def test_a_workstation_moves_and_gets_what_modalities_sent(
    module_archive: RunningArchive,
    storescp: tuple[int, Path],
    dcmtk: Callable[[str], str],
    pydicom_file: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    """Sent, filed, registered, retrieved: byte for byte the same, and to nobody who is not registered."""
    module_archive.start()
    files = [pydicom_file(name) for name in FILES]
    port, folder = storescp
    sent = send(files, host="127.0.0.1", port=module_archive.dicom_port, calling="CT1", called="PACS")
    assert [one.status for one in sent] == [0] * len(files)
    originals = {}
    for path in files:
        data = path.read_bytes()
        meta = read_file_meta(data)
        originals[meta.sop_instance_uid] = data[meta.data_set_offset :]
    studies: dict[str, int] = {}
    with module_archive.client() as client:
        deadline = time.monotonic() + 60
        while len(studies) < len(files):
            assert time.monotonic() < deadline
            answer = client.get("/dicom-web/instances")
            studies = {item["0020000D"]["Value"][0]: 1 for item in answer.json()} if answer.content else {}
            time.sleep(0.2)

    def ask(program: str, *words: object) -> "subprocess.CompletedProcess[str]":
        asked = ["-S", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={chr(92).join(studies)}"]
        command = [dcmtk(program), "-v", "-aec", "PACS", *words, *asked, "127.0.0.1", module_archive.dicom_port]
        return subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True, timeout=60)

    assert "MoveDestinationUnknown" in ask("movescu", "-aem", "ARCHIVE2").stderr
    module_archive.run("modality", "add", "ARCHIVE2", "127.0.0.1", "--port", str(port), "--may", "destination")
    deadline = time.monotonic() + 15
    while ask("movescu", "-aem", "ARCHIVE2").returncode:
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert data_sets(folder) == originals
    got = tmp_path / "gotten"
    got.mkdir()
    done = ask("getscu", "+B", "-od", got)
    assert done.returncode == 0, done.stderr
    assert data_sets(got).keys() == originals.keys()
