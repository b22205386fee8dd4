"""What an instance holds that is no picture and still can be shown: a video, an encapsulated document.

Law: a document is what a sender chose to put there. Only PDF opens in a browser, as part of our own pages alone;
anything else is a download that cannot run here.
"""

import re
from collections.abc import Mapping

from fastapi import Request
from starlette.responses import Response

from pacs.dataset import DataSet
from pacs.errors import NotRenderable
from pacs.model import StoredInstance
from storage.access import Session
from storage.archive import Archive
from viewer_api.answers import REVALIDATE, etag, ranged, whole_or_part
from viewer_api.dicomweb.forms import media_type_of

ENCAPSULATED = "1.2.840.10008.5.1.4.1.1.104."  # PDF, CDA, STL, OBJ, MTL
PDF = "application/pdf"
_DOCUMENT, _MEDIA_TYPE, _LENGTH = 0x00420011, 0x00420012, 0x00420015
_VIDEO = {"video/mpeg2": "video/mpeg"}  # the standard's name (PS3.18 Table 8.7.3-5), and the registered one
_SHOWN = {"Content-Security-Policy": "frame-ancestors 'self'"}  # also our OHIF shows it, within its page
_DOWNLOADED = {"Content-Security-Policy": "sandbox; frame-ancestors 'none'", "Content-Disposition": "attachment"}


def other_media_type(archive: Archive, hospital: str, stored: StoredInstance) -> str:
    """The media type of the video or document in an instance; "" when it has neither."""
    kind = media_type_of(stored.transfer_syntax_uid)
    if kind.startswith("video/") and stored.frames:
        return _VIDEO.get(kind, kind)
    if not stored.identity.sop_class_uid.startswith(ENCAPSULATED):
        return ""
    told = archive.header(hospital, stored).text(_MEDIA_TYPE).lower()
    return told if re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", told) else "application/octet-stream"


def send(request: Request, session: Session, archive: Archive, stored: StoredInstance, media_type: str) -> Response:
    """The video or document, or a range of it."""
    tag = etag(session.hospital, stored.digest, media_type)
    if media_type.startswith("video/"):
        video = archive.frame_ranged(session.hospital, stored, 1)
        return ranged(request, video.size, video.read, media_type=media_type, tag=tag, cache_control=REVALIDATE)
    body = document(archive.header(session.hospital, stored))
    answer = whole_or_part(request, body, media_type=media_type, tag=tag, cache_control=REVALIDATE)
    answer.headers.update(policy(media_type))
    return answer


def policy(media_type: str) -> Mapping[str, str]:
    """Headers under which a browser may have such a document."""
    return _SHOWN if media_type == PDF else _DOWNLOADED


def document(data_set: DataSet) -> bytes:
    """The encapsulated document without its padding (PS3.3 C.24.2)."""
    body = bytes(data_set.bytes_of(_DOCUMENT))
    if not body:
        raise NotRenderable("there is no document in it")
    length = data_set.integer(_LENGTH)
    padded = length == len(body) - 1 or (length is None and body.endswith(b"\0"))
    return body[:-1] if padded else body
