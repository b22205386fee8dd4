"""From bytes to elements, whatever a modality or a decade on a CD did to them (PS3.5 7).

Law: one pass, and no value is looked at except (0008,0005) and (0028,0103), which later elements need. Damage is noted,
never raised: the bytes are kept as received anyway, and a study with one bad private element must still open. Depth
and time are bounded: a byte belongs to at most one header at each of 64 levels.
"""

from dataclasses import dataclass, field

from pacs.dataset.data_set import Buffer, DataSet
from pacs.dataset.elements import (
    BINARY_VRS,
    ITEM,
    ITEM_DELIMITATION,
    PIXEL_DATA,
    PIXEL_REPRESENTATION,
    SEQUENCE_DELIMITATION,
    SPECIFIC_CHARACTER_SET,
    SPELLS_VR,
    UNDEFINED,
    Element,
    dictionary_vr,
    is_known,
    name_of,
)
from pacs.dataset.encoding import IMPLICIT_LITTLE, Encoding, Header, first_tag, header_at, plausible_header
from pacs.dataset.usual import run_explicit, run_implicit
from pacs.errors import Unreadable

EVERY_TAG = 0xFFFFFFFF
_MAX_DEPTH = 64
_MAX_NOTES = 8
_DELIMITATIONS = frozenset({ITEM_DELIMITATION, SEQUENCE_DELIMITATION})


@dataclass(frozen=True, slots=True)
class Inherited:
    """What items take from the data set around them (PS3.5 7.5.3), and how deep they lie."""

    character_set: bytes = b""
    signed: bool = False
    depth: int = 0


@dataclass(slots=True)
class Walk:
    """One pass over one buffer: the buffer, and what was found wrong so far."""

    data: Buffer
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Remember damage; the first few are enough, a broken file has thousands."""
        if len(self.notes) < _MAX_NOTES:
            self.notes.append(text)

    def data_set(
        self, start: int, limit: int, encoding: Encoding, inherited: Inherited, *, until: int = EVERY_TAG
    ) -> DataSet:
        """Elements from ``start`` to ``limit``, a tag beyond ``until``, a delimiter (not consumed), or nonsense."""
        elements: dict[int, Element] = {}
        run = run_implicit if encoding.implicit else run_explicit
        header = encoding.implicit_header if encoding.implicit else encoding.explicit_header
        position, highest, complete = start, -1, True
        while position + 8 <= limit:
            position = run(self.data, position, elements, last=highest, limit=limit, until=until, header=header)
            highest = max(highest, next(reversed(elements), -1))
            if position + 8 > limit:
                break
            tag = first_tag(self.data, position, encoding)
            if until < tag < ITEM:
                complete = False
                break
            if tag in _DELIMITATIONS and inherited.depth == 0:
                self.note(f"a stray delimitation item at byte {position}")
                position += 8
                continue
            element = None
            if tag != ITEM and tag not in _DELIMITATIONS:
                element = self._element(position, limit, encoding, self._context(elements, inherited))
            if element is None or (tag < 0x00080000 and tag <= highest):
                break  # a delimiter, nonsense, or NUL padding that looks like empty elements of group 0000
            if tag in elements:
                self.note(f"{name_of(tag)} again at byte {position}")
            elements.setdefault(tag, element)
            position = element.end
        context = self._context(elements, inherited)
        order, said = encoding.little_endian, (context.character_set, context.signed)
        return DataSet(self.data, encoding.implicit, order, elements, "", start, position, complete, *said)

    def _context(self, elements: dict[int, Element], inherited: Inherited) -> Inherited:
        terms, signs = elements.get(SPECIFIC_CHARACTER_SET), elements.get(PIXEL_REPRESENTATION)
        if terms is None and signs is None:
            return inherited
        return Inherited(
            self._value(terms) if terms else inherited.character_set,
            b"\1" in self._value(signs) if signs else inherited.signed,
            inherited.depth,
        )

    def _value(self, element: Element) -> bytes:
        return bytes(self.data[element.value : element.value + min(element.length, 1024)])

    def _element(self, position: int, limit: int, encoding: Encoding, context: Inherited) -> Element | None:
        """Any element; None when no way of reading the header makes sense."""
        header = self._header(position, limit, encoding)
        if header is None:
            return None
        tag, value, length = header.tag, header.value, header.length
        unknown = header.explicit and header.vr == "UN"
        inside = IMPLICIT_LITTLE if unknown else encoding  # PS3.5 6.2.2 note 3
        vr = header.vr if header.explicit and not unknown else dictionary_vr(tag, signed=context.signed)
        if length == UNDEFINED:
            start = Element(tag, vr, position, value, 0, limit, undefined=True)
            return self._undefined(start, limit, inside, context)
        end = value + length
        if end > limit:
            self.note(f"{name_of(tag)} ends after {max(limit - value, 0)} of {length} bytes")
            value, end = min(value, limit), limit
        if vr != "SQ" or value == end:
            return Element(tag, vr, position, value, end - value, end)
        if first_tag(self.data, value, inside) != ITEM:
            self.note(f"{name_of(tag)} holds no items")
            return Element(tag, "UN", position, value, end - value, end)
        sequence = Element(tag, vr, position, value, end - value, end)
        return sequence._replace(items=self.items(sequence, inside, context))

    def _header(self, position: int, limit: int, encoding: Encoding) -> Header | None:
        """The header as the encoding says when that makes sense, otherwise the way that does, if any."""
        header = header_at(self.data, position, encoding)
        public = dictionary_vr(header.tag) != "UN"
        fits = header.length == UNDEFINED or header.value + header.length <= limit
        if encoding.implicit:
            # a private element that does not fit may as well be garbage behind the data set
            sensible = header.length & 0xFFFF not in SPELLS_VR and (public or (fits and is_known(header.tag)))
        else:
            sensible = header.explicit and (fits or not header.mangled)
        if sensible:
            return header
        other = plausible_header(self.data, position, limit, encoding)
        return header if other is None and public and header.explicit is not encoding.implicit else other

    def _undefined(self, opened: Element, limit: int, encoding: Encoding, context: Inherited) -> Element:
        """A value that ends with a delimitation item: fragments (PS3.5 A.4) or items (PS3.5 7.5.2)."""
        tag, vr, value = opened.tag, opened.vr, opened.value
        if first_tag(self.data, value, encoding) not in {ITEM, SEQUENCE_DELIMITATION}:
            self.note(f"{name_of(tag)} of undefined length holds no items")
            return opened._replace(vr="UN" if vr == "SQ" else vr, length=limit - value)
        if tag == PIXEL_DATA or vr in BINARY_VRS - {"UN"}:
            fragments, stop, end = self._fragments(tag, value, limit, encoding)
            vr = vr if vr in BINARY_VRS else "OB"
            return opened._replace(vr=vr, length=stop - value, end=end, fragments=fragments)
        items, stop, end = self._items(tag, value, limit, encoding, context=context, delimited=True)
        return opened._replace(vr="SQ", length=stop - value, end=end, items=items)

    def items(self, element: Element, encoding: Encoding, context: Inherited) -> tuple[DataSet, ...]:
        """The items in the value of a sequence whose length is known."""
        stop = element.value + element.length
        return self._items(element.tag, element.value, stop, encoding, context=context, delimited=False)[0]

    def _items(
        self, tag: int, position: int, limit: int, encoding: Encoding, *, context: Inherited, delimited: bool
    ) -> tuple[tuple[DataSet, ...], int, int]:
        """Items from ``position``, the offset at which they end, and the one behind their delimitation."""
        if context.depth >= _MAX_DEPTH:
            raise Unreadable(f"sequences nest deeper than {_MAX_DEPTH}")
        within = Inherited(context.character_set, context.signed, context.depth + 1)
        items: list[DataSet] = []
        while position + 8 <= limit:
            group, number, length = encoding.implicit_header.unpack_from(self.data, position)
            if (group << 16 | number) != ITEM:
                break
            stop = limit if length == UNDEFINED else min(position + 8 + length, limit)
            item = self.data_set(position + 8, stop, encoding, within)
            items.append(item)
            position = stop
            if length == UNDEFINED:
                position = self._behind(tag, ITEM_DELIMITATION, item.end, limit, encoding)
            elif item.end < stop:
                self.note(f"{stop - item.end} bytes in an item of {name_of(tag)} cannot be read")
        if delimited:
            return tuple(items), position, self._behind(tag, SEQUENCE_DELIMITATION, position, limit, encoding)
        if position < limit:
            self.note(f"{limit - position} bytes behind the items of {name_of(tag)}")
        return tuple(items), limit, limit

    def _fragments(
        self, tag: int, position: int, limit: int, encoding: Encoding
    ) -> tuple[tuple[tuple[int, int], ...], int, int]:
        """Fragments from ``position`` (item header, value length), where they end, and the offset behind that."""
        fragments = []
        while position + 8 <= limit:
            group, number, length = encoding.implicit_header.unpack_from(self.data, position)
            if (group << 16 | number) != ITEM:
                break
            present = min(length, limit - position - 8)
            if present < length:
                self.note(f"a fragment of {name_of(tag)} ends after {present} of {length} bytes")
            fragments.append((position, present))
            position += 8 + present
        return tuple(fragments), position, self._behind(tag, SEQUENCE_DELIMITATION, position, limit, encoding)

    def _behind(self, tag: int, delimiter: int, position: int, limit: int, encoding: Encoding) -> int:
        if position + 8 <= limit and first_tag(self.data, position, encoding) == delimiter:
            return position + 8
        self.note(f"{name_of(tag)} lacks a delimitation item")
        return position
