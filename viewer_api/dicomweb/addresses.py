"""Where resources are (PS3.18 Table 10.1-1), and who asks for them.

Law: addresses are made here alone, absolute, from the address the client used, so that they work behind a proxy.
"""

import re
from typing import Annotated, Any

from fastapi import Depends, Request

from pacs.model import StoredInstance
from storage.archive import Archive

ROOT = "/dicom-web"


def archive_of(request: Request) -> Archive:
    """The archive of this application."""
    archive: Archive = request.app.state.archive
    return archive


Held = Annotated[Archive, Depends(archive_of)]

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")
_USUAL_PORTS = {"http": 80, "https": 443}

LEVEL_TAGS = (("studies", "0020000D"), ("series", "0020000E"), ("instances", "00080018"))


def base(request: Request) -> str:
    """Scheme, host and prefix that the client used, without a slash at the end.

    Some clients (dicomweb-client for Python) leave the port out of Host. A proxy does so too, rightly, but says that it
    is one: without its word the port is the one the request came in by.
    """
    url = request.base_url
    forwarded = any(name in request.headers for name in _FORWARDED)
    server = request.scope.get("server")
    if url.port is None and not forwarded and server and server[1] not in (None, _USUAL_PORTS.get(url.scheme)):
        url = url.replace(port=server[1])
    prefix = request.headers.get("x-forwarded-prefix", "").rstrip("/")
    return str(url).rstrip("/") + (prefix if re.fullmatch(r"(/[\w.~-]+)*", prefix) else "")


def location(request: Request, stored: StoredInstance) -> str:
    """The absolute address of an instance."""
    identity = stored.identity
    return resource(request, identity.study_instance_uid, identity.series_instance_uid, identity.sop_instance_uid)


def resource(request: Request, study: str, series: str = "", instance: str = "") -> str:
    """The absolute address of a study, series or instance."""
    path = f"{base(request)}{ROOT}/studies/{study}"
    if series:
        path += f"/series/{series}"
    return f"{path}/instances/{instance}" if instance else path


def resource_of(request: Request, item: dict[str, Any]) -> str:
    """The absolute address of a search result, of the lowest level it names."""
    uids = [(item.get(tag, {}).get("Value") or [""])[0] for _, tag in LEVEL_TAGS]
    return resource(request, *uids)
