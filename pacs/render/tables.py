"""Look-up tables of a data set: Modality, VOI and palette (PS3.3 C.11.1.1, C.11.2.1.1, C.7.6.3.1.5, C.7.9.2).

Law: a table that contradicts its descriptor is read as its data say when that is plain (entries packed as bytes, too
few bits declared), and is left out otherwise; a wrong table must never stop a picture that can do without.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacs.dataset import DataSet

_LUT_EXPLANATION = 0x00283003
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2  # PS3.3 C.7.9.2.1-3
_MOST_ENTRIES = 65536


@dataclass(frozen=True, slots=True, eq=False)
class LookUpTable:
    """Entries for the input values from `first` on; below and above, the first and the last entry count."""

    first: int
    entries: NDArray[Any]
    bits: int
    explanation: str = ""

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """The entry of each value, which may be a fraction."""
        index = np.clip(np.rint(values - float(self.first)), 0, len(self.entries) - 1)
        return np.asarray(self.entries[index.astype(np.intp)])


def read_table(item: DataSet, descriptor_tag: int, data_tag: int, *, segmented: bool = False) -> LookUpTable | None:
    """The table of a descriptor and its data; None when they make no table."""
    descriptor = item.integers(descriptor_tag)
    raw = bytes(item.bytes_of(data_tag))
    if len(descriptor) < 3 or not raw:
        return None
    count = (descriptor[0] & 0xFFFF) or _MOST_ENTRIES  # 0 means 65536; read as SS, large counts are negative
    first, bits = descriptor[1], descriptor[2]
    words = np.frombuffer(raw[: len(raw) // 2 * 2], "<u2" if item.little_endian else ">u2")
    if segmented:
        entries = expanded(words.tolist(), count)
    elif len(words) < count <= len(raw):
        entries = np.frombuffer(raw, np.uint8)  # 8-bit entries, two in a word
    else:
        entries = words
    entries = entries[:count].astype(np.int64)
    if not len(entries):
        return None
    bits = max(bits, int(entries.max()).bit_length()) if 1 <= bits <= 16 else 16
    return LookUpTable(first, entries, bits, item.text(_LUT_EXPLANATION))


def expanded(words: list[int], count: int) -> NDArray[Any]:
    """Entries of a segmented palette (PS3.3 C.7.9.2): discrete, linear and indirect segments, at most `count`."""
    entries: list[int] = []
    at = 0
    while at + 2 <= len(words) and len(entries) < count:
        at = _segment(words, at, entries)
    return np.array(entries[:count], np.int64)


def _segment(words: list[int], at: int, entries: list[int]) -> int:
    """Expand one segment; returns where the next one begins, or the end when this one is damaged."""
    code, length = words[at : at + 2]
    if code == _DISCRETE:
        entries += words[at + 2 : at + 2 + length]
        return at + 2 + length
    if code == _LINEAR and at + 2 < len(words) and entries:
        steps = np.linspace(entries[-1], words[at + 2], length + 1)[1:]
        entries += np.rint(steps).astype(int).tolist()
        return at + 3
    if code == _INDIRECT and at + 3 < len(words):
        offset = words[at + 2] | words[at + 3] << 16
        position = offset
        for _ in range(length):
            # an indirect segment inside an indirect one would never end
            if position + 2 > len(words) or words[position] == _INDIRECT or len(entries) > _MOST_ENTRIES:
                return len(words)
            position = _segment(words, position, entries)
        return at + 4
    return len(words)
