"""Who may send, and into which hospital.

Law: this package only asks; the answer comes from an `Admission` given by the composition root (the registry, or the
embedded default below). A refusal is an error of the one tree, and one table makes it an A-ASSOCIATE-RJ.
"""

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple, Protocol

from pacs.errors import NotAllowed, NotFound


class Admission(Protocol):
    """The hospital that ``called`` names, when ``calling`` at ``address`` may send to it.

    AE titles come stripped, addresses as numbers ("10.1.2.3"). Raises NotFound for an unknown called AE title,
    NotAllowed for a calling AE title or address that is not registered, Unavailable when it cannot be known now.
    """

    def __call__(self, calling: str, called: str, address: str) -> str:
        """The hospital's name."""
        ...


class Rejection(NamedTuple):
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""

    result: int
    source: int
    reason: int


CALLED_AE_TITLE_NOT_RECOGNIZED = Rejection(1, 1, 7)
CALLING_AE_TITLE_NOT_RECOGNIZED = Rejection(1, 1, 3)
TEMPORARY_CONGESTION = Rejection(2, 3, 1)
LOCAL_LIMIT_EXCEEDED = Rejection(2, 3, 2)


def rejection_for(error: Exception) -> Rejection:
    """What the requestor is told; all but a clear no is transient, so that it tries again."""
    if isinstance(error, NotFound):
        return CALLED_AE_TITLE_NOT_RECOGNIZED
    if isinstance(error, NotAllowed):
        return CALLING_AE_TITLE_NOT_RECOGNIZED
    return TEMPORARY_CONGESTION


def numeric_address(address: str) -> str:
    """``address`` without zone and without the IPv6 clothes of an IPv4 peer ("::ffff:10.1.2.3")."""
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(parsed)


class LoopbackAdmission:
    """The embedded default: any calling AE title from this machine, to the hospitals by called AE title."""

    def __init__(self, hospitals: Mapping[str, str]) -> None:
        self._hospitals = {title.strip(): hospital for title, hospital in hospitals.items()}

    def __call__(self, calling: str, called: str, address: str) -> str:
        """The hospital of ``called``; raises NotFound, NotAllowed."""
        hospital = self._hospitals.get(called)
        if hospital is None:
            raise NotFound(f"called AE title {called}")
        if not ip_address(address).is_loopback:
            raise NotAllowed(f"{calling} at {address}")
        return hospital
