"""What is kept in memory between two requests: a least recently used cache bounded by bytes.

Law: bounded always; one making of a value at a time, so that forty tiles of one picture decode it once. A value larger
than the whole bound is handed out and not kept.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Memory(Generic[Value]):
    """Values by key; ``size_of`` counts the bytes of one; at most ``limit`` bytes are kept."""

    def __init__(self, limit: int, size_of: Callable[[Value], int]) -> None:
        self._limit = limit
        self._size_of = size_of
        self._held = 0
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._making: dict[Hashable, Lock] = {}
        self._lock = Lock()

    @property
    def held(self) -> int:
        """Bytes kept now."""
        return self._held

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The kept value, or what ``make`` returns; an error of ``make`` passes and leaves nothing behind."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            turn = self._making.setdefault(key, Lock())
        with turn:
            with self._lock:
                if key in self._values:
                    return self._values[key]
            try:
                value = make()
                self.keep(key, value)
            finally:
                with self._lock:
                    self._making.pop(key, None)
            return value

    def peek(self, key: Hashable) -> Value | None:
        """The kept value; None when there is none."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def keep(self, key: Hashable, value: Value) -> None:
        """Keep a value, unless it is larger than all that may be kept."""
        size = self._size_of(value)
        if size > self._limit:
            return
        with self._lock:
            # after a failed making two turns can exist for one key: count its bytes once
            if key in self._values:
                self._held -= self._size_of(self._values.pop(key))
            self._values[key] = value
            self._held += size
            while self._held > self._limit:
                _, oldest = self._values.popitem(last=False)
                self._held -= self._size_of(oldest)
