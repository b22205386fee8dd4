"""Bytes that must be held until a request is complete, on disk and not in memory.

Law: an unnamed file beside the spool, so that a crash leaves nothing behind; below the spool's floor nothing is taken.
Nothing in here was ever acknowledged.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self

from storage.durable import Buffer, disk_errors
from storage.spool.incoming import check_floor

_CHUNK = 1024 * 1024


class Spill:
    """Append-only, for one thread at a time; a context manager that forgets all of it."""

    def __init__(self, folder: Path, *, free_floor: int) -> None:
        self._folder, self._free_floor = folder, free_floor
        self._file: IO[bytes] | None = None
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, chunk: Buffer) -> None:
        """Append bytes. OutOfResources or Unavailable when the disk does not take them."""
        with disk_errors():
            check_floor(self._folder, self._free_floor)
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  # `close` closes it
            self._file.write(chunk)
        self.size += len(chunk)

    def chunks(self, offset: int, length: int) -> Iterator[bytes]:
        """These bytes again, in pieces."""
        with disk_errors():
            if self._file is not None:
                self._file.flush()
            for start in range(offset, offset + length, _CHUNK):
                assert self._file is not None  # noqa: S101  # something was written, else there is no such range
                yield os.pread(self._file.fileno(), min(_CHUNK, offset + length - start), start)

    def close(self) -> None:
        """Forget everything; harmless when repeated."""
        if self._file is not None:
            self._file.close()
            self._file = None
