"""One frame of a file, as the archive would read it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pacs.dataset import describe_image, read_data_set
from pacs.file_meta import read_file_meta
from pacs.frames import frame_span, join_fragments, locate_frames
from pacs.model import ImageDescription
from pacs.transfer_syntaxes import transfer_syntax


@dataclass(frozen=True)
class Framed:
    """The bytes of a frame and what decoding needs beside them."""

    frame: bytes
    image: ImageDescription
    transfer_syntax_uid: str
    index: int


@pytest.fixture(scope="session")
def framed() -> Callable[..., Framed]:
    """Read frame ``number`` of a file; fragments are joined."""

    def read(path: Path, number: int = 1) -> Framed:
        data = path.read_bytes()
        meta = read_file_meta(data)
        data_set = read_data_set(memoryview(data)[meta.data_set_offset :], meta.transfer_syntax_uid)
        image = describe_image(data_set)
        assert image is not None
        frames = locate_frames(data_set, image, meta.transfer_syntax_uid, data_set_offset=meta.data_set_offset)
        offset, length = frame_span(frames, number, number_of_frames=image.number_of_frames)
        frame = data[offset : offset + length]
        if transfer_syntax(meta.transfer_syntax_uid).encapsulated:
            frame = join_fragments(frame)
        return Framed(frame, image, meta.transfer_syntax_uid, number - 1)

    return read
