"""The Deflated Explicit VR Little Endian transfer syntax (PS3.5 A.5).

Law: a raw stream (RFC 1951), without the frame of zlib, padded to an even length.
"""

import zlib

_LEVEL = 6


def deflated(data_set: bytes) -> bytes:
    """The bytes of an Explicit VR Little Endian data set, deflated."""
    machine = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    stream = machine.compress(data_set) + machine.flush()
    return stream + b"\0" * (len(stream) % 2)
