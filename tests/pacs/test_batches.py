from hypothesis import given
from hypothesis import strategies as st

from pacs.batches import Attempt, Batch, Poison, Wait, Waiting, attempt_json, parse_attempt, plan_batch

SECOND = 1_000_000_000
NOW = 1_800_000_000 * SECOND


def plan(waiting: list[Waiting], attempt: Attempt | None = None, *, now: int = NOW) -> Batch | Wait | Poison:
    """Plan with packs of 100 bytes, 1 s of quiet, 5 s of age."""
    return plan_batch(waiting, attempt, now=now, pack_bytes=100, quiet=1.0, age=5.0)


def waiting(*ages: float, size: int = 10) -> list[Waiting]:
    """Instances a, b, c… received so many seconds ago."""
    return [Waiting(chr(97 + n), size, NOW - round(age * SECOND)) for n, age in enumerate(ages)]


def test_nothing_waits() -> None:
    """An empty series is no batch."""
    assert isinstance(plan([]), Wait)


def test_wait_for_quiet() -> None:
    """A series that is still arriving waits until it was quiet for a second."""
    assert plan(waiting(0.4, 0.25)) == Wait(0.75)
    assert plan(waiting(1.4, 1.0)) == Batch(("a", "b"), 1)


def test_wait_no_longer_than_age() -> None:
    """A series that never falls quiet is packed when its oldest instance is five seconds old."""
    assert plan(waiting(4.5, 0.0)) == Wait(0.5)
    assert plan(waiting(5.0, 0.0)) == Batch(("a", "b"), 1)


def test_a_full_pack_does_not_wait() -> None:
    """Enough bytes for a pack are packed at once: the oldest that fit, the rest later."""
    assert plan(waiting(*[0.0] * 12)) == Batch(tuple("abcdefghij"), 1)
    assert plan(waiting(0.1, 0.0, size=60)) == Batch(("a",), 1)


def test_larger_than_a_pack() -> None:
    """An instance larger than a pack has a pack of its own."""
    assert plan(waiting(0.2, 0.1, size=500)) == Batch(("a",), 1)


def test_order_is_that_of_receipt() -> None:
    """The order is that of receipt, then of the digest, whatever the folder lists first."""
    assert plan(list(reversed(waiting(3, 2, 2)))) == Batch(("a", "b", "c"), 1)


def test_clock_set_back() -> None:
    """Instances from the future are packed at once, not when the clock comes there."""
    assert plan(waiting(-3600)) == Batch(("a",), 1)


def test_after_a_death_the_same_again() -> None:
    """The first retry is the whole batch without new arrivals, and doesn't wait: a power cut is nobody's fault."""
    assert plan(waiting(0.1, 0.1, 0.1), Attempt(1, ("a", "b"))) == Batch(("a", "b"), 2)


def test_death_after_the_commit() -> None:
    """A worker that died while dropping files leaves no suspicion on those that are left."""
    assert plan(waiting(0, 0), Attempt(3, ("a", "gone"))) == Batch(("a",), 1)
    assert plan(waiting(9), Attempt(3, ("gone",))) == Batch(("a",), 1)


def test_halves_until_one_is_alone() -> None:
    """Each further death halves the batch; a single instance is tried three times and is then poison."""
    attempt: Attempt | None = None
    seen = []
    for _ in range(20):
        step = plan(waiting(*[9] * 8), attempt)
        if isinstance(step, Poison):
            assert step == Poison("a")
            break
        assert isinstance(step, Batch)
        seen.append(len(step.digests))
        attempt = Attempt(step.attempts, step.digests)
    assert seen == [8, 8, 4, 2, 1, 1, 1]


@given(st.integers(1, 40), st.integers(0, 39))
def test_poison_never_blocks_its_series(count: int, poisonous: int) -> None:
    """Whichever instance kills the worker, in the end it alone is poison and all others are packed."""
    left = [Waiting(f"{n:02d}", 10, NOW - 9 * SECOND) for n in range(count)]
    poison = f"{poisonous:02d}"
    attempt: Attempt | None = None
    deaths = 0
    while left:
        step = plan(left, attempt)
        assert not isinstance(step, Wait)
        if isinstance(step, Poison):
            assert step.digest == poison
            left = [one for one in left if one.digest != step.digest]
            attempt = None
        elif poison in step.digests:
            deaths += 1
            attempt = Attempt(step.attempts, step.digests)
        else:
            left = [one for one in left if one.digest not in step.digests]
            attempt = None
    assert deaths < 25


@given(st.integers(0, 99), st.lists(st.text(max_size=70), max_size=5))
def test_marker_round_trip(attempts: int, digests: list[str]) -> None:
    """The marker says what was written into it."""
    attempt = Attempt(attempts, tuple(digests))
    assert parse_attempt(attempt_json(attempt)) == attempt


@given(st.binary(max_size=60))
def test_any_bytes_are_a_marker_or_none(data: bytes) -> None:
    """A marker cut off by a crash is no marker, and no error."""
    parsed = parse_attempt(data)
    assert parsed is None or isinstance(parsed, Attempt)
