"""Which DIMSE services a receiver has beside C-STORE and C-ECHO.

Law: a plain list; what a service does is said in `dicom_scp`, who may use it in the registry.
"""

from typing import TYPE_CHECKING

from pacs.settings import Settings

if TYPE_CHECKING:
    from dicom_scp.requestor import Peer
    from dicom_scp.services import Service
    from dicom_scp.tls import Tls
    from storage.archive import Archive
    from storage.registry import Registry


def services(archive: "Archive", registry: "Registry", tls: "Tls | None", settings: Settings) -> list["Service"]:
    """The services on this archive; where peers are says ``registry``."""
    from dicom_scp.commitment import commitment_service
    from dicom_scp.find import find_service
    from dicom_scp.performed import performed_service
    from dicom_scp.requestor import Patience, peer_at
    from dicom_scp.retrieve import retrieval
    from dicom_scp.worklist import worklist_service

    def destination(hospital: str, ae_title: str) -> "Peer":
        return peer_at(registry.destination(hospital, ae_title), tls)

    patience = Patience(associate=settings.dicom_association_timeout, answer=settings.dicom_response_timeout)
    return [
        find_service(archive),
        worklist_service(archive),
        retrieval(archive, destination, patience=patience),
        commitment_service(archive.index),
        performed_service(archive.index),
    ]
