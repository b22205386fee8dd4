"""In which form an instance or a frame leaves: a pure choice from what the client takes and what is held.

Law: PS3.18 8.7.3 as tables of cases, best range of the client first. No transfer syntax named means Explicit VR Little
Endian, ``*`` means as stored. ``*/*`` alone gives a compressed instance as the modality sent it, but never our own
HTJ2K: a client that names nothing may not know it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from pacs.errors import NotAcceptable
from pacs.model import StoredInstance
from pacs.transfer_syntaxes import EXPLICIT_LE, transfer_syntax
from viewer_api.media_types import DICOM, OCTET_STREAM, MediaRange


class Form(Enum):
    """What is done with the stored bytes."""

    STORED = "as stored"
    RECEIVED = "as received"
    NATIVE = "made Explicit VR Little Endian"


@dataclass(frozen=True, slots=True)
class Choice:
    """The form, its transfer syntax and media type, and whether the answer is multipart."""

    form: Form
    transfer_syntax_uid: str
    media_type: str
    multipart: bool

    @property
    def content_type(self) -> str:
        """Content-Type of one part, naming the transfer syntax (PS3.18 8.7.3.5.2)."""
        return f"{self.media_type}; transfer-syntax={self.transfer_syntax_uid}"


def is_native(uid: str) -> bool:
    """Whether pixel data in this transfer syntax is uncompressed."""
    return not transfer_syntax(uid).encapsulated


def choose_instance(accepted: Sequence[MediaRange], stored: StoredInstance) -> Choice:
    """The form of a whole instance (PS3.18 10.4.1, 8.7.3.3); raises NotAcceptable."""
    for wanted in accepted:
        if not wanted.covers(DICOM):
            continue
        form = instance_form(wanted, stored)
        if form is not None:
            return Choice(form, uid_of(form, stored), DICOM, multipart=wanted.media_type != DICOM)
    raise NotAcceptable(f"available: {DICOM} in {stored.transfer_syntax_uid} or {EXPLICIT_LE}")


def instance_form(wanted: MediaRange, stored: StoredInstance) -> Form | None:
    """The form that one media range means for an instance, or None."""
    asked = wanted.transfer_syntax
    if asked in {"*", stored.transfer_syntax_uid}:
        return Form.STORED
    if asked == stored.received_transfer_syntax_uid:
        return Form.RECEIVED
    return Form.NATIVE if asked in {"", EXPLICIT_LE} else None


def choose_frame(accepted: Sequence[MediaRange], stored: StoredInstance) -> Choice:
    """The form of frames (PS3.18 10.4.1, 8.7.3.5); raises NotAcceptable."""
    kind = OCTET_STREAM if is_native(stored.transfer_syntax_uid) else media_type_of(stored)
    for wanted in accepted:
        form = frame_form(wanted, stored, kind)
        if form is not None:
            media_type = kind if form is Form.STORED and wanted.root_type != OCTET_STREAM else OCTET_STREAM
            single = wanted.media_type in {OCTET_STREAM, kind}
            return Choice(form, uid_of(form, stored), media_type, multipart=not single)
    raise NotAcceptable(f"available: {kind} in {stored.transfer_syntax_uid}, {OCTET_STREAM} in {EXPLICIT_LE}")


def frame_form(wanted: MediaRange, stored: StoredInstance, kind: str) -> Form | None:
    """The form that one media range means for a frame whose stored media type is ``kind``, or None."""
    asked, uid = wanted.transfer_syntax, stored.transfer_syntax_uid
    if wanted.root_type == "*/*" and not asked:
        return Form.STORED if not is_native(uid) and uid == stored.received_transfer_syntax_uid else Form.NATIVE
    if wanted.covers(OCTET_STREAM):
        if asked in {"*", uid}:
            return Form.STORED
        return Form.NATIVE if asked == "" or is_known_native(asked) else None
    return Form.STORED if wanted.covers(kind) and asked in {"", "*", uid} else None


def is_known_native(uid: str) -> bool:
    """Whether frames asked for in ``uid`` are plain little-endian values (Implicit and Explicit VR look the same)."""
    return uid in {EXPLICIT_LE, "1.2.840.10008.1.2"}


def media_type_of(stored: StoredInstance) -> str:
    """The media type of the stored frames (PS3.18 Table 8.7.3-5)."""
    return transfer_syntax(stored.transfer_syntax_uid).media_type


def uid_of(form: Form, stored: StoredInstance) -> str:
    """The transfer syntax of an instance in ``form``."""
    return {
        Form.STORED: stored.transfer_syntax_uid,
        Form.RECEIVED: stored.received_transfer_syntax_uid,
        Form.NATIVE: EXPLICIT_LE,
    }[form]
