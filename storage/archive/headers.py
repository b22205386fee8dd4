"""Headers that were read lately, because every tile of an image asks for the same one.

Law: bounded by bytes; a header is keyed by the digest of its instance, so it never goes stale.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable

from pacs.dataset import DataSet


class HeaderCache:
    """Least recently used headers go first; any number of threads."""

    def __init__(self, *, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._headers: OrderedDict[tuple[str, str], DataSet] = OrderedDict()
        self._bytes = 0

    def get(self, key: tuple[str, str], read: Callable[[], DataSet]) -> DataSet:
        """The header of (hospital, digest), read when it is not held."""
        with self._lock:
            if key in self._headers:
                self._headers.move_to_end(key)
                return self._headers[key]
        header = read()
        with self._lock:
            if key not in self._headers:
                self._headers[key] = header
                self._bytes += len(header.data)
            while self._bytes > self._limit:
                _, oldest = self._headers.popitem(last=False)
                self._bytes -= len(oldest.data)
        return header
