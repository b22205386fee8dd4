"""STOW-RS: store instances sent over HTTP (PS3.18 10.5).

Law: a body of any size goes to the spool as it arrives, never into memory; an instance is reported as stored only after
`Incoming.finish`, that is on disk. One bad part fails alone; a body that breaks off fails what was not complete.
"""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pacs.errors import ArchiveError, InvalidRequest, OutOfResources, Unidentified, Unreadable
from pacs.file_meta import FileMeta, read_file_meta
from pacs.model import Identity, Source
from storage.spool import Incoming, Spool
from viewer_api.dicomweb.addresses import resource
from viewer_api.media_types import DICOM, DICOM_JSON, MULTIPART, parse_media_type
from viewer_api.multipart import MultipartParser
from viewer_api.session import SignedIn

router = APIRouter(tags=["STOW-RS"])

FILE_META_BYTES = 256 * 1024  # of the beginning of a part are read before its data set goes to the spool

FAILURE_REASON: Mapping[type[ArchiveError], int] = {  # PS3.4 Table GG.4-1, PS3.7 Annex C
    OutOfResources: 0xA700,
    Unidentified: 0xA900,
    Unreadable: 0xC000,
    ArchiveError: 0x0110,
}


@router.post("/studies")
async def store_instances(request: Request, session: SignedIn) -> Response:
    """Store instances of any study."""
    return await store(request, session.hospital, "")


@router.post("/studies/{study}")
async def store_instances_of_study(request: Request, session: SignedIn, study: str) -> Response:
    """Store instances of one study; others in the same body fail."""
    return await store(request, session.hospital, study)


async def store(request: Request, hospital: str, study: str) -> Response:
    """Bridge the arriving body to the thread that writes; the only asynchronous function of the room."""
    upload = Upload(request.app.state.spool, hospital, study, source_of(request))
    parser = MultipartParser(boundary_of(request), upload)
    try:
        async for chunk in request.stream():
            await run_in_threadpool(parser.feed, chunk)
        parser.close()
    finally:
        await run_in_threadpool(upload.close)
    return answer(request, upload)


def boundary_of(request: Request) -> str:
    """The boundary of the body; 415 for anything but ``multipart/related`` of Part 10 instances."""
    kind, parameters = parse_media_type(request.headers.get("content-type", ""))
    if kind != MULTIPART or parameters.get("type", DICOM).lower() != DICOM:
        raise HTTPException(415, f'Content-Type must be {MULTIPART}; type="{DICOM}"')
    return parameters.get("boundary", "")


def source_of(request: Request) -> Source:
    """Who sends, in the attributes that File Meta has for it."""
    return Source(source_presentation_address=f"http:{request.client.host}" if request.client else "")


class Upload:
    """Hears the parts of one body and files each as an instance; holds one unfinished instance at most."""

    def __init__(self, spool: Spool, hospital: str, study: str, source: Source) -> None:
        self._spool, self._hospital, self._study, self._source = spool, hospital, study, source
        self._head: bytearray | None = None  # the beginning of a part whose File Meta is still incomplete
        self._meta: FileMeta | None = None
        self._incoming: Incoming | None = None
        self._refused: ArchiveError | None = None
        self.stored: list[Identity] = []
        self.failed: list[tuple[str, str, ArchiveError]] = []

    def begin(self, headers: Mapping[str, str]) -> None:
        """A part begins."""
        self._head, self._meta, self._incoming, self._refused = bytearray(), None, None, None
        if parse_media_type(headers.get("content-type", DICOM))[0] != DICOM:
            self._refused = Unreadable("a part is not application/dicom")

    def content(self, data: memoryview) -> None:
        """More bytes of the part."""
        if self._refused is not None:
            return  # the rest of a part that already failed
        if self._head is not None:
            self._head += data
            if len(self._head) >= FILE_META_BYTES:
                self._attempt(self._open)
        elif self._incoming is not None:
            incoming = self._incoming
            self._attempt(lambda: incoming.write(data))

    def end(self) -> None:
        """The part is complete: on disk, or failed with its reason."""
        if self._refused is None and self._head is not None:
            self._attempt(self._open)
        if self._refused is None:
            self._attempt(self._finish)
        if self._refused is not None:
            uids = (self._meta.sop_class_uid, self._meta.sop_instance_uid) if self._meta else ("", "")
            self.failed.append((*uids, self._refused))
        self.close()

    def close(self) -> None:
        """Forget an instance that did not become complete."""
        if self._incoming is not None:
            self._incoming.discard()
        self._incoming = self._head = None

    def _attempt(self, step: Any) -> None:
        try:
            step()
        except ArchiveError as error:
            self._refused = error

    def _open(self) -> None:
        head = bytes(self._head or b"")
        self._head = None
        meta = self._meta = read_file_meta(head)
        # the UIDs of File Meta announce nothing here: old files contradict themselves, and the data set decides
        self._incoming = self._spool.begin(
            self._hospital,
            sop_class_uid="",
            sop_instance_uid="",
            transfer_syntax_uid=meta.transfer_syntax_uid,
            source=self._source,
        )
        self._incoming.write(memoryview(head)[meta.data_set_offset :])

    def _finish(self) -> None:
        if self._incoming is not None:
            self.stored.append(self._incoming.finish(study_instance_uid=self._study))


def failure_reason(error: ArchiveError) -> int:
    """Failure Reason (0008,1197) of an error, by the nearest class of the table."""
    return next(FAILURE_REASON[kind] for kind in type(error).__mro__ if kind in FAILURE_REASON)


def answer(request: Request, upload: Upload) -> Response:
    """Store Instances Response (PS3.18 10.5.3, Table 10.5.3-1 and I.2): 200 all, 202 some, 409 none."""
    if not upload.stored and not upload.failed:
        raise InvalidRequest("the body has no parts")
    for _, _, error in upload.failed:
        if isinstance(error, OutOfResources) and not upload.stored:
            raise error
    status = 200 if not upload.failed else 202 if upload.stored else 409
    body = json.dumps(response_module(request, upload))
    return Response(body, status, media_type=DICOM_JSON)


def response_module(request: Request, upload: Upload) -> dict[str, Any]:
    """The Store Instances Response Module (PS3.18 Table I.2-1) in DICOM JSON."""
    module: dict[str, Any] = {}
    if upload.failed:
        module["00081198"] = {"vr": "SQ", "Value": [failed_item(*failure) for failure in upload.failed]}
    if upload.stored:
        module["00081190"] = uri(resource(request, upload.stored[0].study_instance_uid))
        module["00081199"] = {"vr": "SQ", "Value": [stored_item(request, i) for i in upload.stored]}
    return {tag: module[tag] for tag in sorted(module)}


def failed_item(sop_class_uid: str, sop_instance_uid: str, error: ArchiveError) -> dict[str, Any]:
    """An item of Failed SOP Sequence."""
    reason = {"vr": "US", "Value": [failure_reason(error)]}
    return {"00081150": uid(sop_class_uid), "00081155": uid(sop_instance_uid), "00081197": reason}


def stored_item(request: Request, identity: Identity) -> dict[str, Any]:
    """An item of Referenced SOP Sequence."""
    address = resource(request, identity.study_instance_uid, identity.series_instance_uid, identity.sop_instance_uid)
    return {
        "00081150": uid(identity.sop_class_uid),
        "00081155": uid(identity.sop_instance_uid),
        "00081190": uri(address),
    }


def uid(value: str) -> dict[str, Any]:
    """A UI attribute; without a value when it is not known."""
    return {"vr": "UI", "Value": [value]} if value else {"vr": "UI"}


def uri(value: str) -> dict[str, Any]:
    """A UR attribute."""
    return {"vr": "UR", "Value": [value]}
