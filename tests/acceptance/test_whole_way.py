"""From a modality to a doctor's screen, over the wire, with nothing faked."""

import hashlib
import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest
from dicomweb_client import DICOMwebClient
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicom_scp.sender import send
from pacs.file_meta import read_file_meta
from tests.acceptance.conftest import RunningArchive

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.filterwarnings("ignore::UserWarning:pydicom"),  # real files break rules, and pydicom says so
]

SERIES = ("ct/ge-hispeed-head-*", "mr/siemens-t1-sag-*", "us/*", "cr-dx-mg/*", "nm-pt/acrin-petct-pet-ac-00*", "xa/*")
PYDICOM = ("CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "examples_rgb_color.dcm", "test-SR.dcm")


@pytest.fixture
def files(corpus_files: Callable[[str], list[Path]], pydicom_file: Callable[[str], Path]) -> list[Path]:
    """Well-formed series of many kinds: the corpus when it is there, pydicom's own files always."""
    chosen = [path for pattern in SERIES for path in corpus_files(pattern)] + [pydicom_file(name) for name in PYDICOM]
    by_uid = {str(pydicom.dcmread(p, stop_before_pixels=True).SOPInstanceUID): p for p in chosen}
    return sorted(by_uid.values())


def dcmsend(dcmtk: Callable[[str], str], archive: RunningArchive, files: list[Path]) -> None:
    """Push with DCMTK as a modality does, each file in its own transfer syntax."""
    answer = subprocess.run(
        [
            dcmtk("dcmsend"),
            "--decompress-never",
            "-aec",
            "PACS",
            "127.0.0.1",
            str(archive.dicom_port),
            *map(str, files),
        ],
        env={"TCP_NODELAY": "1", "PATH": "/usr/bin:/bin"},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]


def stored_instances(client: httpx.Client) -> dict[str, dict[str, object]]:
    """Every instance that the search knows, by SOP Instance UID."""
    found: dict[str, dict[str, object]] = {}
    while True:
        answer = client.get("/dicom-web/instances", params={"limit": 500, "offset": len(found)})
        items = answer.json() if answer.content else []
        found |= {item["00080018"]["Value"][0]: item for item in items}
        if len(items) < 500:
            return found


def uids(item: dict[str, object]) -> tuple[str, str, str]:
    """Study, Series and SOP Instance UID of a search result."""
    return tuple(item[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))  # type: ignore[index]  # DICOM JSON is untyped


def data_set_size(path: Path) -> int:
    """Bytes of a file behind its File Meta."""
    whole = path.read_bytes()
    return len(whole) - read_file_meta(whole).data_set_offset


def pixels(data_set: Dataset) -> np.ndarray:
    """Stored pixel values by pydicom's own decoders."""
    return data_set.pixel_array


def test_dcmtk_pushes_and_every_instance_comes_back_the_same(
    archive: RunningArchive, dcmtk: Callable[[str], str], files: list[Path]
) -> None:
    """What DCMTK pushed is found by an independent DICOMweb client, with equal pixels and equal attributes."""
    archive.start()
    files = [path for path in files if "htj2k" not in path.name]  # Debian's DCMTK does not know that syntax yet
    dcmsend(dcmtk, archive, files)
    with archive.client() as http:
        archive.wait_for(lambda: len(stored_instances(http)) == len(files), 120)
        found = stored_instances(http)
        session_client = DICOMwebClient(
            f"{archive.web}/dicom-web", headers={"Authorization": http.headers["Authorization"]}
        )
        assert len(session_client.search_for_studies(limit=200)) == len({uids(item)[0] for item in found.values()})
        for path in files:
            sent = pydicom.dcmread(path)
            study, series, instance = uids(found[str(sent.SOPInstanceUID)])
            got = session_client.retrieve_instance(study, series, instance, media_types=(("application/dicom", "*"),))
            assert got.PatientName == sent.PatientName
            left_out = {"PixelData", "PhotometricInterpretation", "PlanarConfiguration"}
            for element in sent:
                if element.keyword in left_out or element.tag.element == 0 or element.tag.group == 0xFFFC:
                    continue
                assert got[element.tag].value == element.value, (path.name, element.keyword)
            if sent.file_meta.TransferSyntaxUID.is_compressed:
                assert got.PixelData == sent.PixelData, path.name
            elif "PixelData" in sent:
                native = session_client.retrieve_instance(
                    study, series, instance, media_types=(("application/dicom", "1.2.840.10008.1.2.1"),)
                )
                assert np.array_equal(pixels(native), pixels(sent)), path.name
    assert archive.stop() == 0


def test_what_was_received_is_returned_byte_for_byte_after_a_restart(
    archive: RunningArchive, files: list[Path], pydicom_file: Callable[[str], Path]
) -> None:
    """A data set asked for in the syntax it came in has the SHA-256 of what was sent, also after a restart."""
    sent = [*files, pydicom_file("ExplVR_BigEnd.dcm")]
    sent = list({str(pydicom.dcmread(p, stop_before_pixels=True).SOPInstanceUID): p for p in sent}.values())
    sent = [path for path in sent if data_set_size(path) % 2 == 0]  # DIMSE has no odd fragments (PS3.8 E.2)
    archive.start()
    results = list(send(sent, host="127.0.0.1", port=archive.dicom_port, calling="TEST", called="PACS"))
    assert [r for r in results if r.status != 0] == []
    with archive.client() as http:
        archive.wait_for(lambda: len(stored_instances(http)) == len(sent), 120)
    assert archive.stop() == 0

    archive.start()
    with archive.client() as http:
        found = stored_instances(http)
        assert len(found) == len(sent)
        for path in sent:
            whole = path.read_bytes()
            meta = read_file_meta(whole)
            study, series, instance = uids(found[meta.sop_instance_uid])
            answer = http.get(
                f"/dicom-web/studies/{study}/series/{series}/instances/{instance}",
                headers={"Accept": f"application/dicom; transfer-syntax={meta.transfer_syntax_uid}"},
            )
            assert answer.status_code == 200, (path.name, answer.text)
            back = read_file_meta(answer.content)
            assert UID(back.transfer_syntax_uid) == meta.transfer_syntax_uid
            got = hashlib.sha256(answer.content[back.data_set_offset :]).hexdigest()
            assert got == hashlib.sha256(whole[meta.data_set_offset :]).hexdigest(), path.name
    assert "0" in archive.run("verify")


def test_a_tile_is_a_crop_of_the_full_rendering(archive: RunningArchive, pydicom_file: Callable[[str], Path]) -> None:
    """A IIIF tile at full size equals the same crop of the whole picture."""
    archive.start()
    path = pydicom_file("693_J2KI.dcm")
    uid = str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)
    ct = pydicom_file("CT_small.dcm")
    list(send([path, ct], host="127.0.0.1", port=archive.dicom_port, calling="TEST", called="PACS"))
    with archive.client() as http:
        archive.wait_for(lambda: len(stored_instances(http)) == 2)

        def picture(identifier: str, rest: str) -> Image.Image:
            answer = http.get(f"/iiif/{identifier}/{rest}/0/default.png")
            assert answer.status_code == 200, answer.text
            return Image.open(io.BytesIO(answer.content))

        for identifier in (f"{uid}:1", f"{pydicom.dcmread(ct).SOPInstanceUID}:1"):
            info = http.get(f"/iiif/{identifier}/info.json").json()
            whole = picture(identifier, "full/max")
            assert whole.size == (info["width"], info["height"])
            tile = picture(identifier, "32,48,64,40/max")
            assert tile.tobytes() == whole.crop((32, 48, 96, 88)).tobytes()
            assert np.asarray(whole).std() > 5
