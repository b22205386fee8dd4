"""A data set that was read: its elements, and their values on request.

Law: a value is decoded when somebody asks and never kept; the buffer is borrowed, never copied or changed. A missing,
empty or damaged value is an empty answer, never an exception: whoever needs a value says what its absence means.
"""

import struct
from dataclasses import dataclass
from mmap import mmap

from pacs.dataset.elements import (
    CHARACTER_SET_VRS,
    NUMBER_BYTES,
    NUMBER_FORMATS,
    SINGLE_VRS,
    STRING_VRS,
    Element,
)
from pacs.dataset.text import decode, decode_plain

Buffer = bytes | bytearray | memoryview | mmap


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """Elements of one data set or item; ``data`` is the buffer that all offsets refer to (inflated when deflated).

    ``damage`` says in a few words what was wrong with the encoding, "" when nothing was. ``end`` is the offset at which
    reading stopped; ``complete`` is False when it stopped because of ``until``.
    """

    data: Buffer
    implicit: bool
    little_endian: bool
    elements: dict[int, Element]
    damage: str
    start: int
    end: int
    complete: bool
    character_set: bytes  # (0008,0005), own or inherited
    signed: bool  # Pixel Representation, own or inherited: decides between US and SS

    def bytes_of(self, tag: int) -> memoryview:
        """The value as encoded, without copying; empty when the element is absent."""
        element = self.elements.get(tag)
        view = memoryview(self.data)
        return view[element.value : element.value + element.length] if element else view[:0]

    def items(self, tag: int) -> list["DataSet"]:
        """The items of a sequence."""
        element = self.elements.get(tag)
        return list(element.items) if element else []

    def texts(self, tag: int) -> list[str]:
        """All values as text, trimmed of padding; numbers as decimal text."""
        element = self.elements.get(tag)
        if element is None or not element.length or element.items:
            return []
        if element.vr in NUMBER_FORMATS:
            return [str(number) for number in self.unpacked(element)]
        return [value.strip(" \0") for value in self.strings(element)]

    def text(self, tag: int) -> str:
        """The first value as text, "" when absent or empty."""
        return next(iter(self.texts(tag)), "")

    def integers(self, tag: int) -> list[int]:
        """All values that are whole numbers, whether binary, IS or DS."""
        return [int(number) for number in self.numbers(tag) if number == number // 1]

    def integer(self, tag: int, default: int | None = None) -> int | None:
        """The first value when it is a whole number, otherwise ``default``."""
        return next(iter(self.integers(tag)), default)

    def numbers(self, tag: int) -> list[float]:
        """All finite numbers of a binary, IS or DS value; what cannot be read is left out."""
        element = self.elements.get(tag)
        if element is None or not element.length:
            return []
        if element.vr in NUMBER_FORMATS:
            values: list[float] = list(self.unpacked(element))
        else:
            values = [number for text in self.texts(tag) if (number := _number(text)) is not None]
        return [value for value in values if abs(value) < float("inf")]

    def strings(self, element: Element) -> list[str]:
        """Values of a string element as decoded, padding included; anything but a string VR is read as plain text."""
        raw = bytes(self.data[element.value : element.value + element.length])
        text = decode(raw, self.character_set, element.vr) if element.vr in CHARACTER_SET_VRS else decode_plain(raw)
        return text.split("\\") if element.vr in STRING_VRS and element.vr not in SINGLE_VRS else [text]

    def unpacked(self, element: Element) -> tuple[int | float, ...]:
        """Numbers of a binary numeric element; a last, incomplete one is left out."""
        form = NUMBER_FORMATS[element.vr]
        count = element.length // NUMBER_BYTES[element.vr]
        return struct.unpack_from(f"{'<' if self.little_endian else '>'}{count}{form}", self.data, element.value)


def _number(text: str) -> float | None:
    if len(text) > 64 or "_" in text:  # Python would take 1_000 for a number
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None
