"""Reading what is stored: whole instances, single frames, headers, metadata.

Law: ranged reads only, through the cache; a frame costs its own bytes, a smaller size of a frame only a prefix of them.
Nothing is decoded here, except where the data set as received is asked for.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from pacs.codecs.htj2k import prefix_length
from pacs.dataset import DataSet, read_data_set
from pacs.errors import Damaged
from pacs.file_meta import file_meta, read_file_meta
from pacs.frames import frame_span, join_fragments
from pacs.model import Source, StoredInstance
from pacs.transcode import convert, restore
from pacs.transfer_syntaxes import TRANSFER_SYNTAXES
from storage.archive.stores import Stores, envelope_of, part10_of
from storage.index.reading import MetadataPlace, metadata_places
from storage.packs import read_metadata

_ITEM_HEADER = 8  # bytes of an item's tag and length (PS3.5 7.5)
_FIRST_READ = 64 * 1024  # of a frame, when less than all of it is wanted: usually the 256² level already
_BEFORE_PIXELS = 0x7FE00000  # the header ends in front of any pixel data or offset table


def part10(stores: Stores, hospital: str, stored: StoredInstance) -> bytes:
    """The stored instance as a Part 10 file."""
    return part10_of(partial(stores.read, hospital, stored.location.pack_key), stored)


def received(stores: Stores, hospital: str, stored: StoredInstance) -> bytes:
    """The data set as it was received, byte for byte; raises Damaged when its digest is not that of receipt."""
    read = partial(stores.read, hospital, stored.location.pack_key)
    stored_bytes, envelope = part10_of(read, stored), envelope_of(read, stored.location)
    try:
        data = restore(stored_bytes, envelope, stored.before, stored.received_transfer_syntax_uid)
    except Exception as error:  # a decoder may say anything about damaged bytes; all of it means the same
        raise Damaged(f"instance {stored.identity.sop_instance_uid}") from error
    if hashlib.sha256(data).hexdigest() != stored.digest:
        raise Damaged(f"instance {stored.identity.sop_instance_uid}")
    return data


def converted(stores: Stores, hospital: str, stored: StoredInstance, transfer_syntax_uid: str) -> bytes:
    """A Part 10 file in the transfer syntax asked for: as stored, as received, or converted; raises NotAcceptable.

    Native transfer syntaxes are made from what was received, so that planes and unused bits are as they came.
    """
    uid = transfer_syntax_uid
    if uid == stored.transfer_syntax_uid:
        return part10(stores, hospital, stored)
    native = not TRANSFER_SYNTAXES[uid].encapsulated if uid in TRANSFER_SYNTAXES else False
    if uid != stored.received_transfer_syntax_uid and not native:
        return convert(part10(stores, hospital, stored), uid)
    identity = stored.identity
    meta = file_meta(identity.sop_class_uid, identity.sop_instance_uid, stored.received_transfer_syntax_uid, Source())
    return convert(meta + received(stores, hospital, stored), uid)


@dataclass(frozen=True, slots=True)
class Ranged:
    """Content of a known size that is read where and when it is asked for."""

    size: int
    read: Callable[[int, int], bytes]  # offset, length


def part10_ranged(stores: Stores, hospital: str, stored: StoredInstance) -> Ranged:
    """The stored instance as a Part 10 file, read by ranges."""
    return Ranged(stored.stored_size, partial(_range, stores, hospital, stored))


def frame_ranged(stores: Stores, hospital: str, stored: StoredInstance, number: int) -> Ranged:
    """One frame as `frame` gives it, read by ranges; only what lies scattered in fragments is read whole at once."""
    offset, length = frame_span(stored.frames, number, number_of_frames=stored.number_of_frames)
    read = partial(_range, stores, hospital, stored)
    if not is_encapsulated(stored):
        return Ranged(length, lambda start, size: read(offset + start, size))
    # what we compressed has one fragment for each frame; of others the first item header says whether it is so
    ours = stored.transfer_syntax_uid != stored.received_transfer_syntax_uid
    if ours or int.from_bytes(read(offset, _ITEM_HEADER)[4:], "little") == length - _ITEM_HEADER:
        return Ranged(length - _ITEM_HEADER, lambda start, size: read(offset + _ITEM_HEADER + start, size))
    whole = join_fragments(read(offset, length))
    return Ranged(len(whole), lambda start, size: whole[start : start + size])


def is_encapsulated(stored: StoredInstance) -> bool:
    """Whether the stored frames are fragments."""
    syntax = TRANSFER_SYNTAXES.get(stored.transfer_syntax_uid)
    return syntax is not None and syntax.encapsulated


def frame(stores: Stores, hospital: str, stored: StoredInstance, number: int, *, reduce: int | None) -> bytes:
    """One frame as stored; with ``reduce`` only as much of an HTJ2K frame as that many halvings of its size need."""
    offset, length = frame_span(stored.frames, number, number_of_frames=stored.number_of_frames)
    encapsulated = is_encapsulated(stored)
    if encapsulated and reduce and length > _FIRST_READ and not stored.location.deflated:
        return _prefix(stores, hospital, stored, offset, length, reduce=reduce)
    segment = _range(stores, hospital, stored, offset, length)
    return join_fragments(segment) if encapsulated else segment


def _prefix(stores: Stores, hospital: str, stored: StoredInstance, offset: int, length: int, *, reduce: int) -> bytes:
    """The beginning of a frame, read in at most two steps; all of it where no prefix is known to do."""
    head = _range(stores, hospital, stored, offset, _FIRST_READ)
    whole = int.from_bytes(head[4:_ITEM_HEADER], "little") == length - _ITEM_HEADER  # one fragment holds the frame
    wanted = prefix_length(head[_ITEM_HEADER:], reduce) if whole else None
    needed = length if wanted is None else min(length, _ITEM_HEADER + wanted)
    if needed > len(head):
        head += _range(stores, hospital, stored, offset + len(head), needed - len(head))
    return join_fragments(head[:needed])


def _range(stores: Stores, hospital: str, stored: StoredInstance, offset: int, length: int) -> bytes:
    """Bytes of the Part 10 file; of one with a deflated data set, as if that were inflated."""
    location = stored.location
    if is_deflated(stored):
        return _inflated_part10(stores, hospital, stored)[offset : offset + length]
    if location.deflated:
        return part10(stores, hospital, stored)[offset : offset + length]
    if offset + length > location.member_length:
        raise Damaged(f"instance {stored.identity.sop_instance_uid}")
    return stores.read(hospital, location.pack_key, location.member_offset + offset, length)


def is_deflated(stored: StoredInstance) -> bool:
    """Whether the stored data set is deflated (PS3.5 A.5): places in it are those of the inflated one."""
    syntax = TRANSFER_SYNTAXES.get(stored.transfer_syntax_uid)
    return syntax is not None and syntax.deflated


def _inflated_part10(stores: Stores, hospital: str, stored: StoredInstance) -> bytes:
    data = part10(stores, hospital, stored)
    start = read_file_meta(data).data_set_offset
    inflated = read_data_set(memoryview(data)[start:], stored.transfer_syntax_uid)
    return data[:start] + bytes(inflated.data)


def header(stores: Stores, hospital: str, stored: StoredInstance) -> DataSet:
    """The data set up to its pixel data, which is not read; offsets refer to the data set's own bytes."""
    until = stored.frames[0][0] if stored.frames else stored.stored_size
    data = part10(stores, hospital, stored) if is_deflated(stored) else _range(stores, hospital, stored, 0, until)
    meta = read_file_meta(data)
    return read_data_set(data[meta.data_set_offset :], stored.transfer_syntax_uid, until=_BEFORE_PIXELS)


def metadata(stores: Stores, hospital: str, study: str, series: str | None, instance: str | None) -> Iterator[bytes]:
    """The stored DICOM JSON of the instances as one array, in pieces. Raises NotFound before the first piece.

    A pack's metadata is fetched once and held until its last instance has been given.
    """
    places = metadata_places(stores.index, hospital, study, series, instance)
    return _array(stores, hospital, places)


def _array(stores: Stores, hospital: str, places: list[MetadataPlace]) -> Iterator[bytes]:
    left = Counter(place.pack_key for place in places)
    lines: dict[str, list[bytes]] = {}
    for number, place in enumerate(places):
        if place.pack_key not in lines:
            lines[place.pack_key] = read_metadata(partial(stores.read, hospital, place.pack_key), place.metadata)
        yield (b",\n" if number else b"[") + lines[place.pack_key][place.place_in_pack]
        left[place.pack_key] -= 1
        if not left[place.pack_key]:
            del lines[place.pack_key]
    yield b"]"
