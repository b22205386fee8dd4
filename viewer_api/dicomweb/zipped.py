"""A study or series as one ZIP file, with a DICOMDIR when that is asked for (PS3.18 10.4, application/zip).

Law: streamed, one instance in memory at a time; sizes are known only as it goes, so it has data descriptors and ZIP64
where it must. Members are stored as they are: images are compressed already. Names are made of UIDs or of counters,
never of anything else a sender chose, and lie below a folder of their own.
"""

import io
import json
from collections.abc import Iterator, Mapping
from urllib.parse import quote
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from pacs.dicomdir import DirectoryEntry, dicomdir, directory_keys, file_id
from pacs.file_meta import FileMeta, read_file_meta
from pacs.model import StoredInstance
from pacs.transfer_syntaxes import TRANSFER_SYNTAXES
from storage.access import Session
from storage.archive import Archive
from viewer_api.dicomweb.forms import Choice
from viewer_api.media_types import ZIP, MediaRange

_LEVEL = 6
_TIME = (1980, 1, 1, 0, 0, 0)
Files = Iterator[tuple[StoredInstance, Choice, bytes]]


def zipped(request: Request, session: Session, archive: Archive, files: Files, wanted: MediaRange) -> Response:
    """The instances as a ZIP file; ``dicomdir=true`` as media type or query parameter adds a DICOMDIR."""
    asked = request.query_params.get("dicomdir", wanted.parameters.get("dicomdir", "false"))
    first = next(files)  # now, so that a refusal is still a problem
    study = first[0].identity.study_instance_uid
    body = _members(_with_first(first, files), archive if asked.lower() == "true" else None, session)
    headers = {
        "Content-Disposition": f'attachment; filename="{quote(study, safe="")}.zip"',
        "Cache-Control": "private, no-store",
        "Accept-Ranges": "none",
    }
    return StreamingResponse(body, headers=headers, media_type=ZIP)


def _with_first(first: tuple[StoredInstance, Choice, bytes], rest: Files) -> Files:
    yield first
    yield from rest


class _Pipe(io.RawIOBase):
    """What was written since it was last taken."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(memoryview(data))  # type: ignore[arg-type]  # any buffer, which RawIOBase cannot say
        self._pieces.append(piece)
        return len(piece)

    def take(self) -> bytes:
        taken, self._pieces = b"".join(self._pieces), []
        return taken


def _members(files: Files, archive: Archive | None, session: Session) -> Iterator[bytes]:
    pipe = _Pipe()
    there: dict[str, tuple[StoredInstance, int, FileMeta]] = {}
    with ZipFile(pipe, "w", allowZip64=True) as target:
        for number, (stored, choice, body) in enumerate(files, 1):
            name = "/".join(file_id(number)) if archive else _name(stored)
            _add(target, name, body, deflate=_worth_deflating(choice.transfer_syntax_uid, stored))
            there[stored.identity.sop_instance_uid] = (stored, number, read_file_meta(body))
            yield pipe.take()
        if archive is not None:
            _add(target, "DICOMDIR", dicomdir(list(_entries(archive, session, there))), deflate=True)
    yield pipe.take()


def _add(target: ZipFile, name: str, body: bytes, *, deflate: bool) -> None:
    member = ZipInfo(name, _TIME)
    member.compress_type = ZIP_DEFLATED if deflate else ZIP_STORED
    member.external_attr = 0o100644 << 16
    target.writestr(member, body, compresslevel=_LEVEL)


def _worth_deflating(uid: str, stored: StoredInstance) -> bool:
    """Reports and the like; the pixels of images cost more time than they save bytes."""
    syntax = TRANSFER_SYNTAXES.get(uid)
    return not stored.frames and syntax is not None and not syntax.encapsulated and not syntax.deflated


def _name(stored: StoredInstance) -> str:
    identity = stored.identity
    uids = (identity.study_instance_uid, identity.series_instance_uid, identity.sop_instance_uid)
    return "/".join(quote(uid, safe="") for uid in uids) + ".dcm"


def _entries(
    archive: Archive, session: Session, there: Mapping[str, tuple[StoredInstance, int, FileMeta]]
) -> Iterator[DirectoryEntry]:
    """An entry for each file, made from the metadata of their series, each of which is read once."""
    series = dict.fromkeys(
        (s.identity.study_instance_uid, s.identity.series_instance_uid) for s, _, _ in there.values()
    )
    for uids in series:
        for piece in archive.metadata(session.hospital, *uids):
            for metadata in json.loads(b"[" + piece.strip(b"[],\n") + b"]"):
                stored, number, meta = there.get(metadata["00080018"]["Value"][0], (None, 0, None))
                if stored is not None and meta is not None:
                    said = (meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax_uid)
                    yield DirectoryEntry(directory_keys(metadata), file_id(number), *said)
