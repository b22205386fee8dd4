"""odil and CTN, two more implementations of DICOM that share no code with ours, speak with the running archive."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from tests.acceptance.conftest import RunningArchive
from tests.acceptance.test_whole_way import stored_instances

pytestmark = pytest.mark.acceptance


def run(program: str, *words: object) -> str:
    """What a program prints; it must succeed, and a missing one fails the run loudly."""
    path = shutil.which(program)
    assert path, f"{program} is missing: apt-get install odil ctn"
    answer = subprocess.run(
        [path, *map(str, words)], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
    )
    said = answer.stdout.decode(errors="replace")
    assert answer.returncode == 0, said
    return said


def test_odil_and_ctn_store_find_and_get_the_same_images(
    archive: RunningArchive, pydicom_file: Callable[[str], Path], tmp_path: Path
) -> None:
    """What odil and CTN store is found, and odil gets it back with equal pixels."""
    archive.start()
    ct, mr = pydicom_file("CT_small.dcm"), pydicom_file("MR_small.dcm")
    sent = pydicom.dcmread(ct)
    odil = ("127.0.0.1", archive.dicom_port, "ODIL", "PACS")
    run("odil", "echo", *odil)
    run("odil", "store", *odil, ct)
    ctn = ("-a", "CTN", "-c", "PACS")
    run("dicom_echo", *ctn, "127.0.0.1", archive.dicom_port)
    run("send_image", *ctn, "-Z", "-r", "127.0.0.1", archive.dicom_port, mr)
    with archive.client() as http:
        archive.wait_for(lambda: len(stored_instances(http)) == 2)

    keys = ("QueryRetrieveLevel=STUDY", f"PatientID={sent.PatientID}", "StudyInstanceUID")
    found = run("odil", "find", *odil, "study", *keys)
    assert str(sent.StudyInstanceUID) in found
    study = ("QueryRetrieveLevel=STUDY", f"StudyInstanceUID={sent.StudyInstanceUID}")
    run("odil", "get", "--directory", tmp_path, *odil, "study", *study)
    got = [pydicom.dcmread(path) for path in tmp_path.rglob("*") if path.is_file() and "data" not in path.parts]
    assert [one.SOPInstanceUID for one in got] == [sent.SOPInstanceUID]
    assert np.array_equal(got[0].pixel_array, sent.pixel_array)
