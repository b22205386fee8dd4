import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pacs.cli.files import Filed, file_one, marked_by_worker, wait_until_drained
from pacs.cli.opening import HOSPITAL
from pacs.cli.sources import FileSource, find_sources
from pacs.errors import Unavailable
from pacs.settings import Settings
from storage.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "data", free_floor=0)


def source_of(path: Path) -> FileSource:
    return FileSource(path, path.stat().st_size)


def spooled(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "data" / "spool" / HOSPITAL).glob("*/*.dcm"))


def test_a_file_waits_in_the_spool_like_a_received_instance(
    tmp_path: Path, spool: Spool, pydicom_file: Callable[[str], Path]
) -> None:
    """An imported file lies in the spool under its data set's digest, whole."""
    path = pydicom_file("CT_small.dcm")
    filed = file_one(source_of(path), spool)
    assert (filed.outcome, filed.reason) == ("stored", "")
    (waiting,) = spooled(tmp_path)
    assert waiting.stem == filed.digest
    assert waiting.read_bytes()[-30000:] == path.read_bytes()[-30000:]


def test_members_of_a_zip_are_filed_as_files_are(
    tmp_path: Path, spool: Spool, pydicom_file: Callable[[str], Path]
) -> None:
    """The same instance from a folder and from a ZIP is one file in the spool."""
    path = pydicom_file("MR_small.dcm")
    with zipfile.ZipFile(tmp_path / "cd.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, "../IMG1")
    (member,) = find_sources([tmp_path / "cd.zip"])
    assert file_one(member, spool) == file_one(source_of(path), spool)
    assert len(spooled(tmp_path)) == 1


def test_what_is_no_instance_is_refused_and_leaves_nothing(tmp_path: Path, spool: Spool) -> None:
    """A text file is counted with its reason; the spool stays empty."""
    (tmp_path / "readme.txt").write_text("Insert this disc and start the viewer.")
    filed = file_one(source_of(tmp_path / "readme.txt"), spool)
    assert filed.outcome == "refused"
    assert filed.reason
    assert [path for path in (tmp_path / "data").rglob("*") if path.is_file()] == []


def test_an_instance_that_cannot_be_filed_is_kept_in_quarantine(
    tmp_path: Path, spool: Spool, pydicom_file: Callable[[str], Path]
) -> None:
    """A data set without a Series Instance UID is set aside whole, with the missing attribute as the reason."""
    filed = file_one(source_of(pydicom_file("SC_rgb_jls_lossy_line.dcm")), spool)
    assert filed.outcome == "quarantined"
    assert "UID is missing" in filed.reason
    (account,) = (tmp_path / "data" / "quarantine" / HOSPITAL).glob("*.json")
    assert json.loads(account.read_text())["digest"] == filed.digest


def test_what_a_worker_set_aside_later_is_not_counted_as_stored(
    tmp_path: Path, spool: Spool, pydicom_file: Callable[[str], Path]
) -> None:
    """An instance that the spool took and a worker then quarantined is listed with the worker's reason."""
    filed = file_one(source_of(pydicom_file("CT_small.dcm")), spool)
    (series,) = spool.series()
    claim = spool.claim(series)
    assert claim is not None
    with claim:
        claim.quarantine(filed.digest, "it ended the worker three times")
    found = marked_by_worker([filed], Settings(data=tmp_path / "data"))
    assert found == [Filed("quarantined", "it ended the worker three times", filed.digest)]


def test_waiting_for_nobody_ends_with_a_sentence(spool: Spool, pydicom_file: Callable[[str], Path]) -> None:
    """When no worker runs any more, the import says that the instances are safe instead of waiting for ever."""
    file_one(source_of(pydicom_file("CT_small.dcm")), spool)
    with pytest.raises(Unavailable, match="1 instances wait safely"):
        wait_until_drained(spool, lambda: False)
