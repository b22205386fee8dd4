"""Which DIMSE services a receiver has beside C-STORE and C-ECHO.

Law: a plain list; what a service does is said in `dicom_scp`, who may use it in the registry.
"""

from typing import TYPE_CHECKING

from pacs.settings import Settings

if TYPE_CHECKING:
    from dicom_scp.services import Service
    from storage.archive import Archive


def services(archive: "Archive", settings: Settings) -> list["Service"]:  # noqa: ARG001  # those that come need them
    """The services on this archive."""
    from dicom_scp.find import find_service

    return [find_service(archive)]
