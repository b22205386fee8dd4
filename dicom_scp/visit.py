"""One association's standing: who it was admitted as, and what it may do.

Law: decided once, at its beginning; an association that runs keeps its rights until it ends. No sockets.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dicom_scp.admission import LOCAL_LIMIT_EXCEEDED, Admission, Rejection, numeric_address, rejection_for
from dicom_scp.command_set import StoreRequest
from dicom_scp.limits import Places
from dicom_scp.reception import Reception
from dicom_scp.services import Caller, Service, Services
from pacs.errors import ArchiveError, NotAllowed
from pacs.modalities import Admitted, Right
from pacs.model import Source
from storage.spool import Spool

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Desk:
    """What all associations of a process have in common; ``places`` counts them by calling AE title."""

    spool: Spool
    admit: Admission
    services: Services
    places: Places | None = None


class Visit:
    """What an association asks of the archive."""

    def __init__(self, desk: Desk, *, is_secure: bool, is_full: Callable[[], bool]) -> None:
        self._desk, self.services, self._is_secure, self._is_full = desk, desk.services, is_secure, is_full
        self._calling = self._called = self._address = ""
        self._admitted = Admitted("", frozenset())
        self._place: int | None = None

    def decide(self, calling: str, called: str, address: str) -> Rejection | None:
        """Whether the association is rejected, and how."""
        self._calling, self._called, self._address = calling, called, numeric_address(address)
        try:
            self._admit()
        except Exception as error:  # the edge: the peer must be answered whatever failed
            LOG.warning("association rejected: %s to %s from %s: %s", calling, called, self._address, error)
            if not isinstance(error, ArchiveError):
                LOG.exception("admission failed")
            return rejection_for(error)
        if self._is_full() or not self._has_place():
            LOG.warning("association rejected: %s from %s is one too many", calling, self._address)
            return LOCAL_LIMIT_EXCEEDED
        return None

    def leave(self) -> None:
        """The association has ended."""
        place, self._place = self._place, None
        if place is not None and self._desk.places is not None:
            self._desk.places.give_back(place)

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
            self._desk.spool,
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

    def _admit(self) -> None:
        self._admitted = self._desk.admit(self._calling, self._called, self._address)
        if self._admitted.tls and not self._is_secure:
            raise NotAllowed("it is registered as one that comes over TLS")

    def _has_place(self) -> bool:
        if self._desk.places is None:
            return True
        self._place = self._desk.places.take(self._admitted.hospital, self._calling)
        return self._place is not None
