"""``pacs import``: files and ZIP archives through the same spool as the network's instances.

Law: a file is treated as if a modality had sent it: the same checks, the same quarantine, the same worker. Nothing here
writes to the archive itself.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from pacs.cli.lifeline import holder_of
from pacs.cli.opening import HOSPITAL, Data, database, opened_spool, settings_of
from pacs.cli.output import console, progress
from pacs.cli.sources import FileSource, find_sources
from pacs.errors import OutOfResources, Unavailable, Unidentified, Unreadable
from pacs.settings import MIB, Settings

if TYPE_CHECKING:
    from storage.spool import Incoming, Spool

HEAD = MIB  # bytes read to find the File Meta Information
ROOM_PAUSE = 1.0  # seconds before trying again when the spool has reached its floor
ROOM_TRIES = 60


@dataclass(frozen=True, slots=True)
class Filed:
    """What became of one file."""

    outcome: str  # "stored", "refused" or "quarantined"
    reason: str = ""
    digest: str = ""


def add_commands(app: typer.Typer) -> None:
    """Add ``import``."""
    app.command("import")(import_files)


def import_files(
    paths: Annotated[list[Path], typer.Argument(help="Folders, ZIP archives, files.")],
    data: Data = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compress and prove only; store nothing.")] = False,
) -> None:
    """File a folder tree or ZIP archives as if a modality had sent them."""
    settings = settings_of(data)
    sources = list(find_sources(paths))
    if dry_run:
        from pacs.cli.dry_run import print_dry_run

        print_dry_run(sources)
        return
    spool = opened_spool(settings)
    with worker_beside(settings, spool) as working:
        with progress() as bar:
            filed = [file_one(source, spool) for source in bar.track(sources, description="reading")]
        wait_until_drained(spool, working)
    print_outcomes(marked_by_worker(filed, settings))


def file_one(source: FileSource, spool: "Spool") -> Filed:
    """Put one file into the spool; anything wrong with the file is an outcome, not an error."""
    for _ in range(ROOM_TRIES):
        try:
            return _file(source, spool)
        except OutOfResources:  # faster than the workers; they make room
            time.sleep(ROOM_PAUSE)
    return _file(source, spool)


def _file(source: FileSource, spool: "Spool") -> Filed:
    try:
        with source.open() as file:
            incoming = _spooled(file, spool)
    except Unreadable as error:
        return Filed("refused", error.detail or str(error))
    try:
        incoming.finish()
    except (Unidentified, Unreadable) as error:
        return Filed("quarantined", error.detail or str(error), incoming.digest)
    return Filed("stored", digest=incoming.digest)


def _spooled(file: IO[bytes], spool: "Spool") -> "Incoming":
    from pacs.file_meta import read_file_meta

    head = file.read(HEAD)
    meta = read_file_meta(head)
    incoming = spool.begin(
        HOSPITAL,
        # not announced: the File Meta of a file that other software renamed often keeps the old UIDs
        sop_class_uid="",
        sop_instance_uid="",
        transfer_syntax_uid=meta.transfer_syntax_uid,
        source=meta.source,
    )
    try:
        incoming.write(memoryview(head)[meta.data_set_offset :])
        while chunk := file.read(HEAD):
            incoming.write(chunk)
    except BaseException:
        incoming.discard()
        raise
    return incoming


@contextmanager
def worker_beside(settings: Settings, spool: "Spool") -> Iterator[Callable[[], bool]]:
    """A worker of our own when no running archive would empty the spool; gives whether somebody still works."""
    if holder_of(settings.data) is not None:
        yield lambda: holder_of(settings.data) is not None
        return
    from storage.archive import open_archive
    from storage.ingest import Worker

    with database(settings) as ready, open_archive(ready) as archive:
        stop = threading.Event()
        worker = threading.Thread(target=Worker(spool, archive, ready).run, args=(stop,))
        worker.start()
        try:
            yield worker.is_alive
        finally:
            stop.set()
            worker.join()


def wait_until_drained(spool: "Spool", working: Callable[[], bool]) -> None:
    """Wait until the workers have filed what waits; raises Unavailable when nobody works any more."""
    with console.status("filing") as status:
        while waiting := spool.counts(HOSPITAL).files:
            if not working():
                raise Unavailable(f"no ingest worker runs; {waiting} instances wait safely in the spool")
            status.update(f"filing {waiting} instances")
            time.sleep(0.2)


def marked_by_worker(filed: list[Filed], settings: Settings) -> list[Filed]:
    """The same outcomes, except that instances which a worker has set aside meanwhile say so, and why."""
    reasons = {}
    for account in (settings.data / "quarantine" / HOSPITAL).glob("*.json"):
        told = json.loads(account.read_text())
        reasons[told["digest"]] = told["reason"]
    return [
        Filed("quarantined", reasons[one.digest], one.digest)
        if one.outcome == "stored" and one.digest in reasons
        else one
        for one in filed
    ]


def print_outcomes(filed: list[Filed]) -> None:
    """Print how many files came to what, and why."""
    table = Table("outcome", "reason", "files", title=f"{len(filed)} files")
    table.columns[2].justify = "right"
    counted = Counter((one.outcome, one.reason) for one in filed)
    for (outcome, reason), count in sorted(counted.items(), key=lambda item: (item[0][0] != "stored", -item[1])):
        table.add_row(outcome, reason, str(count))
    console.print(table)
