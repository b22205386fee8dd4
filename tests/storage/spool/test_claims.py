import json
import multiprocessing
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pacs.batches import Attempt
from pacs.errors import NotFound
from pacs.model import Source
from storage.spool import Series, Spool
from storage.spool.incoming import MEMORY

if TYPE_CHECKING:
    from tests.storage.spool.conftest import Sender

MIB = 1024 * 1024


def files(folder: Path) -> list[str]:
    """Every file below a folder, by relative path."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_claim_is_exclusive(sender: "Sender", spool: Spool, key: str) -> None:
    """One worker has a series until it gives it back; an unclaimed series is open to all."""
    sender.send()
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


def test_work_on_a_series(sender: "Sender", spool: Spool, tmp_path: Path) -> None:
    """A worker lists, reads and drops; when nothing is left, the folder goes."""
    digests = {sender.send(number) for number in range(3)}
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


def test_large_instances_are_mapped(sender: "Sender", spool: Spool) -> None:
    """A large instance reads the same, without being copied into memory."""
    digest = sender.send(size=9 * MIB)
    [series] = spool.series()
    claim = spool.claim(series)
    assert claim is not None
    with claim:
        part10 = claim.read(digest).part10
        assert not isinstance(part10, bytes)
        assert bytes(part10).endswith(sender.data_set(size=9 * MIB))


def test_marker_survives(sender: "Sender", spool: Spool, tmp_path: Path) -> None:
    """What a worker began is known to the next one, until it says that it ended; a broken marker is no marker."""
    digest = sender.send()
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


def test_quarantine_of_a_waiting_instance(sender: "Sender", spool: Spool, tmp_path: Path) -> None:
    """A worker sets a poisonous instance aside with its reason, and its series goes on."""
    poison, good = sender.send(1), sender.send(2)
    [series] = spool.series()
    claim = spool.claim(series)
    assert claim is not None
    with claim:
        path = claim.quarantine(poison, "it killed the worker")
        assert [one.digest for one in claim.waiting()] == [good]
        with pytest.raises(NotFound):
            claim.quarantine(poison, "again")
    assert path.read_bytes().endswith(sender.data_set(1))
    assert json.loads(path.with_suffix(".json").read_text())["reason"] == "it killed the worker"


def test_counts(sender: "Sender", spool: Spool) -> None:
    """The status knows how much waits, and how old the oldest is."""
    assert spool.counts("default").files == 0
    sender.send(1)
    sender.send(2, series="1.2.4")
    counts = spool.counts("default")
    assert counts.files == 2
    assert counts.bytes > 2 * len(sender.data_set())
    assert 0 <= counts.oldest < 60


def _killed_in_the_middle(root: Path, ready: "multiprocessing.synchronize.Event") -> None:
    from tests.storage.spool.conftest import Sender  # noqa: PLC0415  # pytest itself imports it under another name

    spool = Spool(root, free_floor=0)
    sender = Sender(spool, Source())
    digest = sender.send()
    [series] = spool.series()
    claim = spool.claim(series)
    assert claim is not None
    claim.begin(Attempt(1, (digest,)))
    sender.begin(2).write(bytes(MEMORY + 1))
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


def test_workers_remove_folders_under_receivers(sender: "Sender", spool: Spool) -> None:
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
            sent.extend(sender.send(number) for number in range(first, first + 60))
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
