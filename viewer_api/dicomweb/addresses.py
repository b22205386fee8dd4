"""Where resources are (PS3.18 Table 10.1-1), and who asks for them.

Law: addresses are made here alone, absolute, from the address the client used, so that they work behind a proxy.
"""

from typing import Annotated, Any

from fastapi import Depends, Request

from storage.archive import Archive

ROOT = "/dicom-web"


def archive_of(request: Request) -> Archive:
    """The archive of this application."""
    archive: Archive = request.app.state.archive
    return archive


Held = Annotated[Archive, Depends(archive_of)]

LEVEL_TAGS = (("studies", "0020000D"), ("series", "0020000E"), ("instances", "00080018"))


def resource(request: Request, study: str, series: str = "", instance: str = "") -> str:
    """The absolute address of a study, series or instance."""
    path = f"{str(request.base_url).rstrip('/')}{ROOT}/studies/{study}"
    if series:
        path += f"/series/{series}"
    return f"{path}/instances/{instance}" if instance else path


def resource_of(request: Request, item: dict[str, Any]) -> str:
    """The absolute address of a search result, of the lowest level it names."""
    uids = [(item.get(tag, {}).get("Value") or [""])[0] for _, tag in LEVEL_TAGS]
    return resource(request, *uids)
