"""Messages cut into presentation data values (PS3.8 9.3.5, Annex E).

Law: pure, and the bytes of a data set are never copied here but in slices that are about to be sent.
"""

from collections.abc import Iterator

COMMAND, LAST = 1, 2  # bits of the message control header (PS3.8 E.2)
HEADER_BYTES = 6  # of an item: its length, presentation context ID and message control header (PS3.8 Table 9-23)
LONGEST_FRAGMENT = 128 * 1024  # longer ones are no faster, and dozens of them wait in memory


def fragment_size(maximum_length: int) -> int:
    """Bytes of a message for each P-DATA-TF to a peer that announced this Maximum Length (PS3.8 D.1; 0: no limit)."""
    if not maximum_length:
        return LONGEST_FRAGMENT
    return min(max(maximum_length - HEADER_BYTES, 1), LONGEST_FRAGMENT)


def fragments(message: bytes | memoryview, size: int, *, control: int) -> Iterator[tuple[int, memoryview]]:
    """Message control header and bytes of each fragment; ``control`` is `COMMAND` for a command set, 0 for a data set.

    An empty message has one, empty fragment.
    """
    view = memoryview(message)
    for at in range(0, max(len(view), 1), size):
        yield control | (LAST if at + size >= len(view) else 0), view[at : at + size]
