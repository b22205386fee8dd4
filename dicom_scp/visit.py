"""One association's standing: who it was admitted as, and what it may do.

Law: decided once, at its beginning; an association that runs keeps its rights until it ends. No sockets.
"""

import logging
from collections.abc import Callable, Mapping

from dicom_scp.admission import LOCAL_LIMIT_EXCEEDED, Admission, Rejection, numeric_address, rejection_for
from dicom_scp.command_set import StoreRequest
from dicom_scp.reception import Reception
from dicom_scp.services import Caller, Service, Services
from pacs.errors import ArchiveError
from pacs.modalities import Admitted, Right
from pacs.model import Source
from storage.spool import Spool

LOG = logging.getLogger(__name__)


class Visit:
    """What an association asks of the archive."""

    def __init__(self, spool: Spool, admit: Admission, services: Services, is_full: Callable[[str], bool]) -> None:
        self._spool, self._admit, self.services, self._is_full = spool, admit, services, is_full
        self._calling = self._called = self._address = ""
        self._admitted = Admitted("", frozenset())

    def decide(self, calling: str, called: str, address: str) -> Rejection | None:
        """Whether the association is rejected, and how."""
        address = numeric_address(address)
        try:
            self._admitted = self._admit(calling, called, address)
        except Exception as error:  # the edge: the peer must be answered whatever failed
            LOG.warning("association rejected: %s to %s from %s", calling, called, address)
            if not isinstance(error, ArchiveError):
                LOG.exception("admission failed")
            return rejection_for(error)
        if self._is_full(calling):
            LOG.warning("association rejected: %s from %s is one too many", calling, address)
            return LOCAL_LIMIT_EXCEEDED
        self._calling, self._called, self._address = calling, called, address
        return None

    def may(self, service: Service) -> bool:
        """Whether the registry grants this service."""
        if service.right in self._admitted.rights:
            return True
        LOG.warning("%s at %s may not %s", self._calling, self._address, service.right)
        return False

    def caller(self, extended: Mapping[str, bytes]) -> Caller:
        """Who asks, after `decide` let it in."""
        admitted = self._admitted
        return Caller(
            admitted.hospital,
            self._calling,
            self._called,
            self._address,
            extended,
            rights=admitted.rights,
            transfer_syntaxes=admitted.transfer_syntaxes,
            character_set=admitted.character_set,
        )

    def receive(self, request: StoreRequest, transfer_syntax_uid: str) -> Reception:
        """A place for the data set of ``request``."""
        host = f"[{self._address}]" if ":" in self._address else self._address
        return Reception(
            self._spool,
            self._admitted.hospital,
            request,
            transfer_syntax_uid=transfer_syntax_uid,
            source=Source(
                source_application_entity_title=self._calling,
                sending_application_entity_title=self._calling,
                receiving_application_entity_title=self._called,
                source_presentation_address=f"dicom://{host}",
            ),
            is_allowed=Right.STORE in self._admitted.rights,
        )
