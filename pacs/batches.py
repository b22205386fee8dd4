"""Which waiting instances of one series become the next pack, and which one is poison.

Law: pure planning; the spool lists the files and keeps the marker, the worker carries the plan out. A worker writes
down what it is about to process (`Attempt`) and erases that afterwards, so that a marker found at the start of work
means that a process died over exactly those instances.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

CRASHES_ALONE = 3  # deaths over a single instance, before it counts as poison


@dataclass(frozen=True, slots=True)
class Waiting:
    """One instance in the spool."""

    digest: str
    size: int  # bytes of the Part 10 file
    received_at: int  # nanoseconds since the epoch


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the marker says: these instances were begun, for the ``attempts``-th time, and not finished."""

    attempts: int
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Process these now, in this order; ``attempts`` counts this one."""

    digests: tuple[str, ...]
    attempts: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is due; look again after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Poison:
    """Processing this instance alone killed the worker again and again: it goes to quarantine."""

    digest: str


def plan_batch(
    waiting: Sequence[Waiting],
    attempt: Attempt | None,
    *,
    now: int,
    pack_bytes: int,
    quiet: float,
    age: float,
) -> Batch | Wait | Poison:
    """Plan the next step for one series. ``now`` in nanoseconds since the epoch; ``quiet`` and ``age`` in seconds."""
    ordered = sorted(waiting, key=lambda one: (one.received_at, one.digest))
    if attempt is not None:
        there = {one.digest for one in ordered}
        left = tuple(digest for digest in attempt.digests if digest in there)
        if left:
            # fewer than were begun: it died after the commit, while dropping files, so none of these is suspect
            return _retry(left, attempt.attempts if len(left) == len(attempt.digests) else 0)
    if not ordered:
        return Wait(age)
    seconds = _due(ordered, now=now, pack_bytes=pack_bytes, quiet=quiet, age=age)
    return Wait(seconds) if seconds > 0 else Batch(_fill(ordered, pack_bytes), 1)


def _retry(digests: tuple[str, ...], attempts: int) -> Batch | Poison:
    """The same again after the first death (a power cut is nobody's fault), then half of it until one is alone."""
    if len(digests) == 1:
        return Poison(digests[0]) if attempts >= CRASHES_ALONE else Batch(digests, attempts + 1)
    if attempts < 2:
        return Batch(digests, attempts + 1)
    half = digests[: (len(digests) + 1) // 2]
    return Batch(half, 1 if len(half) == 1 else attempts + 1)


def _due(ordered: Sequence[Waiting], *, now: int, pack_bytes: int, quiet: float, age: float) -> float:
    """Seconds until a pack is due; 0 when it is: enough bytes, the series quiet, or its oldest instance old."""
    if sum(one.size for one in ordered) >= pack_bytes:
        return 0.0
    since_last, since_first = (now - ordered[-1].received_at) / 1e9, (now - ordered[0].received_at) / 1e9
    if since_last < 0:  # received in the future: the clock was set back, and waiting for it could take years
        return 0.0
    return max(0.0, min(quiet - since_last, age - since_first))


def _fill(ordered: Sequence[Waiting], pack_bytes: int) -> tuple[str, ...]:
    """The oldest instances that fit into one pack; always at least one."""
    chosen: list[str] = []
    total = 0
    for one in ordered:
        total += one.size
        if chosen and total > pack_bytes:
            break
        chosen.append(one.digest)
    return tuple(chosen)


def attempt_json(attempt: Attempt) -> bytes:
    """The marker file's content."""
    return json.dumps({"attempts": attempt.attempts, "digests": list(attempt.digests)}).encode()


def parse_attempt(data: bytes) -> Attempt | None:
    """Read a marker; None when it is not one (then nothing is suspect: better than a series that never moves)."""
    try:
        value = json.loads(data)
        return Attempt(int(value["attempts"]), tuple(str(digest) for digest in value["digests"]))
    except (ValueError, KeyError, TypeError):
        return None
