import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs.errors import Damaged, NotFound, Unavailable
from storage.cache import PackCache
from storage.objects import StoredObject
from storage.objects.folder import FolderStore

PACK = bytes(range(256)) * 4000


class FarStore(FolderStore):
    """A store somewhere else: it counts what it is asked, and can be cut off."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.reads: list[tuple[str, int, int]] = []
        self.cut_off = False

    def read(self, key: str, offset: int, length: int) -> bytes:
        """Read as a folder does, unless the line is dead."""
        self.reads.append((key, offset, length))
        if self.cut_off:
            raise Unavailable
        return super().read(key, offset, length)

    def local_path(self, key: str) -> None:  # type: ignore[override]  # what is far away has no path
        """Nothing far away is a local file."""

    def listing(self, prefix: str = "") -> Iterator[StoredObject]:
        """A cache has no business listing."""
        raise AssertionError(prefix)


@pytest.fixture
def store(tmp_path: Path) -> FarStore:
    """A far store with one pack."""
    store = FarStore(tmp_path / "objects")
    store.put("packs/ab/one.zip", PACK)
    return store


@pytest.fixture
def cache(store: FarStore, tmp_path: Path) -> PackCache:
    """An empty cache with room for three packs."""
    return PackCache(store, tmp_path / "cache", limit_bytes=3 * len(PACK))


def settled(cache: PackCache) -> PackCache:
    """The cache, once its thread has nothing left to do."""
    cache._wanted.join()
    return cache


def test_second_read_is_local(cache: PackCache, store: FarStore) -> None:
    """The first read is a small range; after that the whole pack is on disk and the store isn't asked again."""
    assert cache.read("packs/ab/one.zip", 300, 4) == PACK[300:304]
    assert store.reads[0] == ("packs/ab/one.zip", 300, 4)
    settled(cache)
    store.cut_off = True
    assert cache.read("packs/ab/one.zip", 0, len(PACK)) == PACK
    assert len(store.reads) == 2


def test_many_reads_fetch_once(cache: PackCache, store: FarStore) -> None:
    """A burst of reads of one pack fetches it once."""
    for offset in range(50):
        assert cache.read("packs/ab/one.zip", offset, 1) == PACK[offset : offset + 1]
    settled(cache)
    assert sum(length == len(PACK) for _, _, length in store.reads) == 1


def test_errors_of_the_store(cache: PackCache, store: FarStore) -> None:
    """A missing pack and a range past the end are what the store says, cached or not."""
    with pytest.raises(NotFound):
        cache.read("packs/ab/two.zip", 0, 1)
    for _ in range(2):
        with pytest.raises(Damaged):
            cache.read("packs/ab/one.zip", len(PACK) - 1, 2)
        cache.read("packs/ab/one.zip", 0, 1)
        settled(cache)


def test_a_line_that_breaks_leaves_nothing(cache: PackCache, store: FarStore, tmp_path: Path) -> None:
    """A fetch that fails leaves no half pack, and the next read tries again."""
    cache.read("packs/ab/one.zip", 0, 1)
    settled(cache)
    (tmp_path / "cache/packs_ab_one.zip").unlink()
    real, store.size = store.size, lambda key: real(key) + 5  # type: ignore[method-assign]  # a store that misjudges
    cache.read("packs/ab/one.zip", 0, 1)
    settled(cache)
    assert list((tmp_path / "cache").iterdir()) == []
    store.size = real  # type: ignore[method-assign]  # and comes to its senses
    cache.read("packs/ab/one.zip", 0, 1)
    settled(cache)
    assert (tmp_path / "cache/packs_ab_one.zip").read_bytes() == PACK


def test_least_recently_read_goes_first(cache: PackCache, store: FarStore, tmp_path: Path) -> None:
    """The folder stays below its limit, and what was read lately stays in it."""
    for number in range(3):
        store.put(f"packs/{number}", PACK)
        cache.read(f"packs/{number}", 0, 1)
        settled(cache)
        os.utime(tmp_path / f"cache/packs_{number}", (number, number))
    cache.read("packs/0", 0, 1)
    cache.read("packs/ab/one.zip", 0, 1)
    settled(cache)
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"packs_0", "packs_2", "packs_ab_one.zip"}


def test_parts_of_crashes_go(cache: PackCache, tmp_path: Path) -> None:
    """What a crash left half fetched is removed, what somebody fetches now is not."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/1-old.part").write_bytes(b"1")
    (tmp_path / "cache/2-new.part").write_bytes(b"2")
    os.utime(tmp_path / "cache/1-old.part", (0, 0))
    cache.read("packs/ab/one.zip", 0, 1)
    settled(cache)
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"2-new.part", "packs_ab_one.zip"}


def test_adopt(cache: PackCache, store: FarStore, tmp_path: Path) -> None:
    """A pack just written is read locally from the start, and its work file is gone."""
    work = tmp_path / "work.zip"
    work.write_bytes(PACK)
    store.cut_off = True
    cache.adopt(work, "packs/cd/new.zip")
    assert not work.exists()
    assert cache.read("packs/cd/new.zip", 5, 5) == PACK[5:10]


def test_larger_than_the_cache(store: FarStore, tmp_path: Path) -> None:
    """A pack that doesn't fit is read by ranges and never pushes the others out."""
    cache = PackCache(store, tmp_path / "cache", limit_bytes=len(PACK) - 1)
    work = tmp_path / "work.zip"
    work.write_bytes(PACK)
    cache.adopt(work, "packs/ab/one.zip")
    assert cache.read("packs/ab/one.zip", 0, 1) == PACK[:1]
    settled(cache)
    assert not work.exists()
    assert not (tmp_path / "cache/packs_ab_one.zip").exists()


def test_no_cache_of_a_local_folder(tmp_path: Path) -> None:
    """A local store is read directly: nothing is copied, and a handed-over pack is just removed."""
    store = FolderStore(tmp_path / "objects")
    store.put("packs/one", PACK)
    cache = PackCache(store, tmp_path / "cache", limit_bytes=1 << 30)
    work = tmp_path / "work.zip"
    work.write_bytes(PACK)
    cache.adopt(work, "packs/one")
    assert cache.read("packs/one", 1, 3) == PACK[1:4]
    settled(cache)
    assert not work.exists()
    assert not (tmp_path / "cache").exists()


def test_two_caches_in_one_folder(store: FarStore, tmp_path: Path) -> None:
    """Processes that share the folder fetch and evict the same packs without disturbing each other."""
    caches = [PackCache(store, tmp_path / "cache", limit_bytes=2 * len(PACK)) for _ in range(2)]
    for number in range(6):
        store.put(f"packs/{number}", PACK[number:])
    until = time.monotonic() + 1
    while time.monotonic() < until:
        for number in range(6):
            for cache in caches:
                assert cache.read(f"packs/{number}", 10, 20) == PACK[number + 10 : number + 30]
    for cache in caches:
        settled(cache)
    assert sum(path.stat().st_size for path in (tmp_path / "cache").iterdir()) <= 2 * len(PACK)
