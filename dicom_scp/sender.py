"""Part 10 files sent with C-STORE, for the demo and for tests.

Law: thin; how instances are sent is said in `sending`. A file that cannot be read is answered for, and stops no other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dicom_scp.requestor import Patience, Peer
from dicom_scp.sendable import Sendable, from_file
from dicom_scp.sending import send as send_instances
from pacs.errors import ArchiveError

_PATIENCE = Patience(answer=120.0)  # seconds; a receiver answers only when its disk has the instance


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one file; ``status`` is None when the peer never answered for it."""

    path: Path
    status: int | None
    comment: str = ""


def send(files: Sequence[Path], *, host: str, port: int, calling: str, called: str) -> Iterator[Sent]:
    """Send ``files`` over as few associations as their presentation contexts need, and yield each file's answer.

    Raises Unavailable when the peer cannot be reached or rejects the association.
    """
    paths: dict[int, Path] = {}
    instances: list[Sendable] = []
    for path in files:
        try:
            instances.append(from_file(path))
        except (ArchiveError, OSError) as error:
            yield Sent(path, None, str(error))
        else:
            paths[id(instances[-1])] = path
    for sent in send_instances(Peer(called, calling, host, port), instances, patience=_PATIENCE):
        yield Sent(paths[id(sent.instance)], sent.status, sent.comment)
