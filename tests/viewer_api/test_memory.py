import threading
import time

import pytest

from viewer_api.memory import Memory


def test_the_least_recently_used_goes_first() -> None:
    """The bound holds, and what was used lately stays."""
    memory: Memory[bytes] = Memory(30, len)
    for key in "abc":
        memory.get(key, lambda: bytes(10))
    memory.get("a", lambda: pytest.fail("a was kept"))
    memory.get("d", lambda: bytes(10))
    assert memory.held == 30
    memory.get("a", lambda: pytest.fail("a was used lately"))
    assert memory.get("b", lambda: b"again") == b"again"


def test_a_value_larger_than_the_bound_is_handed_out_and_not_kept() -> None:
    """One huge frame does not empty the cache."""
    memory: Memory[bytes] = Memory(30, len)
    memory.get("small", lambda: bytes(10))
    assert len(memory.get("huge", lambda: bytes(31))) == 31
    assert memory.held == 10


def test_many_askers_make_a_value_once() -> None:
    """Forty tiles of one frame decode it once."""
    memory: Memory[bytes] = Memory(100, len)
    made = []

    def make() -> bytes:
        made.append(1)
        time.sleep(0.05)
        return b"value"

    threads = [threading.Thread(target=lambda: memory.get("key", make)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_failed_making_leaves_nothing_behind() -> None:
    """An error passes through, and the next asker tries again."""
    memory: Memory[bytes] = Memory(100, len)
    with pytest.raises(ZeroDivisionError):
        memory.get("key", lambda: bytes(1 // 0))
    assert memory.get("key", lambda: b"fine") == b"fine"
    assert not memory._making
