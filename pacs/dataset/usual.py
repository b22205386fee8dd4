"""The fast run over elements that are as the standard says, nine of ten in a header (PS3.5 7.1.2, 7.1.3).

Law: both functions fill ``elements`` and return the offset of the first header they will not judge: unknown VR, values
that may hold items, ambiguous VR, undefined or impossible length, a tag out of order or beyond ``until``, a delimiter.
They must never accept what `pacs.dataset.walk` would read in another way.
"""

from struct import Struct

from pacs.dataset.data_set import Buffer
from pacs.dataset.elements import EXPLICIT_HEADERS, SPELLS_VR, UNAMBIGUOUS, UNDEFINED, Element

_LAST_TAG = 0xFFFDFFFF  # group FFFE holds items and delimiters
_MAY_HOLD_ITEMS = {"SQ", "UN"}
_EXPLICIT = {code: header for code, header in EXPLICIT_HEADERS.items() if header[0] not in _MAY_HOLD_ITEMS}
_IMPLICIT = {tag: vr for tag, vr in UNAMBIGUOUS.items() if vr not in _MAY_HOLD_ITEMS}


def run_explicit(
    data: Buffer, position: int, elements: dict[int, Element], *, last: int, limit: int, until: int, header: Struct
) -> int:
    """Read explicit VR elements from ``position``, their tags above ``last``. Returns where it stopped."""
    unpack = header.unpack_from
    stop = min(limit - 8, len(data) - 12)
    until = min(until, _LAST_TAG)
    while position <= stop:
        group, number, code, short, long = unpack(data, position)
        tag = group << 16 | number
        usual = _EXPLICIT.get(code)
        if usual is None or tag <= last or tag > until:
            break
        vr, has_long = usual
        if has_long:
            value = position + 12
            length = long
        else:
            value = position + 8
            length = short
        end = value + length
        if end > limit or length == UNDEFINED:
            break
        elements[tag] = Element(tag, vr, position, value, length, end)
        last = tag
        position = end
    return position


def run_implicit(
    data: Buffer, position: int, elements: dict[int, Element], *, last: int, limit: int, until: int, header: Struct
) -> int:
    """Read implicit VR elements from ``position``, their tags above ``last``. Returns where it stopped."""
    unpack = header.unpack_from
    stop = min(limit, len(data)) - 8
    until = min(until, _LAST_TAG)
    while position <= stop:
        group, number, length = unpack(data, position)
        tag = group << 16 | number
        vr = _IMPLICIT.get(tag)
        if vr is None:
            if not group & 1 or number < 0x1000:
                break
            vr = "UN"
        value = position + 8
        end = value + length
        if tag <= last or tag > until or end > limit or length == UNDEFINED or length & 0xFFFF in SPELLS_VR:
            break
        elements[tag] = Element(tag, vr, position, value, length, end)
        last = tag
        position = end
    return position
