"""Who comes in: the question, and how a no is said.

Law: this package only asks; the answer comes from an `Admission` given by the composition root, which is the registry.
A refusal is an error of the one tree, and one table makes it an A-ASSOCIATE-RJ.
"""

from ipaddress import IPv6Address, ip_address
from typing import NamedTuple, Protocol

from pacs.errors import NotAllowed, NotFound
from pacs.modalities import Admitted


class Admission(Protocol):
    """What ``calling`` at ``address`` may do in the hospital that ``called`` names.

    AE titles come stripped, addresses as numbers ("10.1.2.3"). Raises NotFound for an unknown called AE title,
    NotAllowed for a calling AE title or address that is not registered, Unavailable when it cannot be known now.
    """

    def __call__(self, calling: str, called: str, address: str) -> Admitted:
        """The hospital, and the caller's rights and preferences there."""
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
