"""The door of the reader: transfer syntax in, data set out (PS3.5 7, 10, A.5).

Law: believes the declared transfer syntax until the first element says otherwise, and says so in ``damage``. All that
is known about headers is in `pacs.dataset.walk` and below.
"""

import zlib
from dataclasses import replace

from pacs.dataset.data_set import Buffer, DataSet
from pacs.dataset.encoding import EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding, actual_encoding, encoding_of
from pacs.dataset.walk import EVERY_TAG, Inherited, Walk
from pacs.errors import Unreadable
from pacs.transfer_syntaxes import EXPLICIT_LE, TRANSFER_SYNTAXES

_MAX_INFLATED = 1 << 30
_HEAD = 1 << 22
_CHUNK = 1 << 16


def read_data_set(data: Buffer, transfer_syntax_uid: str, *, until: int | None = None) -> DataSet:
    """Read a data set; ``until`` stops before the first top-level element whose tag is greater.

    An unknown transfer syntax is read as Explicit VR Little Endian, as all but the oldest are (PS3.5 A.4). Raises
    Unreadable when no element can be read, sequences nest deeper than 64, or a deflated data set exceeds 1 GiB.
    """
    syntax = TRANSFER_SYNTAXES.get(transfer_syntax_uid, TRANSFER_SYNTAXES[EXPLICIT_LE])
    declared = encoding_of(explicit_vr=syntax.explicit_vr, little_endian=syntax.little_endian)
    if not syntax.deflated:
        return _read(Walk(data), declared, EVERY_TAG if until is None else until)
    if until is not None:  # a receiver must not inflate a large instance into memory only to identify it
        found = _read(_inflate(data, _HEAD), declared, until)
        if not found.complete:
            return found
    walk = _inflate(data, _MAX_INFLATED + 1)
    if len(walk.data) > _MAX_INFLATED:
        raise Unreadable("it inflates to more than 1 GiB")
    return _read(walk, declared, EVERY_TAG if until is None else until)


def _read(walk: Walk, declared: Encoding, until: int) -> DataSet:
    size = len(walk.data)
    encoding = actual_encoding(walk.data, 0, size, declared)
    if encoding is not declared:
        walk.note(f"declared {declared}, is {encoding}")
    found = walk.data_set(0, size, encoding, Inherited(), until=until)
    if found.complete and found.end < size:
        walk.note(f"{size - found.end} bytes after the data set")
    if found.complete and not found.elements:
        raise Unreadable("no element can be read" if size else "it is empty")
    return replace(found, damage="; ".join(walk.notes))


def _inflate(data: Buffer, limit: int) -> Walk:
    """The first ``limit`` inflated bytes (PS3.5 A.5), as many as there are; ``data`` itself if it wasn't deflated."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    walk, chunks, total = Walk(data), [], 0
    try:
        for start in range(0, len(data), _CHUNK):
            chunks.append(inflater.decompress(data[start : start + _CHUNK], limit - total))
            total += len(chunks[-1])
            if inflater.eof or total == limit:
                break
        else:
            walk.note("the deflated data set is cut off")
    except zlib.error as error:
        walk.note(f"inflating stopped: {error}")
    if total or actual_encoding(data, 0, len(data), IMPLICIT_LITTLE) is not EXPLICIT_LITTLE:
        walk.data = b"".join(chunks)
    return walk
