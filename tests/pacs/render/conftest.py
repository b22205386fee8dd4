"""A frame with its presentation, as the renderer gets it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from pacs.codecs import decode_frame
from pacs.dataset import describe_image, read_data_set
from pacs.file_meta import read_file_meta
from pacs.frames import frame_span, join_fragments, locate_frames
from pacs.render import Presentation, presentation_of
from pacs.transfer_syntaxes import transfer_syntax


@dataclass(frozen=True, eq=False)
class Shown:
    """Stored values of a frame, and how it wants to be shown."""

    values: NDArray[Any]
    presentation: Presentation


@pytest.fixture(scope="session")
def shown() -> Callable[..., Shown]:
    """Read and decode frame ``number`` of a file."""

    def read(path: Path, number: int = 1) -> Shown:
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
        values = decode_frame(frame, image, meta.transfer_syntax_uid, index=number - 1)
        return Shown(values, presentation_of(data_set, number))

    return read
