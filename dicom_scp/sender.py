"""C-STORE as requestor: sends Part 10 files as they are, each in its own transfer syntax.

Law: nothing is decoded, decompressed or renamed; a peer that does not take a file's own transfer syntax does not get
the file. pynetdicom's public interface only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pynetdicom import _config
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from dicom_scp.statuses import Status
from pacs.errors import ArchiveError, Unavailable, Unreadable
from pacs.file_meta import read_file_meta

_CONTEXTS = 128  # odd presentation context IDs from 1 to 255 (PS3.8 9.3.2.2)
_HEAD = 64 * 1024  # bytes of a file in which its File Meta lies
_RESPONSE_TIMEOUT = 120.0  # seconds; a receiver answers only when its disk has the instance

_config.STORE_SEND_CHUNKED_DATASET = True  # from the file as it is, instead of decoding and encoding it again

_Context = tuple[str, str]  # SOP Class UID, Transfer Syntax UID


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
    by_context: dict[_Context, list[Path]] = {}
    for path in files:
        try:
            by_context.setdefault(_context_of(path), []).append(path)
        except (ArchiveError, OSError) as error:
            yield Sent(path, None, str(error))
    contexts = list(by_context)
    entity = ApplicationEntity(calling)
    entity.dimse_timeout = _RESPONSE_TIMEOUT
    for at in range(0, len(contexts), _CONTEXTS):
        chosen = contexts[at : at + _CONTEXTS]
        association = entity.associate(host, port, [build_context(*context) for context in chosen], ae_title=called)
        _check_accepted(association, f"{called} at {host}:{port}")
        try:
            for context in chosen:
                for path in by_context[context]:
                    yield _send_one(association, path, context)
        finally:
            association.release()


def _context_of(path: Path) -> _Context:
    with path.open("rb") as file:
        meta = read_file_meta(file.read(_HEAD))
    if not meta.sop_class_uid or not meta.sop_instance_uid:
        raise Unreadable("no File Meta Information")
    return meta.sop_class_uid, meta.transfer_syntax_uid


def _send_one(association: Association, path: Path, context: _Context) -> Sent:
    accepted = {(str(cx.abstract_syntax), str(cx.transfer_syntax[0])) for cx in association.accepted_contexts}
    if not association.is_established:
        return Sent(path, None, "the association was aborted")
    if context not in accepted:
        return Sent(path, Status.SOP_CLASS_NOT_SUPPORTED, "not accepted with its own transfer syntax")
    answer = association.send_c_store(path)
    if "Status" not in answer:
        return Sent(path, None, "no response")
    return Sent(path, int(answer.Status), str(answer.get("ErrorComment", "")))


def _check_accepted(association: Association, peer: str) -> None:
    answer = association.acceptor.primitive
    if answer is not None and not answer.result:  # accepted; perhaps without any presentation context
        return
    if association.dul.socket is not None:
        association.dul.socket.close()  # pynetdicom forgets the socket of a rejected association
    raise Unavailable(f"{peer} does not answer" if answer is None else f"{peer} rejects us: {answer.reason_str}")
