"""C-MOVE asked for by DCMTK's movescu and pynetdicom, to DCMTK's storescp."""

import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID

from pacs.transfer_syntaxes import EXPLICIT_LE, IMPLICIT_LE, TRANSFER_SYNTAXES
from tests.conftest import _free_ports as free_ports
from tests.dicom_scp.retrieve.asking import (
    PATIENT_ROOT_MOVE,
    STUDY_ROOT_MOVE,
    identifier,
    moved,
    pixels,
    read_back,
    tally,
)
from tests.dicom_scp.retrieve.conftest import PATIENT, SERIES, STUDY, Filled, data_sets


def test_data_sets_leave_byte_for_byte_as_they_came(filled: Filled, storescp: Any, dcmtk: Any, everything: str) -> None:
    """A destination that takes every transfer syntax gets what the modality sent, though we keep HTJ2K."""
    port, folder = storescp("+xa")
    filled.knows("STORESCP", port)
    done = dcmtk(
        "movescu", "-v", "-S", "-aec", "PACS", "-aem", "STORESCP", "-k", "QueryRetrieveLevel=STUDY",
        "-k", f"StudyInstanceUID={everything}", "127.0.0.1", filled.port,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    got = data_sets(folder)
    assert got == {
        uid: (one.transfer_syntax_uid, one.data_set + b"\0" * (len(one.data_set) % 2))  # PS3.5 A.5: a deflated one
        for uid, one in filled.originals.items()
    }


@pytest.mark.parametrize(("option", "syntax"), [("+x=", EXPLICIT_LE), ("+xi", IMPLICIT_LE)])
def test_uncompressed_destination_gets_the_same_pixels(
    filled: Filled, storescp: Any, everything: str, option: str, syntax: str
) -> None:
    """Who knows no compression gets every instance all the same, its pixel values exact, its loss declared."""
    port, folder = storescp(option)
    filled.knows("STORESCP", port)
    *_, (response, _) = moved(filled, identifier("STUDY", StudyInstanceUID=everything.split("\\")))
    assert tally(response) == (0, len(filled.originals), 0, 0)
    for uid, (got, data_set) in data_sets(folder).items():
        original = filled.originals[uid]
        assert got in {syntax, original.transfer_syntax_uid}
        assert not TRANSFER_SYNTAXES[got].encapsulated
        before = pixels(original.data_set, original.transfer_syntax_uid)
        if before is not None:
            assert np.array_equal(pixels(data_set, got), before), uid
        if original.transfer_syntax_uid.startswith("1.2.840.10008.1.2.4.5"):
            assert read_back(data_set, got).LossyImageCompression == "01"


@pytest.mark.parametrize(
    ("asked", "model", "count"),
    [
        (identifier("PATIENT", PatientID=PATIENT), PATIENT_ROOT_MOVE, 12),
        (identifier("STUDY", PatientID=PATIENT, StudyInstanceUID=STUDY), PATIENT_ROOT_MOVE, 12),
        (identifier("SERIES", StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES[0]), STUDY_ROOT_MOVE, 6),
        (identifier("SERIES", StudyInstanceUID=STUDY, SeriesInstanceUID=list(SERIES)), STUDY_ROOT_MOVE, 12),
        (
            identifier(
                "IMAGE",
                StudyInstanceUID=STUDY,
                SeriesInstanceUID=SERIES[1],
                SOPInstanceUID=[f"{SERIES[1]}.1", f"{SERIES[1]}.4", f"{SERIES[0]}.1"],
            ),
            STUDY_ROOT_MOVE,
            2,
        ),
        (identifier("STUDY", StudyInstanceUID="1.2.3.4.5.6"), STUDY_ROOT_MOVE, 0),
    ],
)
def test_every_level_finds_what_it_names(filled: Filled, storescp: Any, asked: Dataset, model: str, count: int) -> None:
    """Unique keys of all levels hold together, lists included; nothing found is a success with nothing done."""
    port, folder = storescp("+xa")
    filled.knows("STORESCP", port)
    responses = moved(filled, asked, model=model)
    assert tally(responses[-1][0]) == (0, count, 0, 0)
    assert [one.NumberOfRemainingSuboperations for one, _ in responses[:-1]] == list(range(count))[::-1]
    assert {one.Status for one, _ in responses[:-1]} <= {0xFF00}
    assert len(data_sets(folder)) == count


@pytest.mark.parametrize(
    ("asked", "model"),
    [
        (identifier("STUDY", StudyInstanceUID=STUDY), PATIENT_ROOT_MOVE),
        (identifier("SERIES", SeriesInstanceUID=SERIES[0]), STUDY_ROOT_MOVE),
        (identifier("SERIES", StudyInstanceUID=[STUDY, "1.2"], SeriesInstanceUID=SERIES[0]), STUDY_ROOT_MOVE),
        (identifier("STUDY", StudyInstanceUID=""), STUDY_ROOT_MOVE),
        (identifier("PATIENT", PatientID=PATIENT), STUDY_ROOT_MOVE),
        (identifier("", StudyInstanceUID=STUDY), STUDY_ROOT_MOVE),
    ],
)
def test_hierarchical_retrieval_wants_its_keys(filled: Filled, storescp: Any, asked: Dataset, model: str) -> None:
    """One unique key of each level above, at least one of its own: all else does not match the SOP class."""
    filled.knows("STORESCP", 9)
    [(response, _)] = moved(filled, asked, model=model)
    assert response.Status == 0xA900
    assert response.ErrorComment


def test_relational_retrieval_is_negotiated(filled: Filled, storescp: Any) -> None:
    """With Service-class-application-information 1 a series is found by its own key alone."""
    port, folder = storescp("+xa")
    filled.knows("STORESCP", port)
    *_, (response, _) = moved(filled, identifier("SERIES", SeriesInstanceUID=SERIES[0]), relational=True)
    assert tally(response) == (0, 6, 0, 0)
    assert len(data_sets(folder)) == 6


def test_another_hospital_sees_nothing(filled: Filled) -> None:
    """The called AE title is the wall: the same UIDs in the other hospital are not there."""
    filled.knows("STORESCP", 9)
    [(response, _)] = moved(filled, identifier("STUDY", StudyInstanceUID=STUDY), called="HUE")
    assert tally(response) == (0, 0, 0, 0)


@pytest.mark.parametrize(("to", "status"), [("NOBODY", 0xA801), ("MUTE", 0x0124)])
def test_destination_that_is_unknown_or_may_not_receive(filled: Filled, to: str, status: int) -> None:
    """Instances go to registered destinations only, and the requestor is told which it is."""
    [(response, _)] = moved(filled, identifier("STUDY", StudyInstanceUID=STUDY), to=to)
    assert response.Status == status


def test_several_destinations_at_once(filled: Filled, storescp: Any, everything: str) -> None:
    """Moves run side by side, and each destination gets all of its own."""
    folders = []
    for name in ("ONE", "TWO", "THREE"):
        port, folder = storescp("+xa")
        filled.knows(name, port)
        folders.append(folder)
    results: list[Dataset] = []

    def run(name: str) -> None:
        results.append(moved(filled, identifier("STUDY", StudyInstanceUID=everything.split("\\")), to=name)[-1][0])

    threads = [threading.Thread(target=run, args=(name,)) for name in ("ONE", "TWO", "THREE")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [tally(one) for one in results] == [(0, len(filled.originals), 0, 0)] * 3
    assert [len(data_sets(folder)) for folder in folders] == [len(filled.originals)] * 3


@pytest.mark.parametrize("pdu", [4096, 131072])
def test_pdus_are_no_longer_than_the_destination_wants(filled: Filled, storescp: Any, pdu: int) -> None:
    """Small and large PDUs carry the same bytes."""
    port, folder = storescp("+xa", "--max-pdu", str(pdu))
    filled.knows("STORESCP", port)
    *_, (response, _) = moved(filled, identifier("SERIES", StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES[0]))
    assert tally(response) == (0, 6, 0, 0)
    assert all(data == filled.originals[uid].data_set for uid, (_, data) in data_sets(folder).items())


def test_preferred_transfer_syntax_goes_first(filled: Filled, storescp: Any) -> None:
    """A destination registered for JPEG 2000 gets the instance in that, lossless."""
    port, folder = storescp("+xa")
    jpeg_2000 = "1.2.840.10008.1.2.4.90"
    filled.knows("STORESCP", port, transfer_syntaxes=(jpeg_2000,))
    *_, (response, _) = moved(filled, identifier("SERIES", StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES[0]))
    assert tally(response) == (0, 6, 0, 0)
    before = pixels(filled.originals[f"{SERIES[0]}.0"].data_set, EXPLICIT_LE)
    for syntax, data in data_sets(folder).values():
        assert syntax == jpeg_2000
        assert np.array_equal(pixels(data, syntax), before)


def test_gdcm_moves_to_itself(filled: Filled, tmp_path: Path) -> None:
    """GDCM's client is itself the destination; it fails over contexts without Implicit VR, so it is registered so."""
    program = shutil.which("gdcmscu")
    if program is None:
        pytest.skip("gdcmscu of GDCM is not installed")
    [port] = free_ports(1)
    filled.knows("GDCM", port, transfer_syntaxes=(IMPLICIT_LE,))
    asked = ["--move", "--studyroot", "--study", "--key", f"20,d={STUDY}", "--aetitle", "GDCM", "--call", "PACS"]
    command = [program, *asked, "--output", str(tmp_path), "--port-scp", str(port), "127.0.0.1", str(filled.port)]
    # its exit code says nothing: this GDCM aborts at every release, also towards DCMTK
    subprocess.run(command, check=False, capture_output=True, timeout=60)
    got = [pydicom.dcmread(path, force=True) for path in tmp_path.rglob("*") if path.is_file()]
    assert {one.SOPInstanceUID for one in got} == {f"{series}.{number}" for series in SERIES for number in range(6)}
    for one in got:
        one.file_meta.TransferSyntaxUID = UID(IMPLICIT_LE)
        original = filled.originals[one.SOPInstanceUID]
        assert np.array_equal(one.pixel_array, pixels(original.data_set, original.transfer_syntax_uid))
