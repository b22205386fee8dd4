"""Packs on local disk, so that the second look at a series doesn't cross the network.

Law: the cache is only ever a copy. Any file in it may vanish at any moment, also under the hands of other processes
that share the folder, and a failing disk makes it slow, never wrong. Least recently used goes first.
"""

import os
import queue
import secrets
import threading
import time
from contextlib import suppress
from pathlib import Path

from pacs.errors import ArchiveError
from storage.durable import create, disk_errors, sync_data, write_all
from storage.objects import ObjectStore
from storage.objects.folder import read_range

_CHUNK = 8 * 1024 * 1024  # bytes of one ranged read while a pack is fetched
_WAITING = 64  # packs that may wait to be fetched; more are read by ranges until they are asked for again
_ABANDONED = 3600  # seconds without a write, after which a part of a pack is a crash's
_PART = ".part"


class PackCache:
    """Reads packs through a folder of at most ``limit_bytes``; no cache at all when the store is local."""

    def __init__(self, objects: ObjectStore, folder: Path, *, limit_bytes: int) -> None:
        self._objects, self._folder, self._limit = objects, folder, limit_bytes
        self._wanted: queue.Queue[str] = queue.Queue(_WAITING)
        self._pending: set[str] = set()
        self._lock = threading.Lock()
        self._fetcher: threading.Thread | None = None

    def read(self, key: str, offset: int, length: int) -> bytes:
        """Exactly these bytes of a pack, from disk when it is there, else from the store while the pack is fetched.

        Raises as `ObjectStore.read` does.
        """
        data = self._cached(key, offset, length)
        if data is None:
            data = self._objects.read(key, offset, length)
            if self._limit > 0 and self._objects.local_path(key) is None:
                self._fetch_soon(key)
        return data

    def adopt(self, path: Path, key: str) -> None:
        """Take over a pack that was just stored under ``key``; the file at ``path`` is gone afterwards."""
        try:
            size = path.stat().st_size
            if size <= self._limit and self._objects.local_path(key) is None:
                with path.open("rb") as file:
                    sync_data(file.fileno())  # else power loss could leave a file of the right size full of zeros
                self._folder.mkdir(parents=True, exist_ok=True)
                path.replace(self._path(key))
                self._evict()
        except (OSError, ArchiveError):
            pass  # another file system, or no room: the pack is in the store, which is what counts
        finally:
            path.unlink(missing_ok=True)

    def _cached(self, key: str, offset: int, length: int) -> bytes | None:
        try:
            descriptor = os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            data = read_range(descriptor, offset, length)
            os.utime(descriptor)  # what eviction goes by; access times are switched off on many servers
        except OSError:
            return None
        finally:
            os.close(descriptor)
        # short: past the end, which the store shall say in its own words
        return data if len(data) == length else None

    def _path(self, key: str) -> Path:
        return self._folder / key.replace("/", "_")

    def _fetch_soon(self, key: str) -> None:
        with self._lock:
            if key in self._pending:
                return
            with suppress(queue.Full):
                self._wanted.put_nowait(key)
                self._pending.add(key)
            # a thread doesn't survive a fork, so "was started once" would not be enough
            if self._fetcher is None or not self._fetcher.is_alive():
                self._fetcher = threading.Thread(target=self._fetch_all, name="pack-cache", daemon=True)
                self._fetcher.start()

    def _fetch_all(self) -> None:
        while True:
            key = self._wanted.get()
            try:
                self._fetch(key)
            except ArchiveError:
                pass  # whoever reads this pack hears of it in the foreground
            finally:
                with self._lock:
                    self._pending.discard(key)
                self._wanted.task_done()

    def _fetch(self, key: str) -> None:
        """Bring one whole pack: under a temporary name until its last byte is there."""
        target = self._path(key)
        size = self._objects.size(key)
        if size > self._limit or target.exists():
            return
        temporary = self._folder / f"{os.getpid()}-{secrets.token_hex(8)}{_PART}"
        with disk_errors():
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = create(temporary)
            try:
                for offset in range(0, size, _CHUNK):
                    write_all(descriptor, self._objects.read(key, offset, min(_CHUNK, size - offset)))
                sync_data(descriptor)  # costs nobody's time here; see `adopt`
                temporary.rename(target)
            finally:
                os.close(descriptor)
                temporary.unlink(missing_ok=True)
            self._evict()

    def _evict(self) -> None:
        """Remove what was not read for longest until the rest fits; other processes may be doing the same."""
        found = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    state = entry.stat()
                    found.append((state.st_mtime_ns, state.st_size, entry.path))
        total = sum(size for _, size, _ in found)
        for modified, size, path in sorted(found):
            abandoned = time.time() - modified / 1e9 > _ABANDONED
            if path.endswith(_PART) and not abandoned:
                continue  # being written by somebody
            if total <= self._limit and not path.endswith(_PART):
                continue
            with suppress(FileNotFoundError):
                Path(path).unlink()
            total -= size
