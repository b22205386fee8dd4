"""multipart/related, out and in (RFC 2387, RFC 2046 5.1, PS3.18 8.6.1.2).

Law: a body of any size passes through in bounded memory, both ways. Incoming bytes are fed in whatever pieces the
network brings; the parser tells its listener of headers, content and ends. Headers are bounded, so that a hostile body
cannot fill the memory; a body that stops early is an error, never a short part that looks whole. Lines end with CRLF; a
body whose first boundary ends with LF alone is read so throughout, because some senders have no CR.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from secrets import token_hex
from typing import Protocol

from pacs.errors import InvalidRequest

MAX_HEADERS = 16 * 1024
_FOLDED = re.compile(r"\r?\n[ \t]+")  # a header field that goes on in the next line (RFC 5322 2.2.3)


def new_boundary() -> str:
    """A boundary that no part contains, by chance of 1 in 2¹²⁸."""
    return token_hex(16)


def write_parts(parts: Iterable[tuple[Mapping[str, str], bytes]], boundary: str) -> Iterator[bytes]:
    """The body: for each part its header fields and content, taken one at a time; no parts give an empty multipart."""
    for headers, content in parts:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        yield f"--{boundary}\r\n{lines}\r\n".encode("latin-1")
        yield content
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


class PartListener(Protocol):
    """Who hears of the parts of an incoming body, in order."""

    def begin(self, headers: Mapping[str, str]) -> None:
        """A part begins; header names are lower case."""

    def content(self, data: memoryview) -> None:
        """More content of the part; the view is valid during the call only."""

    def end(self) -> None:
        """The part is complete."""


class MultipartParser:
    """Feed a body in pieces; states: preamble → headers → content → … → done."""

    def __init__(self, boundary: str, listener: PartListener) -> None:
        if not 1 <= len(boundary) <= 200 or not boundary.isascii():
            raise InvalidRequest("multipart boundary is missing or too long")
        self._boundary = b"--" + boundary.encode("ascii")
        self._line_end = b"\n"  # until the first boundary tells
        self._listener = listener
        self._buffer = bytearray(b"\n")  # so that a body that starts with its boundary meets the same delimiter
        self._step = self._preamble

    def feed(self, data: bytes) -> None:
        """Take the next piece; raises InvalidRequest when it cannot belong to this body."""
        self._buffer += data
        while self._step():
            pass

    def close(self) -> None:
        """The body has ended; raises InvalidRequest when its last boundary never came."""
        if self._step != self._done:
            raise InvalidRequest("multipart body ends before its last boundary")

    @property
    def _delimiter(self) -> bytes:
        return self._line_end + self._boundary

    def _preamble(self) -> bool:
        found = self._buffer.find(self._delimiter)
        if found < 0:
            del self._buffer[: max(0, len(self._buffer) - len(self._delimiter))]
            return False
        del self._buffer[: found + len(self._delimiter)]
        self._step = self._first_line
        return True

    def _first_line(self) -> bool:
        """See how the lines of this body end."""
        if self._buffer[:2] == b"--":
            self._step = self._done
            return True
        end = self._buffer.find(b"\n")
        if end < 0:
            return self._wait_for_headers()
        if self._buffer[end - 1 : end] == b"\r":
            self._line_end = b"\r\n"
        self._step = self._after_delimiter
        return True

    def _after_delimiter(self) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer[:2] == b"--":
            self._step = self._done
            return True
        line, found, _ = self._buffer.partition(self._line_end)
        if not found:
            return self._wait_for_headers()
        if line.strip(b" \t"):  # RFC 2046 allows only padding after a boundary
            raise InvalidRequest("multipart boundary is followed by other text")
        del self._buffer[: len(line)]
        self._step = self._headers
        return True

    def _headers(self) -> bool:
        end = self._buffer.find(self._line_end * 2)
        if end < 0:
            return self._wait_for_headers()
        if end > MAX_HEADERS:
            raise InvalidRequest("multipart headers are too long")
        text = _FOLDED.sub(" ", bytes(self._buffer[:end]).decode("latin-1"))
        pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
        headers = {name.strip().lower(): value.strip() for name, value in pairs}
        del self._buffer[: end + 2 * len(self._line_end)]
        self._listener.begin(headers)
        self._step = self._content
        return True

    def _content(self) -> bool:
        found = self._buffer.find(self._delimiter)
        # what may be the beginning of a delimiter waits for the next piece
        ready = found if found >= 0 else len(self._buffer) - len(self._delimiter) + 1
        if ready > 0:
            content = bytes(self._buffer[:ready])
            del self._buffer[:ready]
            self._listener.content(memoryview(content))
        if found < 0:
            return False
        del self._buffer[: len(self._delimiter)]
        self._listener.end()
        self._step = self._after_delimiter
        return True

    def _done(self) -> bool:
        self._buffer.clear()  # an epilogue is ignored (RFC 2046 5.1.1)
        return False

    def _wait_for_headers(self) -> bool:
        if len(self._buffer) > MAX_HEADERS:
            raise InvalidRequest("multipart headers are too long")
        return False
