"""IIIF Image API 3: the geometry of a request, level 1 and what costs nothing beyond (https://iiif.io/api/image/3.0/).

Law: pure arithmetic on sizes; nothing is decoded. A request is parsed whole or refused whole, and the plan always reads
the smallest resolution that still has enough pixels.
"""

import re
from dataclasses import dataclass
from math import ceil
from typing import Any

from pacs.errors import InvalidRequest

TILE = 512
LARGEST = 1 << 26
"""No picture of more pixels is made, however it is asked for."""

MEDIA_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
QUALITIES = ("default", "color", "gray")
_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_PIXELS = re.compile(r"([0-9]{1,9}),([0-9]{1,9}),([0-9]{1,9}),([0-9]{1,9})")
_PERCENT = re.compile(rf"pct:({_NUMBER}),({_NUMBER}),({_NUMBER}),({_NUMBER})")
_SIZE = re.compile(rf"(\^?)(?:(max)|pct:({_NUMBER})|(!?)([0-9]{{0,9}}),([0-9]{{0,9}}))")
_ROTATION = re.compile(r"(!?)(0|90|180|270)")
_LAST = re.compile(rf"({'|'.join(QUALITIES)})\.({'|'.join(MEDIA_TYPES)})")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to decode, cut, scale: `box` in whole pixels of the image at 1/2**reduce, `inside` the part of it wanted."""

    reduce: int
    box: tuple[int, int, int, int]  # left, top, right, bottom
    inside: tuple[float, float, float, float]  # the same, relative to the box
    size: tuple[int, int]  # width, height of the output before it is turned
    mirror: bool = False
    rotation: int = 0  # clockwise


def parse_region(text: str, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, width and height in pixels of the full image, cut at its edges (section 4.1)."""
    if text == "full":
        return 0, 0, width, height
    if text == "square":
        side = min(width, height)
        return (width - side) // 2, (height - side) // 2, side, side
    if found := _PIXELS.fullmatch(text):
        left, top, wide, high = map(int, found.groups())
    elif found := _PERCENT.fullmatch(text):
        x, y, w, h = (float(number) / 100 for number in found.groups())
        left, top, wide, high = round(x * width), round(y * height), round(w * width), round(h * height)
    else:
        raise InvalidRequest("region")
    wide, high = min(wide, width - left), min(high, height - top)
    if wide < 1 or high < 1:
        raise InvalidRequest("the region is outside the image")
    return left, top, wide, high


def parse_size(text: str, region_width: int, region_height: int) -> tuple[int, int]:
    """Width and height of the output for a region of this size (section 4.2)."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise InvalidRequest("size")
    larger, best, percent, within, wide, high = found.groups()
    if best:
        width, height = region_width, region_height
    elif percent is not None:
        width, height = round(region_width * float(percent) / 100), round(region_height * float(percent) / 100)
    elif within:
        width, height = _within(wide, high, region_width, region_height, larger=bool(larger))
    elif wide or high:
        width = int(wide) if wide else round(int(high) * region_width / region_height)
        height = int(high) if high else round(int(wide) * region_height / region_width)
    else:
        raise InvalidRequest("size")
    if not larger and not within and (width > region_width or height > region_height):
        raise InvalidRequest("the size is larger than the region")  # section 4.2 asks for ^ then
    if (wide == "0" or high == "0") or width * height > LARGEST:
        raise InvalidRequest("size")
    return max(width, 1), max(height, 1)


def _within(wide: str, high: str, region_width: int, region_height: int, *, larger: bool) -> tuple[int, int]:
    if not (wide and high):
        raise InvalidRequest("size")
    scale = min(int(wide) / region_width, int(high) / region_height)
    scale = scale if larger else min(scale, 1)
    return round(region_width * scale), round(region_height * scale)


def parse_rotation(text: str) -> tuple[bool, int]:
    """Whether to mirror, and the clockwise turn in degrees (section 4.3)."""
    if found := _ROTATION.fullmatch(text):
        return bool(found[1]), int(found[2])
    raise InvalidRequest("rotation")


def parse_quality(text: str) -> tuple[str, str]:
    """Quality and media type of ``default.jpg`` (sections 4.4 and 4.5)."""
    if found := _LAST.fullmatch(text):
        return found[1], MEDIA_TYPES[found[2]]
    raise InvalidRequest("quality or format")


def plan(
    width: int, height: int, *, region: tuple[int, int, int, int], size: tuple[int, int], levels: int,
    mirror: bool = False, rotation: int = 0,
) -> Plan:  # fmt: skip
    """How to get `region` of an image of width × height at `size`, when its size can be halved `levels` times."""
    left, top, wide, high = region
    reduce = 0
    while reduce < levels and wide >> (reduce + 1) >= size[0] and high >> (reduce + 1) >= size[1]:
        reduce += 1
    scale = 1 << reduce
    level_width, level_height = -(-width // scale), -(-height // scale)
    right, bottom = min((left + wide) / scale, level_width), min((top + high) / scale, level_height)
    x0, y0 = left // scale, top // scale
    box = (x0, y0, ceil(right), ceil(bottom))
    inside = (left / scale - x0, top / scale - y0, right - x0, bottom - y0)
    return Plan(reduce, box, inside, size, mirror, rotation)


def image_information(identifier: str, width: int, height: int) -> dict[str, Any]:
    """The image information document, ``info.json`` (section 5)."""
    factors = [1]
    while max(width, height) > TILE * factors[-1]:
        factors.append(factors[-1] * 2)
    return {
        "@context": "http://iiif.io/api/image/3/context.json",
        "id": identifier,
        "type": "ImageService3",
        "protocol": "http://iiif.io/api/image",
        "profile": "level1",
        "width": width,
        "height": height,
        "maxArea": LARGEST,
        "tiles": [{"width": TILE, "height": TILE, "scaleFactors": factors}],
        "sizes": [{"width": -(-width // f), "height": -(-height // f)} for f in reversed(factors)],
        "extraFormats": ["png", "webp"],
        "extraQualities": ["color", "gray"],
        "extraFeatures": [
            "mirroring", "regionByPct", "rotationBy90s", "sizeByConfinedWh", "sizeByPct", "sizeUpscaling",
        ],
    }  # fmt: skip
