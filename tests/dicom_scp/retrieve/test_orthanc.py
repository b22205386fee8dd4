"""Orthanc as a full peer: it finds here and moves to itself, gets what we push, and pushes it back."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from dicom_scp.requestor import Peer
from dicom_scp.sendable import from_archive
from dicom_scp.sending import send
from pacs.file_meta import read_file_meta
from pacs.model import Selection
from tests.conftest import _free_ports
from tests.dicom_scp.retrieve.asking import read_back
from tests.dicom_scp.retrieve.conftest import STUDY, Filled

_DATA_SET_TRAILING_PADDING = "FFFCFFFC"


@dataclass
class Orthanc:
    """A running one."""

    web: httpx.Client
    dicom_port: int

    def instances(self) -> dict[str, tuple[str, bytes]]:
        """Transfer syntax and data set of what it has, by SOP Instance UID."""
        files = [self.web.get(f"/instances/{one}/file").content for one in self.web.get("/instances").json()]
        metas = [read_file_meta(data) for data in files]
        return {
            meta.sop_instance_uid: (meta.transfer_syntax_uid, data[meta.data_set_offset :])
            for meta, data in zip(metas, files, strict=True)
        }

    def empty(self) -> None:
        """Forget everything."""
        for one in self.web.get("/patients").json():
            self.web.delete(f"/patients/{one}")


@pytest.fixture(scope="module")
def orthanc(filled: Filled, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Orthanc of the distribution on free ports, which knows us as "pacs"."""
    program = shutil.which("Orthanc", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("Orthanc is not installed")
    folder = tmp_path_factory.mktemp("orthanc")
    dicom_port, http_port = _free_ports(2)
    (folder / "orthanc.json").write_text(
        json.dumps(
            {
                "Name": "peer",
                "StorageDirectory": str(folder / "db"),
                "IndexDirectory": str(folder / "db"),
                "DicomAet": "ORTHANC",
                "DicomPort": dicom_port,
                "HttpPort": http_port,
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": False,
                "DicomAlwaysAllowStore": True,
                "DicomModalities": {"pacs": ["PACS", "127.0.0.1", filled.port]},
                "Plugins": [],
            }
        )
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, folder / "orthanc.json"],
            stdout=log,
            stderr=log,
            env={"TCP_NODELAY": "1", "PATH": "/usr/bin:/bin"},
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{http_port}", timeout=60) as web:
            for _ in range(200):
                try:
                    web.get("/system").raise_for_status()
                    break
                except httpx.HTTPError:
                    assert process.poll() is None, (folder / "log").read_text()
                    time.sleep(0.1)
            filled.knows("ORTHANC", dicom_port)
            yield Orthanc(web, dicom_port)
    finally:
        process.terminate()
        process.wait(20)


def content(data_set: bytes, syntax: str) -> dict[str, Any]:
    """Every element and every pixel; DCMTK, of which Orthanc is made, writes lengths of its own and no padding."""
    content = read_back(data_set, syntax).to_json_dict()
    content.pop(_DATA_SET_TRAILING_PADDING, None)
    return content


def assert_same(filled: Filled, got: dict[str, tuple[str, bytes]]) -> None:
    """What a peer has is what we received."""
    for uid, (syntax, data_set) in got.items():
        original = filled.originals[uid]
        assert syntax == original.transfer_syntax_uid
        assert data_set == original.data_set or content(data_set, syntax) == content(original.data_set, syntax), uid


def test_orthanc_finds_and_moves_to_itself(filled: Filled, orthanc: Orthanc) -> None:
    """Query, then retrieve: all instances, every attribute and pixel the same."""
    orthanc.empty()
    query = orthanc.web.post(
        "/modalities/pacs/query", json={"Level": "Study", "Query": {"StudyInstanceUID": STUDY}}
    ).json()
    assert len(orthanc.web.get(f"{query['Path']}/answers").json()) == 1
    orthanc.web.post(f"{query['Path']}/retrieve", json={"TargetAet": "ORTHANC", "Synchronous": True}).raise_for_status()
    files = orthanc.instances()
    assert files.keys() == {uid for uid, one in filled.originals.items() if one.study_instance_uid == STUDY}
    assert_same(filled, files)


def test_we_push_to_orthanc_and_it_pushes_back(filled: Filled, orthanc: Orthanc, everything: str) -> None:
    """Instances of every kind go over one association, and come back to the spool as they were."""
    orthanc.empty()
    selection = Selection(study_instance_uids=tuple(everything.split("\\")))
    instances = [from_archive(filled.archive, "default", one) for one in filled.archive.select("default", selection)]
    peer = Peer("ORTHANC", "PACS", "127.0.0.1", orthanc.dicom_port)
    assert {sent.status for sent in send(peer, instances)} == {0}
    files = orthanc.instances()
    assert files.keys() == filled.originals.keys()
    assert_same(filled, files)
    orthanc.web.post("/modalities/pacs/store", json=orthanc.web.get("/studies").json()).raise_for_status()
    # other modules store into the same spool
    back = {uid: one for uid, one in filled.spooled().items() if uid in filled.originals}
    assert back.keys() == filled.originals.keys()
    assert_same(filled, back)
