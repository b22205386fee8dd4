"""In which form an instance or a frame leaves: a pure choice from what the client takes and what is held.

Law: PS3.18 8.7.3 as tables of cases, best range of the client first; each range may give a choice that turns out to be
impossible when the pixels are looked at, so all are given, in order, and the first that works is sent. No transfer
syntax named means Explicit VR Little Endian, or as stored where there is no such thing (video); ``*`` means as stored.
``*/*`` alone gives a compressed frame as the modality sent it, but never our own HTJ2K: a client that names nothing may
not know it. Lossy compression is made for those only who name its transfer syntax.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pacs.errors import NotAcceptable
from pacs.model import StoredInstance
from pacs.transcode import CONVERTIBLE
from pacs.transfer_syntaxes import EXPLICIT_LE, HTJ2K_LOSSLESS_RPCL, IMPLICIT_LE, TRANSFER_SYNTAXES
from viewer_api.media_types import DICOM, MULTIPART, OCTET_STREAM, ZIP, MediaRange

# What a still image media type means that names no transfer syntax (PS3.18 Table 8.7.3-5), where we can make it.
_USUAL: Mapping[str, str] = {
    "image/jls": "1.2.840.10008.1.2.4.80",
    "image/jp2": "1.2.840.10008.1.2.4.90",
    "image/jphc": HTJ2K_LOSSLESS_RPCL,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """The transfer syntax and media type, and whether the answer is multipart."""

    transfer_syntax_uid: str
    media_type: str
    multipart: bool

    @property
    def content_type(self) -> str:
        """Content-Type of one part, naming the transfer syntax (PS3.18 8.7.3.5.2)."""
        return f"{self.media_type}; transfer-syntax={self.transfer_syntax_uid}"


def is_native(uid: str) -> bool:
    """Whether pixel data in this transfer syntax is uncompressed."""
    syntax = TRANSFER_SYNTAXES.get(uid)
    return syntax is not None and not syntax.encapsulated


def media_type_of(uid: str) -> str:
    """The media type of frames in a transfer syntax (PS3.18 Table 8.7.3-5)."""
    syntax = TRANSFER_SYNTAXES.get(uid)
    return syntax.media_type if syntax else OCTET_STREAM


def has_stills(stored: StoredInstance) -> bool:
    """Whether the stored frames can be decoded one by one, which video cannot."""
    uid = stored.transfer_syntax_uid
    return uid in TRANSFER_SYNTAXES and not media_type_of(uid).startswith("video/")


def may_convert(stored: StoredInstance, uid: str) -> bool:
    """Whether `pacs.transcode` may be asked for an instance in this transfer syntax."""
    return uid in CONVERTIBLE and has_stills(stored) and (is_native(uid) or bool(stored.rows))


def instance_choices(accepted: Sequence[MediaRange], stored: StoredInstance) -> list[Choice]:
    """The forms in which a whole instance is acceptable, best first (PS3.18 10.4.1, 8.7.3.3); [] for none."""
    choices = []
    for wanted in accepted:
        if wanted.covers(DICOM) or wanted.covers(ZIP):
            multipart = wanted.media_type != DICOM
            choices += [Choice(uid, DICOM, multipart) for uid in _instance_uids(wanted, stored)]
    return choices


def _instance_uids(wanted: MediaRange, stored: StoredInstance) -> Iterator[str]:
    asked = wanted.transfer_syntax
    if asked in {stored.transfer_syntax_uid, stored.received_transfer_syntax_uid} or may_convert(stored, asked):
        yield asked
    elif asked == "":
        if has_stills(stored):
            yield EXPLICIT_LE
        yield stored.received_transfer_syntax_uid
    elif asked == "*":
        yield stored.transfer_syntax_uid


def frame_choices(accepted: Sequence[MediaRange], stored: StoredInstance, *, alone: bool = False) -> list[Choice]:
    """The forms in which frames are acceptable, best first (PS3.18 10.4.1, 8.7.3.5); [] for none.

    ``alone``: ``*/*`` means one frame as it is, not a multipart of one.
    """
    choices = []
    for wanted in accepted:
        multipart = wanted.media_type == MULTIPART or (wanted.media_type == "*/*" and not alone)
        choices += [Choice(uid, kind, multipart) for uid, kind in _frame_forms(wanted, stored)]
    return choices


def _frame_forms(wanted: MediaRange, stored: StoredInstance) -> Iterator[tuple[str, str]]:
    asked, held = wanted.transfer_syntax, stored.transfer_syntax_uid
    kind = OCTET_STREAM if is_native(held) else media_type_of(held)
    as_sent = not is_native(held) and held == stored.received_transfer_syntax_uid
    if wanted.root_type == "*/*" and not asked:
        yield (held, kind) if as_sent else (EXPLICIT_LE, OCTET_STREAM)
    elif wanted.covers(OCTET_STREAM):
        if asked in {"*", held}:
            yield held, OCTET_STREAM if wanted.root_type == OCTET_STREAM else kind
        elif asked in {"", EXPLICIT_LE, IMPLICIT_LE}:
            # plain little-endian values look the same with explicit and with implicit VR
            yield from [(EXPLICIT_LE, OCTET_STREAM)] if has_stills(stored) else [(held, OCTET_STREAM)]
        elif may_convert(stored, asked) and not is_native(asked):
            yield asked, OCTET_STREAM
    elif wanted.covers(kind) and asked in {"", "*", held}:
        yield held, kind
    else:
        target = asked if asked not in {"", "*"} else _USUAL.get(wanted.root_type, "")
        if wanted.covers(media_type_of(target)) and may_convert(stored, target):
            yield target, media_type_of(target)


def not_acceptable(stored: StoredInstance, *, frames: bool = False) -> NotAcceptable:
    """The refusal that says what could be had."""
    held = stored.transfer_syntax_uid
    if frames:
        return NotAcceptable(f"available: {media_type_of(held)} in {held}, {OCTET_STREAM} in {EXPLICIT_LE}")
    return NotAcceptable(f"available: {DICOM} in {held} or {EXPLICIT_LE}")
