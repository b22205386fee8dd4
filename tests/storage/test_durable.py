import errno
import os
from pathlib import Path

import pytest

from pacs.errors import ArchiveError, OutOfResources, Unavailable
from storage.durable import disk_errors, make_folder, write_all, write_file


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, OutOfResources),
        (errno.EDQUOT, OutOfResources),
        (errno.EFBIG, OutOfResources),
        (errno.EIO, Unavailable),
        (errno.EROFS, Unavailable),
        (errno.EACCES, Unavailable),
    ],
)
def test_disk_errors_in_our_words(number: int, error: type[ArchiveError]) -> None:
    """A full disk is OutOfResources, any other failure Unavailable; the path stays out of the message."""
    with pytest.raises(error) as caught, disk_errors():
        raise OSError(number, os.strerror(number), "/data/spool/hospital-of-somebody")
    assert "hospital-of-somebody" not in str(caught.value)
    assert errno.errorcode[number] in str(caught.value)


def test_our_own_errors_pass() -> None:
    """An error that is in the archive's words already stays what it is."""
    with pytest.raises(OutOfResources, match="floor"), disk_errors():
        raise OutOfResources("floor")


def test_a_write_that_stops_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system call that takes only some bytes at a time loses none."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:7]))
    with (tmp_path / "file").open("wb") as file:
        write_all(file.fileno(), memoryview(bytes(range(100))))
    assert (tmp_path / "file").read_bytes() == bytes(range(100))


def test_a_failed_write_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the sync fails, the old content stays and no temporary file does."""

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(OSError, match="Input/output"):
        write_file(tmp_path / "file", b"new", temporary=tmp_path / "temporary")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_new_folders_are_synced_from_the_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every new folder's parent is synced, the outermost first; so is the parent of one that was there already."""
    synced: list[str] = []
    real = os.fsync

    def record(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path)))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    make_folder(tmp_path / "a" / "b")
    assert synced == [".", "a"]
    synced.clear()
    make_folder(tmp_path / "a" / "b")
    assert synced == ["a"]
