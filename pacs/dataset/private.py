"""What an element of unknown VR means, as far as its creator is known (PS3.5 7.8, PS3.5 6.2.2 note 2).

Law: only for showing values (JSON, bulk data); the elements of a data set stay as they were read. Viewers need small
private numbers in line: without Philips' scale factors a PET has no SUV.
"""

from functools import lru_cache

from pydicom.datadict import private_dictionary_VR

from pacs.dataset.data_set import DataSet
from pacs.dataset.elements import AT_BYTES, BINARY_VRS, ITEM, NUMBER_BYTES, STRING_VRS, Element
from pacs.dataset.encoding import IMPLICIT_LITTLE, encoding_of, first_tag
from pacs.dataset.walk import Inherited, Walk


def meant_element(ds: DataSet, element: Element) -> Element:
    """``element``, of VR UN, with the VR that the dictionary of its private creator gives it, if any and if it fits."""
    if not element.tag & 0x10000 or element.tag & 0xFFFF < 0x1000:
        return element
    vr = _private_vr(element.tag, ds.text(element.tag & 0xFFFF0000 | element.tag >> 8 & 0xFF))
    if vr == "SQ":
        return _sequence(ds, element)
    size = NUMBER_BYTES.get(vr, AT_BYTES if vr == "AT" else 1)
    known = vr in STRING_VRS or vr in BINARY_VRS or vr in NUMBER_BYTES or vr == "AT"
    return element._replace(vr=vr) if known and element.length % size == 0 else element


@lru_cache(maxsize=4096)
def _private_vr(tag: int, creator: str) -> str:
    try:
        return private_dictionary_VR(tag, creator)
    except KeyError:
        return "UN"


def _sequence(ds: DataSet, element: Element) -> Element:
    """A private sequence whose length is known, hidden from the reader by implicit VR or UN; itself when it is none."""
    # UN inside an explicit data set holds Implicit VR Little Endian, PS3.5 6.2.2 note 3
    encoding = encoding_of(explicit_vr=False, little_endian=ds.little_endian) if ds.implicit else IMPLICIT_LITTLE
    if element.length == 0:
        return element._replace(vr="SQ")
    if first_tag(ds.data, element.value, encoding) != ITEM:
        return element
    walk = Walk(ds.data)
    context = Inherited(ds.character_set, ds.signed)
    items = walk.items(element, encoding, context)
    return element if walk.notes else element._replace(vr="SQ", items=items)
