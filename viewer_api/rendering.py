"""The one renderer: from stored bytes to a picture of any part, at any size, through any window.

Law: every picture in the room (tile, rendered frame, thumbnail) is made here, so that a tile equals the crop of the
full rendering. Only the resolution that is needed is read and decoded. The window of an image that names none comes
from its smallest level, whatever part is shown, so that neighbouring tiles match.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pacs import __version__
from pacs.codecs import decode_frame
from pacs.errors import NotRenderable
from pacs.model import StoredInstance
from pacs.render import Presentation, Window, auto_window, encode_image, fit, presentation_of, render
from pacs.render.tiles import Plan
from storage.archive import Archive
from viewer_api.answers import etag
from viewer_api.dicomweb.native import image_of
from viewer_api.memory import Memory

Array = NDArray[np.generic]

MIB = 1024 * 1024
SMALLEST = 64  # pixels of the longer side at the level from which a window is taken


LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, for IIIF's quality "gray"


@dataclass(frozen=True, slots=True)
class Style:
    """How it is to be shown: the part and size, and the file. ``quality`` is from 1 to 100."""

    plan: Plan
    media_type: str = "image/jpeg"
    quality: int = 90
    gray: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be shown: one frame of an instance of a hospital, and the window (None: its own)."""

    hospital: str
    stored: StoredInstance
    frame: int  # from 1
    window: Window | None = None

    @property
    def levels(self) -> int:
        """How often the frame may be halved: down to the level from which a window is taken."""
        return max(0, (max(self.stored.rows, self.stored.columns) // SMALLEST).bit_length() - 1)


class Renderer:
    """Makes pictures of one archive; keeps decoded levels and finished pictures in memory, both bounded."""

    def __init__(self, archive: Archive, *, frame_bytes: int = 384 * MIB, picture_bytes: int = 64 * MIB) -> None:
        self._archive = archive
        self._levels: Memory[Array] = Memory(frame_bytes, lambda a: a.nbytes)
        self._pictures: Memory[bytes] = Memory(picture_bytes, len)

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return self._levels.held + self._pictures.held

    def picture(self, subject: Subject, style: Style) -> bytes:
        """The encoded picture; raises NotRenderable."""
        return self._pictures.get(self.tag(subject, style), lambda: self._picture(subject, style))

    def tag(self, subject: Subject, style: Style) -> str:
        """The entity tag of a picture, whose bytes depend on nothing else."""
        stored = subject.stored
        uid = stored.identity.sop_instance_uid
        return etag(__version__, subject.hospital, uid, stored.digest, subject.frame, subject.window, style)

    def windows(self, hospital: str, stored: StoredInstance) -> Sequence[Window]:
        """The windows that an instance names itself, the first of which is used."""
        return self._presentation(Subject(hospital, stored, 1)).windows

    def _picture(self, subject: Subject, style: Style) -> bytes:
        presentation = self._presentation(subject)
        window = subject.window
        if window is None and presentation.needs_window:
            window = auto_window(self._level(subject, subject.levels), presentation)
        left, top, right, bottom = style.plan.box
        values = self._level(subject, style.plan.reduce)[top:bottom, left:right]
        picture = fit(render(values, presentation, window=window), style.plan)
        if style.gray and picture.ndim == 3:
            picture = np.rint(picture @ LUMINANCE).astype(np.uint8)
        return encode_image(picture, style.media_type, style.quality)

    def _presentation(self, subject: Subject) -> Presentation:
        header = self._archive.header(subject.hospital, subject.stored)
        return presentation_of(header, subject.frame)

    def _level(self, subject: Subject, reduce: int) -> Array:
        """Stored values of a frame at one resolution."""
        stored, frame = subject.stored, subject.frame
        key = (subject.hospital, stored.identity.sop_instance_uid, stored.digest, frame, reduce)
        return self._levels.get(key, lambda: self._decoded(subject, reduce))

    def _decoded(self, subject: Subject, reduce: int) -> Array:
        stored = subject.stored
        if not stored.frames:
            raise NotRenderable
        image = image_of(self._archive.header(subject.hospital, stored))
        frame = self._archive.frame(subject.hospital, stored, subject.frame, reduce=reduce or None)
        return decode_frame(frame, image, stored.transfer_syntax_uid, reduce=reduce, index=subject.frame - 1)
