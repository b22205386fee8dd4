"""The ingest worker: from the spool into the archive, batch after batch.

Law: a file leaves the spool only after the commit of its digest, or into quarantine with a reason. An instance that
cannot be read goes there at once; one over which the worker fails or dies, after its retries alone; it never blocks the
rest of its series. While a store does not answer, the spool stays as it is. Log lines hold UIDs and counts, and of an
unforeseen error only its kind and place: its message may quote a patient.
"""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from pacs.batches import Attempt, Batch, Poison, Wait, plan_batch
from pacs.errors import ArchiveError, Damaged, NotFound, OutOfResources, Unavailable, Unidentified, Unreadable
from pacs.settings import Settings
from storage.archive import Archive, Outcome
from storage.archive.prepare import Prepared, Received, prepare, receive
from storage.spool import Claim, Spool

log = logging.getLogger(__name__)

THREADS = 2  # the codecs release the GIL; more would only take from the other workers
LOOK = 0.25  # seconds between looks at an idle spool
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds, while a store does not answer

_HOPELESS = (Unreadable, Unidentified, Damaged)
_PASSING = (Unavailable, OutOfResources)

Given = TypeVar("Given")
Made = TypeVar("Made")


class Worker:
    """Empties the spool; any number of workers in any number of processes share it by claims."""

    def __init__(self, spool: Spool, archive: Archive, settings: Settings) -> None:
        self._spool, self._archive, self._settings = spool, archive, settings
        self._pause = 0.0

    def run(self, stop: threading.Event) -> None:
        """Work until asked to stop; the batch in hand is finished."""
        while not stop.is_set():
            try:
                seconds = self.run_once()
            except _PASSING as error:
                if not self._pause:
                    log.warning("ingest waits: %s", error)
                seconds = self._pause = min(max(2 * self._pause, SHORTEST_PAUSE), LONGEST_PAUSE)
            else:
                if self._pause:
                    log.warning("ingest works again")
                self._pause = 0.0
            stop.wait(seconds)

    def run_once(self) -> float:
        """Visit every waiting series once; seconds until another visit is worth while, 0 when there is more to do.

        Raises Unavailable or OutOfResources when a store does not take what is given to it.
        """
        seconds = LOOK
        waiting = list(self._spool.series())
        random.shuffle(waiting)  # workers that all begin with the same series would only wait for its lock
        for series in waiting:
            claim = self._spool.claim(series)
            if claim is not None:
                with claim:
                    seconds = min(seconds, self._step(claim))
        return seconds

    def _step(self, claim: Claim) -> float:
        step = plan_batch(
            claim.waiting(),
            claim.attempt(),
            now=time.time_ns(),
            pack_bytes=self._settings.pack_bytes,
            quiet=self._settings.pack_quiet,
            age=self._settings.pack_age,
        )
        if isinstance(step, Wait):
            return step.seconds
        if isinstance(step, Poison):
            self._quarantine(claim, step.digest, "the worker failed over this instance again and again")
            claim.end()
        else:
            self._process(claim, step)
        return 0.0

    def _process(self, claim: Claim, step: Batch) -> None:
        """File one batch. What fails unforeseen stays written down as begun, so that `plan_batch` isolates it."""
        claim.begin(Attempt(step.attempts, step.digests))
        try:
            failed = self._file(claim, step.digests)
        except _PASSING:
            claim.end()  # nobody's fault here
            raise
        except Exception as error:
            log.error("a batch of %d instances failed: %s", len(step.digests), _kind_and_place(error))  # noqa: TRY400  # no message, it may quote a patient
            return
        if failed:
            claim.begin(Attempt(step.attempts, tuple(failed)))
        else:
            claim.end()

    def _file(self, claim: Claim, digests: Sequence[str]) -> list[str]:
        """Store what of a batch is new, drop all that the archive has; gives the digests that failed unforeseen."""
        with ThreadPoolExecutor(THREADS) as pool:
            received, failed = self._each(claim, pool, _open(claim), [(digest, digest) for digest in digests])
            known = self._archive.known(claim.hospital, [one.identity.sop_instance_uid for one in received])
            old = {
                one.digest for one in received if known.has(one.identity.sop_instance_uid, one.digest, one.received_at)
            }
            claim.drop(old)
            new = [(one.digest, one) for one in received if one.digest not in old]
            prepared, failed_too = self._each(claim, pool, prepare, new)
        outcome = self._archive.store(claim.hospital, prepared) if prepared else None
        if outcome is not None:
            claim.drop(outcome.stored | outcome.known | outcome.conflicts)
            _report(claim, prepared, outcome, len(old | outcome.known))
        return failed + failed_too

    def _each(
        self, claim: Claim, pool: ThreadPoolExecutor, make: Callable[[Given], Made], given: Iterable[tuple[str, Given]]
    ) -> tuple[list[Made], list[str]]:
        """Make something of each instance; gives what was made, and the digests that failed unforeseen."""
        made, failed = [], []
        futures = [(digest, pool.submit(make, one)) for digest, one in given]
        for digest, future in futures:
            try:
                made.append(future.result())
            except _HOPELESS as error:
                self._quarantine(claim, digest, str(error))
            except NotFound:
                continue  # gone from the spool meanwhile: nothing to do
            except ArchiveError:
                raise
            except Exception as error:
                log.error("instance with digest %s failed: %s", digest, _kind_and_place(error))  # noqa: TRY400  # as above
                failed.append(digest)
        return made, failed

    def _quarantine(self, claim: Claim, digest: str, reason: str) -> None:
        with suppress(NotFound):
            claim.quarantine(digest, reason)
            log.error("instance with digest %s went to quarantine: %s", digest, reason)


def _open(claim: Claim) -> Callable[[str], Received]:
    def opened(digest: str) -> Received:
        spooled = claim.read(digest)
        return receive(spooled.part10, digest=spooled.digest, received_at=spooled.received_at)

    return opened


def _report(claim: Claim, prepared: Sequence[Prepared], outcome: Outcome, known: int) -> None:
    reasons = Counter(one.entry.reason for one in prepared if one.entry.digest in outcome.stored and one.entry.reason)
    kept = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())) or "none"
    log.info(
        "series %s: %d stored, %d known, %d conflicts; kept as received: %s",
        claim.series_key,
        len(outcome.stored),
        known,
        len(outcome.conflicts),
        kept,
    )


def _kind_and_place(error: BaseException) -> str:
    """What a log may say of an unforeseen error."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_qualname}:{place.tb_lineno}" if place else "?"
    return f"{type(error).__name__} in {where}"
