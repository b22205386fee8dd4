"""Who may send: the registry, remembered, so that receiving goes on while the database is down.

Law: the decision is a pure function of a snapshot; only the snapshot's age and the database are outside it. A registry
that cannot be read now is taken as it was.
"""

import logging
import time
from dataclasses import dataclass
from ipaddress import ip_address

from pacs.errors import NotAllowed, NotFound, Unavailable
from storage.index import Index
from storage.index.registry import Modality, hospitals, modalities

log = logging.getLogger(__name__)

FRESH = 3.0  # seconds for which a snapshot is believed


@dataclass(frozen=True, slots=True)
class Registered:
    """The registry at one moment."""

    hospitals: dict[str, str]  # called AE title → hospital
    modalities: frozenset[Modality]

    def hospital_for(self, calling: str, called: str, address: str, *, trust_local: bool) -> str:
        """The hospital that ``called`` names, when ``calling`` may send to it. Raises NotFound, NotAllowed."""
        hospital = self.hospitals.get(called)
        if hospital is None:
            raise NotFound(f"called AE title {called}")
        local = trust_local and ip_address(address).is_loopback
        if not local and Modality(hospital, calling, address) not in self.modalities:
            raise NotAllowed(f"{calling} at {address} is not registered")
        return hospital


class RegistryAdmission:
    """Admits by the registry; ``trust_local`` admits any calling AE title from this machine too."""

    def __init__(self, index: Index, *, trust_local: bool) -> None:
        self._index, self._trust_local = index, trust_local
        self._snapshot: Registered | None = None
        self._due = 0.0

    def __call__(self, calling: str, called: str, address: str) -> str:
        """The hospital. Raises NotFound, NotAllowed, and Unavailable when the registry was never read."""
        return self._registered().hospital_for(calling, called, address, trust_local=self._trust_local)

    def _registered(self) -> Registered:
        if self._snapshot is None or time.monotonic() >= self._due:
            try:
                self._snapshot = Registered(
                    {found.ae_title: found.hospital for found in hospitals(self._index)},
                    frozenset(modalities(self._index)),
                )
            except Unavailable:
                if self._snapshot is None:
                    raise
                log.warning("the registry cannot be read; modalities are admitted as before")
            self._due = time.monotonic() + FRESH
        return self._snapshot
