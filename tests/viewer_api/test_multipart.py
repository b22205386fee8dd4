from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.errors import InvalidRequest
from viewer_api.multipart import MAX_HEADERS, MultipartParser, new_boundary, write_parts


class Listener:
    """Collects parts, and remembers the largest piece it was given."""

    def __init__(self) -> None:
        self.parts: list[tuple[dict[str, str], bytearray]] = []
        self.ended = 0

    def begin(self, headers: Mapping[str, str]) -> None:
        self.parts.append((dict(headers), bytearray()))

    def content(self, data: memoryview) -> None:
        self.parts[-1][1].extend(data)

    def end(self) -> None:
        self.ended += 1


def parse(body: bytes, boundary: str, piece: int) -> Listener:
    listener = Listener()
    parser = MultipartParser(boundary, listener)
    for start in range(0, len(body), piece):
        parser.feed(body[start : start + piece])
    parser.close()
    return listener


@given(
    contents=st.lists(st.binary(max_size=300) | st.sampled_from([b"\r\n--", b"\r\n--b", b"--b--", b"\r\n" * 9])),
    piece=st.integers(1, 400),
)
def test_what_is_written_is_read_in_pieces_of_any_size(contents: list[bytes], piece: int) -> None:
    """Writing and parsing are inverse, wherever the network cuts the body."""
    boundary = "boundary-of-this-body"
    body = b"".join(write_parts((({"Content-Type": "a/b", "X": str(n)}, c) for n, c in enumerate(contents)), boundary))
    listener = parse(body, boundary, piece)
    assert [bytes(content) for _, content in listener.parts] == contents
    assert [headers["x"] for headers, _ in listener.parts] == [str(n) for n in range(len(contents))]
    assert listener.ended == len(contents)


def test_preamble_padding_and_epilogue_are_ignored() -> None:
    """What RFC 2046 allows around parts does not disturb."""
    body = b"hello\r\n--b  \r\nContent-Type: x/y\r\n\r\ndata\r\n--b \t\r\n\r\nmore\r\n--b--\r\nbye --b"
    listener = parse(body, "b", 3)
    assert [bytes(content) for _, content in listener.parts] == [b"data", b"more"]


@pytest.mark.parametrize(
    "body",
    [b"", b"--b", b"--b\r\nA: b\r\n", b"--b\r\nA: b\r\n\r\ndata", b"--b\r\n\r\ndata\r\n--b\r\n", b"no boundary at all"],
)
def test_a_body_that_breaks_off_is_an_error(body: bytes) -> None:
    """A part cut short never looks whole."""
    with pytest.raises(InvalidRequest):
        parse(body, "b", 5)


def test_endless_headers_are_refused() -> None:
    """Headers cannot fill the memory."""
    with pytest.raises(InvalidRequest, match="too long"):
        parse(b"--b\r\nA: " + b"x" * (MAX_HEADERS + 10), "b", 1000)


def test_content_is_not_collected() -> None:
    """A large part leaves no more than a delimiter behind between two pieces."""
    parser = MultipartParser("b", Listener())
    parser.feed(b"--b\r\n\r\n")
    for _ in range(50):
        parser.feed(bytes(100_000))
        assert len(parser._buffer) < 100


@pytest.mark.parametrize("boundary", ["", "x" * 201, "nicht-ä"])
def test_nonsense_boundaries_are_refused(boundary: str) -> None:
    """A boundary is short ASCII."""
    with pytest.raises(InvalidRequest):
        MultipartParser(boundary, Listener())


def test_boundaries_differ() -> None:
    """Two bodies never share a boundary."""
    assert new_boundary() != new_boundary()


@given(content=st.binary(max_size=200).filter(lambda one: b"\n--b" not in one), piece=st.integers(1, 60))
def test_a_body_without_carriage_returns_is_read(content: bytes, piece: int) -> None:
    """Lines that end with LF alone are taken where the first boundary has it so; a CR before them is content then."""
    body = b"\n--b\nA: b\n\n" + content + b"\n--b\nA: c\n\n" + content + b"\r\n--b--\n"
    listener = parse(body, "b", piece)
    assert [bytes(one) for _, one in listener.parts] == [content, content + b"\r"]
    assert [headers["a"] for headers, _ in listener.parts] == ["b", "c"]


def test_header_fields_may_go_on_in_the_next_line() -> None:
    """A folded field is one field (RFC 5322 2.2.3)."""
    listener = parse(b'--b\r\nContent-Type: a/b;\r\n\t x="y"\r\nB:c\r\n\r\n\r\n--b--', "b", 7)
    assert listener.parts[0][0] == {"content-type": 'a/b; x="y"', "b": "c"}
