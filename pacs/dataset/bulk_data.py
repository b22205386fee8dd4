"""Values that the JSON of an instance only refers to (PS3.18 8.4, F.2.6).

Law: a path is resolved against the data set itself, so that no table of references has to be kept. Values come in
little endian, whatever the data set has, as PS3.18 8.7.3.1 wants them.
"""

from array import array

from pacs.dataset.data_set import DataSet
from pacs.dataset.elements import CHARACTER_SET_VRS, NUMBER_BYTES, WORD_BYTES, Element
from pacs.dataset.private import meant_element
from pacs.errors import NotFound

_UNSIGNED = {2: "H", 4: "I", 8: "Q"}


def bulk_data(ds: DataSet, path: str) -> memoryview:
    """The value at ``path``, such as ``7FE00010`` or ``00291010/1/00291020``; text in UTF-8. Raises NotFound."""
    *parents, last = path.split("/")
    if len(parents) % 2:
        raise NotFound("no such bulk data")
    for sequence, number in zip(parents[::2], parents[1::2], strict=True):
        items = _element(ds, sequence).items
        if not number.isdecimal() or not 1 <= int(number) <= len(items):
            raise NotFound("no such bulk data")
        ds = items[int(number) - 1]
    element = _element(ds, last)
    if element.vr in CHARACTER_SET_VRS:
        return memoryview("\\".join(ds.strings(element)).encode())
    return binary_value(ds, element)


def _element(ds: DataSet, tag: str) -> Element:
    try:
        element = ds.elements[int(tag, 16)]
    except (KeyError, ValueError):
        raise NotFound("no such bulk data") from None
    return meant_element(ds, element) if element.vr == "UN" else element


def binary_value(ds: DataSet, element: Element) -> memoryview:
    """The value of ``element`` in little endian, without a copy unless its bytes must be swapped."""
    value = memoryview(ds.data)[element.value : element.value + element.length]
    size = WORD_BYTES.get(element.vr) or NUMBER_BYTES.get(element.vr)
    if ds.little_endian or not size or element.fragments:
        return value
    words = array(_UNSIGNED[size])
    words.frombytes(value[: len(value) // size * size])
    words.byteswap()
    return memoryview(words).cast("B")
