"""The archive: rows and bytes brought together.

Law: the only room that knows both the index and the object store. Front doors and workers see `Archive` and values,
never a driver. Every method takes the hospital first, and nothing here crosses from one hospital to another.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pacs.dataset import DataSet
from pacs.model import Selection, StoredInstance
from pacs.query import Query
from pacs.settings import MIB, Settings
from storage.archive import read
from storage.archive.compact import Compaction, compact
from storage.archive.delete import Actor, delete, undelete
from storage.archive.headers import HeaderCache
from storage.archive.prepare import Prepared
from storage.archive.read import Ranged
from storage.archive.read_back import read_back
from storage.archive.rebuild import Progress as RebuildProgress
from storage.archive.rebuild import Rebuilt, rebuild_index
from storage.archive.search import find, search
from storage.archive.store import Outcome, clear_work, store
from storage.archive.stores import Stores
from storage.archive.sweep import sweep
from storage.archive.verify import Damage, Progress, Verification, verify
from storage.cache import PackCache
from storage.index import Index
from storage.index.reading import stored_instances
from storage.index.search import SearchResult
from storage.index.selection import selected_instances
from storage.index.writing import Known, known
from storage.objects import open_objects

__all__ = [
    "Actor",
    "Archive",
    "Compaction",
    "Damage",
    "Known",
    "Outcome",
    "Prepared",
    "Ranged",
    "Rebuilt",
    "SearchResult",
    "Verification",
    "open_archive",
]

HEADER_BYTES = 64 * MIB
DAY = 86400.0


class Archive:
    """The archive of all hospitals; usable from any number of threads, open one in each process."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._headers = HeaderCache(limit_bytes=HEADER_BYTES)

    @property
    def index(self) -> Index:
        """The index, for those who keep rows of their own there."""
        return self._stores.index

    def check(self) -> None:
        """See that both stores answer; raises Unavailable."""
        self._stores.index.check()
        self._stores.objects.check()

    def known(self, hospital: str, sop_instance_uids: Sequence[str]) -> Known:
        """What is kept under these UIDs already."""
        with self._stores.index.transaction(hospital) as connection:
            return known(connection, sop_instance_uids)

    def store(self, hospital: str, batch: Sequence[Prepared]) -> Outcome:
        """Store instances; see `storage.archive.store.store` for what a crash leaves."""
        return store(self._stores, hospital, batch)

    def search(self, hospital: str, query: Query) -> SearchResult:
        """One page of patients, studies, series or instances as DICOM JSON, without Retrieve URL; raises TooBroad."""
        return search(self._stores, hospital, query)

    def find(self, hospital: str, query: Query) -> Iterator[dict[str, Any]]:
        """All patients, studies, series or instances that match, whatever the query's limit and offset say.

        Rows are fetched a page at a time as they are asked for; raises TooBroad when a page takes too long.
        """
        return find(self._stores, hospital, query)

    def instances(
        self, hospital: str, study: str, series: str | None = None, instance: str | None = None
    ) -> list[StoredInstance]:
        """The instances of a study, series or one alone, in reading order; raises NotFound when there is none."""
        return stored_instances(self._stores.index, hospital, study, series, instance)

    def instance(self, hospital: str, sop_instance_uid: str) -> StoredInstance:
        """One instance by its UID alone, which names one instance only; raises NotFound."""
        return stored_instances(self._stores.index, hospital, None, None, sop_instance_uid)[0]

    def select(self, hospital: str, selection: Selection) -> list[StoredInstance]:
        """The instances selected, in reading order, without the places of their frames; perhaps none."""
        return selected_instances(self._stores.index, hospital, selection)

    def metadata(
        self, hospital: str, study: str, series: str | None = None, instance: str | None = None
    ) -> Iterator[bytes]:
        """Their stored DICOM JSON as one array, in pieces; raises NotFound before the first piece."""
        return read.metadata(self._stores, hospital, study, series, instance)

    def part10(self, hospital: str, stored: StoredInstance) -> bytes:
        """The stored instance as a Part 10 file."""
        return read.part10(self._stores, hospital, stored)

    def received(self, hospital: str, stored: StoredInstance) -> bytes:
        """The data set as received, byte for byte; raises Damaged when that is not what comes out."""
        return read.received(self._stores, hospital, stored)

    def converted(self, hospital: str, stored: StoredInstance, transfer_syntax_uid: str) -> bytes:
        """A Part 10 file in this transfer syntax, exact; the very bytes received when it came in it.

        Raises NotAcceptable when it cannot be had in it (`pacs.transcode.CONVERTIBLE` says what may be tried).
        """
        return read.converted(self._stores, hospital, stored, transfer_syntax_uid)

    def frame(self, hospital: str, stored: StoredInstance, number: int, *, reduce: int | None = None) -> bytes:
        """Frame ``number``, counted from 1, as stored, its fragments joined; raises NotFound when there is none.

        With ``reduce`` only the beginning of an HTJ2K frame that gives it at 1/2**reduce of its size.
        """
        return read.frame(self._stores, hospital, stored, number, reduce=reduce)

    def part10_ranged(self, hospital: str, stored: StoredInstance) -> Ranged:
        """The stored instance as a Part 10 file, read by ranges."""
        return read.part10_ranged(self._stores, hospital, stored)

    def frame_ranged(self, hospital: str, stored: StoredInstance, number: int) -> Ranged:
        """Frame ``number`` as `frame` gives it, read by ranges: the beginning of a frame costs its own bytes."""
        return read.frame_ranged(self._stores, hospital, stored, number)

    def header(self, hospital: str, stored: StoredInstance) -> DataSet:
        """The data set up to its pixel data."""
        return self._headers.get((hospital, stored.digest), lambda: read.header(self._stores, hospital, stored))

    def read_back(self, hospital: str, stored: StoredInstance) -> None:
        """See that an instance lies whole in the object store; raises Damaged, NotFound, Unavailable."""
        read_back(self._stores, hospital, stored)

    def verify(self, hospital: str, progress: Progress) -> Verification:
        """Read every pack back and check every digest; ``progress`` gets bytes read and bytes in all."""
        return verify(self._stores, hospital, progress)

    def rebuild_index(self, hospital: str, progress: RebuildProgress) -> Rebuilt:
        """Restore an empty hospital's rows from its packs; ``progress`` gets the packs so far."""
        return rebuild_index(self._stores, hospital, progress)

    def delete(self, hospital: str, study: str, series: str | None, instance: str | None, *, by: Actor) -> int:
        """Delete a study, series or instance, restorably; how many instances. Raises NotFound."""
        return delete(self._stores, hospital, study, series, instance, by=by)

    def undelete(self, hospital: str, study: str, series: str | None, instance: str | None, *, by: Actor) -> int:
        """Restore what was deleted of a study, series or instance; how many data sets. Raises NotFound."""
        return undelete(self._stores, hospital, study, series, instance, by=by)

    def compact(self, hospital: str, *, grace: float, quiet: float, pack_bytes: int) -> Compaction:
        """Drop bytes deleted ``grace`` seconds ago, join small packs of series ``quiet`` for so many seconds."""
        return compact(self._stores, hospital, grace=grace, quiet=quiet, pack_bytes=pack_bytes)

    def sweep(self, hospital: str, *, min_age: float = DAY) -> list[str]:
        """Remove packs that nothing references and that are ``min_age`` seconds old; gives their keys."""
        return sweep(self._stores, hospital, min_age=min_age)


@contextmanager
def open_archive(settings: Settings) -> Iterator[Archive]:
    """The archive that the settings describe; ``database_url`` must be set."""
    objects = open_objects(
        settings.objects_url or (settings.data.resolve() / "objects").as_uri(), sse=settings.objects_sse
    )
    work = settings.data / "work"
    work.mkdir(parents=True, exist_ok=True)
    clear_work(work)
    cache = PackCache(objects, settings.data / "cache", limit_bytes=settings.cache_bytes)
    with Index(settings.database_url, search_seconds=settings.search_seconds) as index:
        yield Archive(Stores(index, objects, cache, work))
