"""``pacs import --dry-run``: what compression and its proof would come to, without storing anything.

Law: the same pure functions as the worker's, on the same bytes; the proof is made here once more, from the outside.
"""

import hashlib
import os
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rich.table import Table

from pacs.cli.output import console, progress
from pacs.cli.sources import FileSource
from pacs.dataset import describe_image, identify, read_data_set
from pacs.errors import ArchiveError
from pacs.file_meta import read_file_meta
from pacs.model import Compressed
from pacs.transcode import compress, restore
from pacs.transfer_syntaxes import transfer_syntax

DEFLATE_FROM = 0.9  # a member is deflated when that makes it at least 10 % smaller
AS_RECEIVED = "as received"


@dataclass(frozen=True, slots=True)
class Trial:
    """What one instance would come to."""

    verdict: str
    reason: str
    received: int  # bytes of the data set
    stored: int  # bytes of the members in the pack
    native_image: bool
    exact: bool


def print_dry_run(sources: Sequence[FileSource]) -> None:
    """Try every source and print the tables."""
    trials = list(_tried(sources))
    console.print(verdict_table(trials))
    for line in summary(trials):
        console.print(line)


def try_one(source: FileSource) -> Trial:
    """Compress, restore and compare one instance; what cannot be read is a verdict of its own."""
    try:
        with source.open() as file:
            part10 = file.read()
        meta = read_file_meta(part10)
        received = memoryview(part10)[meta.data_set_offset :]
        data_set = read_data_set(received, meta.transfer_syntax_uid)
        compressed = compress(received, meta.transfer_syntax_uid, identify(data_set), meta.source)
        image = describe_image(data_set)
        encapsulated = transfer_syntax(meta.transfer_syntax_uid).encapsulated
    except ArchiveError as error:
        return Trial("refused", error.detail or str(error), source.size, 0, native_image=False, exact=True)
    again = restore(compressed.part10, compressed.envelope, compressed.before, meta.transfer_syntax_uid)
    return Trial(
        compressed.verdict,
        compressed.reason,
        len(received),
        packed_size(compressed),
        native_image=image is not None and not encapsulated,
        exact=hashlib.sha256(again).digest() == hashlib.sha256(received).digest(),
    )


def packed_size(compressed: Compressed) -> int:
    """Bytes of the members in a pack: the instance, deflated where that pays, and its deflated envelope."""
    size = len(compressed.part10)
    if compressed.verdict == AS_RECEIVED:
        deflated = len(zlib.compress(compressed.part10))
        size = deflated if deflated <= DEFLATE_FROM * size else size
    return size + (len(zlib.compress(compressed.envelope)) if compressed.envelope else 0)


def verdict_table(trials: Sequence[Trial]) -> Table:
    """Instances and bytes by verdict and reason."""
    table = Table("verdict", "reason", "instances", "received", "stored", "ratio")
    for column in table.columns[2:]:
        column.justify = "right"
    for verdict, reason in sorted({(trial.verdict, trial.reason) for trial in trials}):
        _row(table, verdict, reason, [t for t in trials if (t.verdict, t.reason) == (verdict, reason)])
    table.add_section()
    _row(table, "all", "", [trial for trial in trials if trial.verdict != "refused"])
    return table


def summary(trials: Sequence[Trial]) -> list[str]:
    """The shares that the design promises."""
    tried = [trial for trial in trials if trial.verdict != "refused"]
    native = [trial for trial in tried if trial.native_image]
    smaller = sum(trial.verdict != AS_RECEIVED or trial.stored <= DEFLATE_FROM * trial.received for trial in native)
    return [
        _share("native images as HTJ2K", sum(trial.verdict != AS_RECEIVED for trial in native), len(native)),
        _share("native images stored compressed, HTJ2K or DEFLATE", smaller, len(native)),
        _share("restored byte for byte", sum(trial.exact for trial in tried), len(tried)),
    ]


def _row(table: Table, verdict: str, reason: str, trials: Sequence[Trial]) -> None:
    received, stored = sum(trial.received for trial in trials), sum(trial.stored for trial in trials)
    ratio = f"{received / stored:.2f}" if stored else ""
    table.add_row(verdict, reason, str(len(trials)), f"{received:,}", f"{stored:,}", ratio)


def _share(what: str, part: int, whole: int) -> str:
    return f"{what}: {part} of {whole} ({part / whole:.1%})" if whole else f"{what}: none here"


def _tried(sources: Sequence[FileSource]) -> Iterator[Trial]:
    with ThreadPoolExecutor(os.cpu_count()) as threads, progress() as bar:  # codecs release the GIL
        yield from bar.track(threads.map(try_one, sources), total=len(sources), description="proving")
