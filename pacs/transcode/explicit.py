"""Any data set as Explicit VR Little Endian, and small changes to one that is (PS3.5 7.1 and Annex A.2).

Law: nothing is lost that `restore` needs: the envelope keeps the received bytes, so this data set is for viewers, not
for proof.
"""

from collections.abc import Mapping

from pacs.dataset import DataSet
from pacs.transcode.element_writer import ElementWriter

_WRITER = ElementWriter(explicit=True, little_endian=True)
explicit_element = _WRITER.element
explicit_elements = _WRITER.elements


def spliced(data_set: DataSet, stop: int, changes: Mapping[int, bytes]) -> bytes:
    """Bytes of an Explicit VR Little Endian data set up to offset `stop`, verbatim but for the elements in `changes`.

    An element becomes the bytes given (b"" drops it) and is put in its place by tag when it was not there.
    """
    cuts = []
    for tag, replacement in changes.items():
        element = data_set.elements.get(tag)
        if element is not None and element.end <= stop:
            cuts.append((element.start, element.end, replacement))
        elif element is None and replacement:
            later = [other.start for other in data_set.elements.values() if other.tag > tag and other.start <= stop]
            cuts.append((min(later, default=stop),) * 2 + (replacement,))
    view = memoryview(data_set.data)
    pieces: list[bytes | memoryview] = []
    position = data_set.start
    for start, end, replacement in sorted(cuts):
        pieces += [view[position:start], replacement]
        position = end
    return b"".join([*pieces, view[position:stop]])
