import errno
import json
import os
import resource
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pacs.errors import InvalidRequest, OutOfResources, Unavailable, Unidentified, Unreadable
from pacs.file_meta import read_file_meta
from pacs.transfer_syntaxes import EXPLICIT_LE, IMPLICIT_LE
from storage.spool import Spool
from storage.spool.incoming import MEMORY

if TYPE_CHECKING:
    from tests.storage.spool.conftest import Sender

MIB = 1024 * 1024


def files(folder: Path) -> list[str]:
    """Every file below a folder, by relative path."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_finished_is_a_part_10_file(sender: "Sender", tmp_path: Path, key: str) -> None:
    """A finished instance lies under its digest in its series' folder, with File Meta that says where it came from."""
    digest = sender.send()
    path = tmp_path / "var/spool/default" / key / f"{digest}.dcm"
    assert files(tmp_path) == [str(path.relative_to(tmp_path))]
    meta = read_file_meta(path.read_bytes())
    assert (meta.sop_instance_uid, meta.transfer_syntax_uid, meta.source) == ("1.2.3.1", IMPLICIT_LE, sender.source)
    assert path.read_bytes()[meta.data_set_offset :] == sender.data_set()


@pytest.mark.parametrize("name", ["CT_small.dcm", "image_dfl.dcm", "ExplVR_BigEnd.dcm", "JPEG2000.dcm", "test-SR.dcm"])
def test_real_instances(
    sender: "Sender", spool: Spool, tmp_path: Path, pydicom_file: Callable[[str], Path], name: str
) -> None:
    """Instances of every kind of transfer syntax arrive byte for byte, in chunks of any size."""
    whole = pydicom_file(name).read_bytes()
    meta = read_file_meta(whole)
    received = whole[meta.data_set_offset :]
    incoming = spool.begin(
        "default",
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=meta.sop_instance_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        source=sender.source,
    )
    for start in range(0, len(received), 1000):
        incoming.write(memoryview(received)[start : start + 1000])
    assert incoming.finish().sop_instance_uid == meta.sop_instance_uid
    [path] = (tmp_path / "var/spool").rglob("*.dcm")
    assert path.read_bytes()[-len(received) :] == received


def test_data_set_before_finish(sender: "Sender") -> None:
    """What has arrived so far can be looked at, whether it is in memory or on disk already."""
    for size in (10, MEMORY):
        content = sender.data_set(size=size)
        with sender.begin() as incoming:
            incoming.write(content)
            assert incoming.data_set() == content
            assert incoming.size == len(content)


def test_large_instance_streams(sender: "Sender", tmp_path: Path, key: str) -> None:
    """A large instance goes to disk as it comes: memory grows by less than a tenth of it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    incoming = sender.begin()
    size = 300 * MIB
    incoming.write(sender.data_set(size=0)[:-4] + size.to_bytes(4, "little"))
    for _ in range(size // MIB):
        incoming.write(bytes(MIB))
    incoming.finish()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < size // 10
    assert (tmp_path / f"var/spool/default/{key}/{incoming.digest}.dcm").stat().st_size > size


def test_discard_leaves_nothing(sender: "Sender", tmp_path: Path) -> None:
    """An instance given up, in memory or on disk, leaves no file and no open descriptor."""
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    for size in (10, MEMORY):
        with sender.begin() as incoming:
            incoming.write(bytes(size))
            incoming.write(b"12")
    assert files(tmp_path) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_below_the_floor(sender: "Sender", tmp_path: Path) -> None:
    """Below the free-space floor nothing is begun, and nothing written."""
    full = replace(sender, spool=Spool(tmp_path, free_floor=1 << 60))
    with pytest.raises(OutOfResources):
        full.begin()
    assert files(tmp_path) == []


@pytest.mark.parametrize("size", [200_000, MEMORY])
def test_disk_full_while_receiving(sender: "Sender", tmp_path: Path, size: int) -> None:
    """A disk that fills up (here: a limit on the size of files) is OutOfResources, and nothing is left behind."""
    sender.begin().discard()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OutOfResources):  # noqa: PT012  # early or at the end, by size
            incoming = sender.begin()
            incoming.write(sender.data_set(size=size))
            incoming.finish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert files(tmp_path) == []


def test_order_of_syncs(sender: "Sender", tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data is synced before the rename; after it the parent of a new folder, and then the folder, once each."""
    sender.begin().discard()
    calls: list[str] = []
    var = tmp_path / "var/spool"

    def record(name: str, real: Callable[..., None]) -> Callable[..., None]:
        def call(*given: int, **named: int) -> None:
            where = str(Path(f"/proc/self/fd/{given[0]}").readlink()) if isinstance(given[0], int) else ""
            calls.append(f"{name} {Path(where).suffix or Path(where).relative_to(var)}" if where else name)
            real(*given, **named)

        return call

    for name in ("fdatasync", "fsync", "rename"):
        monkeypatch.setattr(os, name, record(name, getattr(os, name)))
    sender.send(1)
    assert calls == ["fdatasync .part", "rename", "fsync default", f"fsync default/{key}"]
    calls.clear()
    sender.send(2)
    assert calls == ["fdatasync .part", "rename", f"fsync default/{key}"]


def test_unreadable_goes_to_quarantine(sender: "Sender", tmp_path: Path) -> None:
    """Bytes that aren't DICOM are set aside whole, with the reason, and the sender hears of it."""
    incoming = sender.begin(transfer_syntax_uid=EXPLICIT_LE)
    incoming.write(b"\xff" * 200)
    with pytest.raises(Unreadable):
        incoming.finish()
    bytes_name, reason_name = files(tmp_path / "var/quarantine/default")
    assert (tmp_path / "var/quarantine/default" / bytes_name).read_bytes().endswith(b"\xff" * 200)
    account = json.loads((tmp_path / "var/quarantine/default" / reason_name).read_text())
    assert account["sop_instance_uid"] == "1.2.3.1"
    assert account["digest"] == incoming.digest
    assert "cannot be read" in account["reason"]
    assert files(tmp_path / "var/spool") == []


@pytest.mark.parametrize("announced", ["sop_class_uid", "sop_instance_uid", "study_instance_uid"])
def test_contradiction_goes_to_quarantine(sender: "Sender", spool: Spool, tmp_path: Path, announced: str) -> None:
    """An instance that isn't the one announced is Unidentified, large or small, and kept aside."""
    for size in (10, MEMORY):
        told = {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.2", "sop_instance_uid": "1.2.3.1", "study_instance_uid": ""}
        told[announced] = "9.9"
        incoming = spool.begin(
            "default",
            sop_class_uid=told["sop_class_uid"],
            sop_instance_uid=told["sop_instance_uid"],
            transfer_syntax_uid=IMPLICIT_LE,
            source=sender.source,
        )
        incoming.write(sender.data_set(size=size))
        with pytest.raises(Unidentified, match=r"announced as 9\.9"):
            incoming.finish(study_instance_uid=told["study_instance_uid"])
    assert len(files(tmp_path / "var/quarantine/default")) == 4
    assert files(tmp_path / "var/spool") == []


@pytest.mark.parametrize("hospital", ["", ".incoming", "../other", "a/b"])
def test_names_that_lead_elsewhere(sender: "Sender", hospital: str) -> None:
    """A hospital's name is one folder and nothing else."""
    with pytest.raises(InvalidRequest):
        sender.begin(hospital=hospital)


def test_the_same_again(sender: "Sender", spool: Spool, tmp_path: Path) -> None:
    """The same data set twice is one file; two hospitals never share one."""
    assert sender.send() == sender.send()
    assert len(files(tmp_path)) == 1
    other = sender.begin(hospital="other")
    other.write(sender.data_set())
    other.finish()
    assert len(files(tmp_path)) == 2
    assert {series.hospital for series in spool.series()} == {"default", "other"}


@pytest.mark.parametrize(("number", "error"), [(errno.EIO, Unavailable), (errno.EDQUOT, OutOfResources)])
def test_a_disk_that_fails_at_the_sync(
    sender: "Sender", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    """When the disk fails at the last moment the sender hears of it, and nothing is left behind."""

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    sender.begin().discard()
    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(error):
        sender.send()
    assert files(tmp_path) == []
