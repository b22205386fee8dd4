"""The parts of one body: whole instances go to the spool as they arrive, metadata and bulk data wait for each other.

Law: one unfinished instance at most, and of the rest only metadata in memory, which is bounded; bulk data of any size
lies in one unnamed file. One bad part fails alone.
"""

from collections.abc import Callable, Mapping
from urllib.parse import urldefrag, urljoin

from starlette.exceptions import HTTPException

from pacs.errors import ArchiveError, Unreadable
from pacs.file_meta import FileMeta, read_file_meta
from pacs.model import Source
from pacs.transfer_syntaxes import TRANSFER_SYNTAXES
from storage.spool import Incoming, Spill, Spool
from viewer_api.dicomweb.store_composed import MAX_PARTS, BulkValue, Collected
from viewer_api.dicomweb.store_outcome import DICOM_XML, Failed, Outcome, Stored, UnknownTransferSyntax
from viewer_api.media_types import DICOM, DICOM_JSON, OCTET_STREAM, parse_media_type

FILE_META_BYTES = 256 * 1024  # of the beginning of a part are read before its data set goes to the spool
MAX_METADATA = 32 * 1024 * 1024  # bytes of JSON or XML in one request
METADATA_TYPES = frozenset({DICOM_JSON, "application/json", DICOM_XML, "application/xml", "text/xml"})
PLAIN_ENCODINGS = frozenset({"", "binary", "8bit", "7bit"})


class Upload:
    """Hears the parts of one body and files each by its kind; ``root`` is the kind of the body as a whole."""

    def __init__(self, spool: Spool, hospital: str, study: str, *, source: Source, root: str, base: str) -> None:
        self._spool, self._hospital, self._study = spool, hospital, study
        self._source, self._root, self._base = source, root, base
        self._spill: Spill | None = None
        self._content: Callable[[memoryview], None] = _nothing
        self._end: Callable[[], None] = _nothing
        self._instance: Instance | None = None
        self._refused: ArchiveError | None = None
        self._parts = self._metadata_bytes = 0
        self.collected = Collected()
        self.outcome = Outcome()

    def begin(self, headers: Mapping[str, str]) -> None:
        """A part begins; without a Content-Type it is what the body is, or bulk data behind metadata."""
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise HTTPException(413, f"more than {MAX_PARTS} parts")
        self._refused = None
        kind, parameters = parse_media_type(headers.get("content-type", ""))
        kind = kind or (OCTET_STREAM if self.collected.metadata and self._root != DICOM else self._root)
        if headers.get("content-transfer-encoding", "").lower() not in PLAIN_ENCODINGS:
            self._refused = Unreadable("a part is encoded for mail")
        elif kind == DICOM:
            self._begin_instance()
        elif kind in METADATA_TYPES:
            self.collected.metadata.append((kind, bytearray()))
            self._content, self._end = self._metadata, _nothing
        else:
            self._begin_bulk(kind, parameters.get("transfer-syntax", ""), headers)

    def content(self, data: memoryview) -> None:
        """More bytes of the part; of one that already failed they go nowhere."""
        if self._refused is None:
            self._attempt(lambda: self._content(data))

    def end(self) -> None:
        """The part is complete: kept, or failed with its reason."""
        if self._refused is None:
            self._attempt(self._end)
        if self._refused is not None:
            uids = self._instance.announced if self._instance else ("", "")
            self.outcome.failed.append(Failed(*uids, self._refused))
        self._forget_instance()

    def finish(self) -> None:
        """The body is complete: compose the instances whose metadata and bulk data came apart."""
        for stored in self.collected.instances(self.begin_incoming, self._study, self._base):
            if isinstance(stored, Stored):
                self.outcome.stored.append(stored)
            else:
                self.outcome.failed.append(stored)
        self.outcome.failed += self.collected.unused()

    def close(self) -> None:
        """Forget what did not become complete."""
        self._forget_instance()
        if self._spill is not None:
            self._spill.close()

    def begin_incoming(self, transfer_syntax_uid: str) -> Incoming:
        """Room in the spool; what File Meta announces is not passed on: old files contradict themselves there."""
        return self._spool.begin(
            self._hospital,
            sop_class_uid="",
            sop_instance_uid="",
            transfer_syntax_uid=transfer_syntax_uid,
            source=self._source,
        )

    def _begin_instance(self) -> None:
        instance = self._instance = Instance(self.begin_incoming, self._study)
        self._content = instance.content
        self._end = lambda: self.outcome.stored.append(instance.end())

    def _forget_instance(self) -> None:
        if self._instance is not None:
            self._instance.close()
        self._instance = None

    def _begin_bulk(self, kind: str, transfer_syntax_uid: str, headers: Mapping[str, str]) -> None:
        if self._spill is None:
            self._spill = self._spool.spill(self._hospital)
        spill = self._spill
        value = BulkValue(spill, kind, transfer_syntax_uid, offset=spill.size)
        location, content_id = headers.get("content-location", ""), headers.get("content-id", "").strip("<>")
        for name in (location and urljoin(self._base, location), content_id and f"cid:{content_id}"):
            if name:
                self.collected.bulk.setdefault(urldefrag(name).url, []).append(value)
        if not location and not content_id:
            self._refused = Unreadable("a part is neither an instance nor bulk data with a Content-Location")
        self._content, self._end = spill.write, value.end

    def _metadata(self, data: memoryview) -> None:
        self._metadata_bytes += len(data)
        if self._metadata_bytes > MAX_METADATA:
            raise HTTPException(413, f"metadata of more than {MAX_METADATA} bytes")
        self.collected.metadata[-1][1].extend(data)

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except ArchiveError as error:
            self._refused = error


class Instance:
    """One Part 10 instance on its way to the spool."""

    def __init__(self, begin: Callable[[str], Incoming], study: str) -> None:
        self._begin, self._study = begin, study
        self._head: bytearray | None = bytearray()  # the beginning, while its File Meta is still incomplete
        self._meta: FileMeta | None = None
        self._incoming: Incoming | None = None

    @property
    def announced(self) -> tuple[str, str]:
        """SOP Class and SOP Instance UID as File Meta has them."""
        return (self._meta.sop_class_uid, self._meta.sop_instance_uid) if self._meta else ("", "")

    def content(self, data: memoryview) -> None:
        """More bytes."""
        if self._incoming is not None:
            self._incoming.write(data)
        elif self._head is not None:
            self._head += data
            if len(self._head) >= FILE_META_BYTES:
                self._open()

    def end(self) -> Stored:
        """All bytes came: on disk when this returns."""
        incoming = self._incoming or self._open()
        return Stored(incoming.finish(study_instance_uid=self._study), incoming.digest)

    def close(self) -> None:
        """Forget it unless it is on disk."""
        if self._incoming is not None:
            self._incoming.discard()

    def _open(self) -> Incoming:
        head, self._head = bytes(self._head or b""), None
        meta = self._meta = read_file_meta(head)
        if meta.transfer_syntax_uid not in TRANSFER_SYNTAXES:
            raise UnknownTransferSyntax(meta.transfer_syntax_uid[:64])
        incoming = self._incoming = self._begin(meta.transfer_syntax_uid)
        incoming.write(memoryview(head)[meta.data_set_offset :])
        return incoming


def _nothing(*_: object) -> None:
    """What a kind of part needs no step for."""
