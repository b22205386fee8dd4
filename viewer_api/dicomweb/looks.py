"""How a picture is asked for: window, viewport and quality (PS3.18 8.3.5.1).

Law: text in, values out; what makes no sense is refused, nothing is guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request

from pacs.errors import InvalidRequest
from pacs.model import StoredInstance
from pacs.render import parse_window
from pacs.render.tiles import plan
from viewer_api.media_types import MediaRange
from viewer_api.rendering import Style, Subject

MAX_VIEWPORT = 8192


@dataclass(frozen=True, slots=True)
class Look:
    """The parameters of one request, as text; ``ranges`` replace what its Accept header says."""

    window: str = ""
    viewport: str = ""
    quality: str = "90"
    ranges: Sequence[MediaRange] = ()

    def of(self, hospital: str, stored: StoredInstance, frame: int, media_type: str) -> tuple[Subject, Style]:
        """What is to be shown of a frame, and how; raises InvalidRequest."""
        window = parse_window(self.window) if self.window else None
        subject = Subject(hospital, stored, min(frame, max(1, stored.number_of_frames)), window)
        region, size = parse_viewport(self.viewport, stored.columns, stored.rows)
        wanted = plan(stored.columns, stored.rows, region=region, size=size, levels=subject.levels)
        return subject, Style(wanted, media_type, parse_quality(self.quality))


def look_of(request: Request, *, viewport: str = "") -> Look:
    """The look that the query parameters ask for; ``viewport`` where they name none."""
    asked = request.query_params
    return Look(asked.get("window", ""), asked.get("viewport", viewport), asked.get("quality", "90"))


def parse_quality(text: str) -> int:
    """The ``quality`` parameter, 1 to 100 (PS3.18 8.3.5.1.3)."""
    if text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= 100:
        return int(text)
    raise InvalidRequest("quality is from 1 to 100")


def parse_viewport(text: str, width: int, height: int) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
    """The region and output size that ``viewport=vw,vh[,sx,sy,sw,sh]`` means (PS3.18 8.3.5.1.2).

    The region fits into the viewport with its proportions kept and is never enlarged. Mirroring by a negative sw or sh
    is not supported.
    """
    if not text:
        return (0, 0, width, height), (width, height)
    try:
        numbers = [float(part) if part else None for part in text.split(",")]
        if len(numbers) not in {2, 6}:
            raise ValueError  # noqa: TRY301  # one answer for every way to be wrong
        given = (*numbers, None, None, None, None)[:6]
        usual = (width, height, 0, 0, width, height)
        room_width, room_height, left, top, wide, high = (
            int(usual[n] if number is None else number) for n, number in enumerate(given)
        )
        room, region = (room_width, room_height), (left, top, min(wide, width - left), min(high, height - top))
    except (ValueError, OverflowError):
        raise InvalidRequest("viewport is width,height[,x,y,width,height]") from None
    if min(*region[2:], *room) < 1 or min(region) < 0 or max(room) > MAX_VIEWPORT:
        raise InvalidRequest("the viewport shows nothing of the image")
    scale = min(room[0] / region[2], room[1] / region[3], 1)
    return region, (max(1, round(region[2] * scale)), max(1, round(region[3] * scale)))
