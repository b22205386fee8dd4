import errno
import json
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pacs.batches import Attempt
from pacs.dataset import series_key
from pacs.errors import InvalidRequest, NotFound, OutOfResources, Unavailable, Unidentified, Unreadable
from pacs.file_meta import read_file_meta
from pacs.model import Identity, Source
from pacs.transfer_syntaxes import EXPLICIT_LE, IMPLICIT_LE
from storage.spool import Incoming, Series, Spool
from storage.spool.incoming import MEMORY

SOURCE = Source("CT1", "CT1", "PACS", "192.0.2.7")
MIB = 1024 * 1024


def data_set(number: int = 1, *, series: str = "1.2.3", size: int = 0) -> bytes:
    """An Implicit VR Little Endian data set with the four UIDs and ``size`` bytes of pixels."""

    def element(tag: int, value: bytes) -> bytes:
        value += b"\0" * (len(value) % 2)
        return (
            (tag >> 16).to_bytes(2, "little")
            + (tag & 0xFFFF).to_bytes(2, "little")
            + len(value).to_bytes(4, "little")
            + value
        )

    return (
        element(0x00080016, b"1.2.840.10008.5.1.4.1.1.2")
        + element(0x00080018, f"1.2.3.{number}".encode())
        + element(0x0020000D, b"1.2")
        + element(0x0020000E, series.encode())
        + element(0x7FE00010, bytes(size))
    )


def begin(spool: Spool, number: int = 1, *, hospital: str = "default", syntax: str = IMPLICIT_LE) -> Incoming:
    """Begin to receive the instance of that number."""
    return spool.begin(
        hospital,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2\0",
        sop_instance_uid=f"1.2.3.{number}",
        transfer_syntax_uid=syntax,
        source=SOURCE,
    )


def receive(spool: Spool, number: int = 1, **given: object) -> str:
    """Receive one instance; its digest."""
    incoming = begin(spool, number)
    incoming.write(data_set(number, **given))  # type: ignore[arg-type]  # passed on as they are
    incoming.finish()
    return incoming.digest


def files(folder: Path) -> list[str]:
    """Every file below a folder, by relative path."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool in a folder that doesn't exist yet."""
    return Spool(tmp_path / "var", free_floor=0)


@pytest.fixture
def key() -> str:
    """The folder of the test's series."""
    return series_key(Identity("", "", "1.2.3", "1.2"))


def test_finished_is_a_part_10_file(spool: Spool, tmp_path: Path, key: str) -> None:
    """A finished instance lies under its digest in its series' folder, with File Meta that says where it came from."""
    digest = receive(spool)
    path = tmp_path / "var/spool/default" / key / f"{digest}.dcm"
    assert files(tmp_path) == [str(path.relative_to(tmp_path))]
    meta = read_file_meta(path.read_bytes())
    assert (meta.sop_instance_uid, meta.transfer_syntax_uid, meta.source) == ("1.2.3.1", IMPLICIT_LE, SOURCE)
    assert path.read_bytes()[meta.data_set_offset :] == data_set()


@pytest.mark.parametrize("name", ["CT_small.dcm", "image_dfl.dcm", "ExplVR_BigEnd.dcm", "JPEG2000.dcm", "test-SR.dcm"])
def test_real_instances(spool: Spool, tmp_path: Path, pydicom_file: Callable[[str], Path], name: str) -> None:
    """Instances of every kind of transfer syntax arrive byte for byte, in chunks of any size."""
    whole = pydicom_file(name).read_bytes()
    meta = read_file_meta(whole)
    received = whole[meta.data_set_offset :]
    incoming = spool.begin(
        "default",
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=meta.sop_instance_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        source=SOURCE,
    )
    for start in range(0, len(received), 1000):
        incoming.write(memoryview(received)[start : start + 1000])
    assert incoming.finish().sop_instance_uid == meta.sop_instance_uid
    [path] = (tmp_path / "var/spool").rglob("*.dcm")
    assert path.read_bytes()[-len(received) :] == received


def test_data_set_before_finish(spool: Spool) -> None:
    """What has arrived so far can be looked at, whether it is in memory or on disk already."""
    for size in (10, MEMORY):
        content = data_set(size=size)
        with begin(spool) as incoming:
            incoming.write(content)
            assert incoming.data_set() == content
            assert incoming.size == len(content)


def test_large_instance_streams(spool: Spool, tmp_path: Path, key: str) -> None:
    """A large instance goes to disk as it comes: memory grows by less than a tenth of it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    incoming = begin(spool)
    size = 300 * MIB
    incoming.write(data_set(size=0)[:-4] + size.to_bytes(4, "little"))
    for _ in range(size // MIB):
        incoming.write(bytes(MIB))
    incoming.finish()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < size // 10
    assert (tmp_path / f"var/spool/default/{key}/{incoming.digest}.dcm").stat().st_size > size


def test_discard_leaves_nothing(spool: Spool, tmp_path: Path) -> None:
    """An instance given up, in memory or on disk, leaves no file and no open descriptor."""
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    for size in (10, MEMORY):
        with begin(spool) as incoming:
            incoming.write(bytes(size))
            incoming.write(b"12")
    assert files(tmp_path) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_below_the_floor(tmp_path: Path) -> None:
    """Below the free-space floor nothing is begun, and nothing written."""
    spool = Spool(tmp_path, free_floor=1 << 60)
    with pytest.raises(OutOfResources):
        begin(spool)
    assert files(tmp_path) == []


@pytest.mark.parametrize("size", [200_000, MEMORY])
def test_disk_full_while_receiving(spool: Spool, tmp_path: Path, size: int) -> None:
    """A disk that fills up (here: a limit on the size of files) is OutOfResources, and nothing is left behind."""
    begin(spool).discard()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OutOfResources):  # noqa: PT012  # early or at the end, by size
            incoming = begin(spool)
            incoming.write(data_set(size=size))
            incoming.finish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert files(tmp_path) == []


def test_order_of_syncs(spool: Spool, tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data is synced before the rename; after it the parent of a new folder, and then the folder, once each."""
    begin(spool).discard()
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
    receive(spool, 1)
    assert calls == ["fdatasync .part", "rename", "fsync default", f"fsync default/{key}"]
    calls.clear()
    receive(spool, 2)
    assert calls == ["fdatasync .part", "rename", f"fsync default/{key}"]


def test_unreadable_goes_to_quarantine(spool: Spool, tmp_path: Path) -> None:
    """Bytes that aren't DICOM are set aside whole, with the reason, and the sender hears of it."""
    incoming = begin(spool, syntax=EXPLICIT_LE)
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
def test_contradiction_goes_to_quarantine(spool: Spool, tmp_path: Path, announced: str) -> None:
    """An instance that isn't the one announced is Unidentified, large or small, and kept aside."""
    for size in (10, MEMORY):
        told = {"sop_class_uid": "1.2.840.10008.5.1.4.1.1.2", "sop_instance_uid": "1.2.3.1", "study_instance_uid": ""}
        told[announced] = "9.9"
        incoming = spool.begin(
            "default",
            sop_class_uid=told["sop_class_uid"],
            sop_instance_uid=told["sop_instance_uid"],
            transfer_syntax_uid=IMPLICIT_LE,
            source=SOURCE,
        )
        incoming.write(data_set(size=size))
        with pytest.raises(Unidentified, match=r"announced as 9\.9"):
            incoming.finish(study_instance_uid=told["study_instance_uid"])
    assert len(files(tmp_path / "var/quarantine/default")) == 4
    assert files(tmp_path / "var/spool") == []


@pytest.mark.parametrize("hospital", ["", ".incoming", "../other", "a/b"])
def test_names_that_lead_elsewhere(spool: Spool, hospital: str) -> None:
    """A hospital's name is one folder and nothing else."""
    with pytest.raises(InvalidRequest):
        begin(spool, hospital=hospital)


def test_the_same_again(spool: Spool, tmp_path: Path) -> None:
    """The same data set twice is one file; two hospitals never share one."""
    assert receive(spool) == receive(spool)
    assert len(files(tmp_path)) == 1
    other = begin(spool, hospital="other")
    other.write(data_set())
    other.finish()
    assert len(files(tmp_path)) == 2
    assert {series.hospital for series in spool.series()} == {"default", "other"}


def test_claim_is_exclusive(spool: Spool, key: str) -> None:
    """One worker has a series until it gives it back; an unclaimed series is open to all."""
    receive(spool)
    [series] = spool.series()
    assert series == Series("default", key)
    first = spool.claim(series)
    assert first is not None
    assert spool.claim(series) is None
    first.release()
    second = spool.claim(series)
    assert second is not None
    second.release()
    assert spool.claim(Series("default", "0" * 32)) is None


def test_work_on_a_series(spool: Spool, tmp_path: Path) -> None:
    """A worker lists, reads and drops; when nothing is left, the folder goes."""
    digests = {receive(spool, number) for number in range(3)}
    [series] = spool.series()
    claim = spool.claim(series)
    assert claim is not None
    with claim:
        assert {one.digest for one in claim.waiting()} == digests
        for digest in digests:
            spooled = claim.read(digest)
            assert abs(time.time_ns() - spooled.received_at) < 60e9
            assert len(spooled.part10) == next(one.size for one in claim.waiting() if one.digest == digest)
        with pytest.raises(NotFound):
            claim.read("0" * 64)
        claim.drop(digests)
        claim.drop(digests)
    assert list(spool.series()) == []
    assert files(tmp_path) == []


def test_large_instances_are_mapped(spool: Spool) -> None:
    """A large instance reads the same, without being copied into memory."""
    digest = receive(spool, size=9 * MIB)
    [series] = spool.series()
    claim = spool.claim(series)
    assert claim is not None
    with claim:
        part10 = claim.read(digest).part10
        assert not isinstance(part10, bytes)
        assert bytes(part10).endswith(data_set(size=9 * MIB))


def test_marker_survives(spool: Spool, tmp_path: Path) -> None:
    """What a worker began is known to the next one, until it says that it ended; a broken marker is no marker."""
    digest = receive(spool)
    [series] = spool.series()
    claim = spool.claim(series)
    assert claim is not None
    with claim:
        assert claim.attempt() is None
        claim.begin(Attempt(1, (digest,)))
        claim.begin(Attempt(2, (digest,)))
    again = spool.claim(series)
    assert again is not None
    with again:
        assert again.attempt() == Attempt(2, (digest,))
        again.end()
        again.end()
        assert again.attempt() is None
        (tmp_path / "var/spool/default" / series.series_key / ".attempt").write_bytes(b"{")
        assert again.attempt() is None
        again.drop([digest])
    assert list(spool.series()) == []


def test_quarantine_of_a_waiting_instance(spool: Spool, tmp_path: Path) -> None:
    """A worker sets a poisonous instance aside with its reason, and its series goes on."""
    poison, good = receive(spool, 1), receive(spool, 2)
    [series] = spool.series()
    claim = spool.claim(series)
    assert claim is not None
    with claim:
        path = claim.quarantine(poison, "it killed the worker")
        assert [one.digest for one in claim.waiting()] == [good]
        with pytest.raises(NotFound):
            claim.quarantine(poison, "again")
    assert path.read_bytes().endswith(data_set(1))
    assert json.loads(path.with_suffix(".json").read_text())["reason"] == "it killed the worker"


def test_counts(spool: Spool) -> None:
    """The status knows how much waits, and how old the oldest is."""
    assert spool.counts("default").files == 0
    receive(spool, 1)
    receive(spool, 2, series="1.2.4")
    counts = spool.counts("default")
    assert counts.files == 2
    assert counts.bytes > 2 * len(data_set())
    assert 0 <= counts.oldest < 60


def _killed_in_the_middle(root: Path, ready: "multiprocessing.synchronize.Event") -> None:
    spool = Spool(root, free_floor=0)
    digest = receive(spool)
    [series] = spool.series()
    claim = spool.claim(series)
    assert claim is not None
    claim.begin(Attempt(1, (digest,)))
    begin(spool, 2).write(bytes(MEMORY + 1))
    ready.set()
    time.sleep(60)


def test_kill_9(tmp_path: Path) -> None:
    """A process killed while it works and receives gives its series back; what it half received goes, in time."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_killed_in_the_middle, args=(tmp_path, ready))
    process.start()
    assert ready.wait(30)
    spool = Spool(tmp_path, free_floor=0)
    [series] = spool.series()
    [part] = (tmp_path / "spool/default/.incoming").iterdir()
    os.utime(part, (0, 0))
    assert spool.claim(series) is None
    assert spool.sweep_incoming() == 0, "somebody still writes it"
    process.kill()
    process.join()
    claim = spool.claim(series)
    assert claim is not None
    with claim:
        assert len(claim.waiting()) == 1
        assert claim.attempt() is not None
    os.utime(part)
    assert spool.sweep_incoming() == 0, "too young"
    os.utime(part, (0, 0))
    assert spool.sweep_incoming() == 1


def test_workers_remove_folders_under_receivers(spool: Spool) -> None:
    """While workers take everything and remove folders at once, receivers lose nothing: each digest is seen."""
    seen: set[str] = set()
    sent: list[str] = []
    failures: list[Exception] = []
    done = threading.Event()

    def work() -> None:
        while True:
            last = done.is_set()
            for series in spool.series():
                claim = spool.claim(series)
                if claim is None:
                    continue
                with claim:
                    for one in claim.waiting():
                        seen.add(one.digest)
                        claim.drop([one.digest])
            if last:
                return

    def send(first: int) -> None:
        try:
            sent.extend(receive(spool, number) for number in range(first, first + 60))
        except Exception as error:  # shown by the assertion below
            failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(2)]
    receivers = [threading.Thread(target=send, args=(1000 * n,)) for n in range(3)]
    for thread in workers + receivers:
        thread.start()
    for thread in receivers:
        thread.join()
    done.set()
    for thread in workers:
        thread.join()
    assert failures == []
    assert len(sent) == 180
    assert set(sent) == seen


@pytest.mark.parametrize(("number", "error"), [(errno.EIO, Unavailable), (errno.EDQUOT, OutOfResources)])
def test_a_disk_that_fails_at_the_sync(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    """When the disk fails at the last moment the sender hears of it, and nothing is left behind."""

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    begin(spool).discard()
    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(error):
        receive(spool)
    assert files(tmp_path) == []
