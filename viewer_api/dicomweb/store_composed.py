"""Instances that come as metadata and bulk data (PS3.18 10.5.2): put together and filed as if they had come whole.

Law: bulk data goes to where the metadata refers to it, by Content-Location or Content-ID; what is missing fails its
instance, what nobody refers to is told. Compressed pixel data keeps its bytes: one part is one frame.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urldefrag, urljoin

from starlette.exceptions import HTTPException

from pacs.dataset.compose import compose
from pacs.dataset.native_model_read import read_native_model
from pacs.errors import ArchiveError, InvalidRequest, Unreadable
from pacs.transfer_syntaxes import EXPLICIT_BE, EXPLICIT_LE, TRANSFER_SYNTAXES
from storage.spool import Incoming, Spill
from viewer_api.dicomweb.store_outcome import COERCED, Failed, Stored, UnknownTransferSyntax
from viewer_api.media_types import OCTET_STREAM

MAX_PARTS = 100_000  # of one request, or instances in its metadata
PIXEL_DATA = "7FE00010"
TRANSFER_SYNTAX_UID = ("00020010", "00083002")  # File Meta, or Available Transfer Syntax UID, as some clients say it

DEFAULT_SYNTAX: Mapping[str, str] = {  # PS3.18 Tables 8.7.3-2, -4 and -5; JPEG by its own marker, see `_jpeg`
    "image/jpeg": "1.2.840.10008.1.2.4.70",
    "image/dicom-rle": "1.2.840.10008.1.2.5",
    "image/jls": "1.2.840.10008.1.2.4.80",
    "image/jp2": "1.2.840.10008.1.2.4.90",
    "image/jpx": "1.2.840.10008.1.2.4.92",
    "image/jphc": "1.2.840.10008.1.2.4.201",
    "image/jxl": "1.2.840.10008.1.2.4.110",
    "video/mpeg": "1.2.840.10008.1.2.4.100",
    "video/mpeg2": "1.2.840.10008.1.2.4.100",
    "video/mp4": "1.2.840.10008.1.2.4.102",
    "video/h265": "1.2.840.10008.1.2.4.107",
}
JPEG_FRAMES = {0xC0: "1.2.840.10008.1.2.4.50", 0xC1: "1.2.840.10008.1.2.4.51", 0xC3: "1.2.840.10008.1.2.4.57"}
LOSSLESS_JPEG = 0xC3
_SCAN = 0xDA
_HEAD = 64 * 1024


@dataclass(slots=True)
class BulkValue:
    """One part with bulk data: where its bytes lie and what they are."""

    spill: Spill
    media_type: str
    transfer_syntax_uid: str
    offset: int
    size: int = 0
    used: bool = False

    def end(self) -> None:
        """All its bytes have come."""
        self.size = self.spill.size - self.offset

    def chunks(self) -> Iterator[bytes]:
        """Its bytes."""
        return self.spill.chunks(self.offset, self.size)


@dataclass(slots=True)
class Collected:
    """Metadata parts (kind, text) and bulk data by address."""

    metadata: list[tuple[str, bytearray]] = field(default_factory=list)
    bulk: dict[str, list[BulkValue]] = field(default_factory=dict)

    def instances(self, begin: Callable[[str], Incoming], study: str, base: str) -> Iterator[Stored | Failed]:
        """Compose and file one after the other. Raises InvalidRequest when the metadata cannot be read at all."""
        items = [item for kind, text in self.metadata for item in parse_metadata(kind, bytes(text))]
        if len(items) > MAX_PARTS:
            raise HTTPException(413, f"metadata of more than {MAX_PARTS} instances")
        for item in items:
            try:
                yield self._instance(item, begin, study, base)
            except ArchiveError as error:
                yield Failed(_uid(item, "00080016"), _uid(item, "00080018"), error)

    def unused(self) -> list[Failed]:
        """Bulk data that no metadata refers to."""
        values = {id(one): one for group in self.bulk.values() for one in group if not one.used}
        return [Failed("", "", Unreadable("bulk data that no metadata refers to")) for _ in values]

    def _instance(self, item: Any, begin: Callable[[str], Incoming], study: str, base: str) -> Stored:
        if not isinstance(item, Mapping):
            raise Unreadable("metadata that is no object")

        def bulk_of(uri: str) -> list[BulkValue]:
            return self._values(urldefrag(urljoin(base, uri)).url)

        pixels = item.get(PIXEL_DATA)
        uri = pixels.get("BulkDataURI") if isinstance(pixels, Mapping) else None
        syntax = pixel_syntax(item, bulk_of(str(uri))) if uri else EXPLICIT_LE
        composed = compose(item, bulk_of, encapsulated=TRANSFER_SYNTAXES[syntax].encapsulated)
        with begin(syntax) as incoming:
            for piece in composed.pieces:
                if isinstance(piece, bytes):
                    incoming.write(piece)
                    continue
                for chunk in piece.chunks():
                    incoming.write(chunk)
            identity = incoming.finish(study_instance_uid=study)
            return Stored(identity, incoming.digest, COERCED if composed.coerced else 0)

    def _values(self, address: str) -> list[BulkValue]:
        """The parts of an address, or those of its frames, ``…/frames/1`` and so on, in their order."""
        values = list(self.bulk.get(address, ()))
        while address not in self.bulk:
            part = self.bulk.get(f"{address}/frames/{len(values) + 1}")
            if part is None:
                break
            values += part
        if not values:
            raise Unreadable("bulk data that the metadata refers to is missing")
        for one in values:
            one.used = True
        return values


def parse_metadata(kind: str, text: bytes) -> list[Any]:
    """The objects of one metadata part. Raises InvalidRequest when it is neither JSON nor a NativeDicomModel."""
    try:
        if kind.endswith("xml"):
            return [read_native_model(text)]
        found = json.loads(text)
    except (ValueError, RecursionError, Unreadable):
        raise InvalidRequest("metadata that cannot be read") from None
    return found if isinstance(found, list) else [found]


def pixel_syntax(item: Mapping[str, Any], values: list[BulkValue]) -> str:
    """The transfer syntax of an instance whose pixel data came as these parts. Raises Unreadable."""
    kinds = {(one.media_type, one.transfer_syntax_uid) for one in values}
    if len(kinds) != 1:
        raise Unreadable("frames of different media types")
    media_type, said = kinds.pop()
    if media_type == OCTET_STREAM and not said:
        return EXPLICIT_LE
    syntax = said or _of_metadata(item, media_type) or _jpeg(values[0]) or DEFAULT_SYNTAX.get(media_type, "")
    known = TRANSFER_SYNTAXES.get(syntax)
    if known is None or syntax == EXPLICIT_BE or known.deflated:
        raise UnknownTransferSyntax(syntax[:64])
    if not known.encapsulated:
        if media_type != OCTET_STREAM:
            raise Unreadable("compressed pixel data in an uncompressed transfer syntax")
        return EXPLICIT_LE
    if media_type.startswith("image/") and len(values) != _number_of_frames(item):
        raise Unreadable("another number of frames than Number of Frames says")
    return syntax


def _of_metadata(item: Mapping[str, Any], media_type: str) -> str:
    """The transfer syntax that metadata names, when it is one of this media type.

    Metadata copied from another archive's answer may tell how the instance is kept there, and not what was sent.
    """
    named = (TRANSFER_SYNTAXES.get(_uid(item, tag)) for tag in TRANSFER_SYNTAX_UID)
    return next((one.uid for one in named if one is not None and one.media_type == media_type), "")


def _jpeg(value: BulkValue) -> str:
    """The transfer syntax that a JPEG codestream tells by its frame marker (ISO 10918-1 B.2.2), "" for others."""
    if value.media_type != "image/jpeg":
        return ""
    head = b"".join(value.spill.chunks(value.offset, min(_HEAD, value.size)))
    position, syntax = 2, ""
    while head[position : position + 1] == b"\xff" and position + 4 <= len(head):
        marker, length = head[position + 1], int.from_bytes(head[position + 2 : position + 4], "big")
        if marker in JPEG_FRAMES:
            syntax = JPEG_FRAMES[marker]
        if marker == _SCAN:
            components = head[position + 4]
            first_order = head[position + 5 + 2 * components : position + 6 + 2 * components] == b"\1"
            return DEFAULT_SYNTAX["image/jpeg"] if syntax == JPEG_FRAMES[LOSSLESS_JPEG] and first_order else syntax
        position += 2 + length
    return syntax


def _number_of_frames(item: Mapping[str, Any]) -> int:
    try:
        return max(1, int(item["00280008"]["Value"][0]))
    except (KeyError, IndexError, TypeError, ValueError):
        return 1


def _uid(item: Any, tag: str) -> str:
    """A UID of metadata, "" when it has none."""
    try:
        value = item[tag]["Value"][0]
    except (KeyError, IndexError, TypeError):
        return ""
    return value[:64] if isinstance(value, str) else ""
