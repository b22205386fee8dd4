"""Which presentation contexts are accepted, and with which transfer syntax (PS3.8 9.3.3.2, PS3.7 D.3.2).

Law: pure; the requestor's order decides. A sender lists first what its files already are, so that taking the
acceptor's favourite instead would make it decompress for us. Every storage SOP class is taken, private and future ones
too: an archive that refuses an unknown class loses images. What the standard knows as something else is refused, unless
a service has it; messages of services are no images, so that they come without compression of images. What a peer only
retrieves is sent uncompressed where it takes that too: every instance can be put into that.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import NamedTuple

from pydicom._uid_dict import UID_dictionary

from pacs.transfer_syntaxes import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, TRANSFER_SYNTAXES

VERIFICATION = "1.2.840.10008.1.1"
UNCOMPRESSED = (EXPLICIT_LE, IMPLICIT_LE)
OF_MESSAGES = frozenset({IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE, DEFLATED_LE})

# Registered with "Storage" in their name, but not a patient's instance in a study and series: Storage Commitment (PS3.4
# J), directories (PS3.4 I) and Non-Patient Objects (PS3.4 GG), which have no study to be filed under.
NOT_FILED_IN_A_STUDY = frozenset(
    {
        "1.2.840.10008.1.20.1",
        "1.2.840.10008.1.20.2",
        "1.2.840.10008.1.3.10",
        "1.2.840.10008.5.1.4.1.1.200.1",
        "1.2.840.10008.5.1.4.1.1.200.3",
        "1.2.840.10008.5.1.4.1.1.200.7",
        "1.2.840.10008.5.1.4.1.1.201.1",
        "1.2.840.10008.5.1.4.38.1",
        "1.2.840.10008.5.1.4.39.1",
        "1.2.840.10008.5.1.4.43.1",
        "1.2.840.10008.5.1.4.44.1",
        "1.2.840.10008.5.1.4.45.1",
    }
)


class Result(IntEnum):
    """Result/Reason of one presentation context (PS3.8 Table 9-18)."""

    ACCEPTANCE = 0
    USER_REJECTION = 1
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """The acceptor's word on one proposed presentation context; ``transfer_syntax_uid`` means nothing when refused."""

    result: Result
    transfer_syntax_uid: str


@cache
def is_storage(sop_class_uid: str) -> bool:
    """Whether instances of this SOP class are filed: registered storage classes, and all that PS3.6 does not know."""
    if sop_class_uid not in UID_dictionary:
        return bool(sop_class_uid)
    name, kind = UID_dictionary[sop_class_uid][:2]
    return kind == "SOP Class" and "Storage" in name and sop_class_uid not in NOT_FILED_IN_A_STUDY


@cache
def negotiate(
    abstract_syntax: str, transfer_syntaxes: tuple[str, ...], *, is_served: bool = False, is_sent: bool = False
) -> Answer:
    """Accept the first proposed transfer syntax that the archive knows.

    ``is_served``: a service has this class; ``is_sent``: its instances only ever go from us to the peer.
    """
    if is_served or abstract_syntax == VERIFICATION:
        known: Container[str] = OF_MESSAGES
    elif is_storage(abstract_syntax):
        known = TRANSFER_SYNTAXES
    else:
        return Answer(Result.ABSTRACT_SYNTAX_NOT_SUPPORTED, _first(transfer_syntaxes))
    first = [uid for uid in UNCOMPRESSED if uid in transfer_syntaxes] if is_sent else []
    for uid in (*first, *transfer_syntaxes):
        if uid in known:
            return Answer(Result.ACCEPTANCE, uid)
    return Answer(Result.TRANSFER_SYNTAXES_NOT_SUPPORTED, _first(transfer_syntaxes))


class Roles(NamedTuple):
    """Which roles the requestor has for a SOP class (PS3.7 D.3.3.4); the acceptor has the other."""

    scu: bool
    scp: bool


DEFAULT_ROLES = Roles(scu=True, scp=False)


def granted(proposed: Roles, *, may_be_scp: bool) -> Roles:
    """The roles that a requestor gets; it may be SCP of instances that it retrieves, and where ``may_be_scp``."""
    return Roles(proposed.scu, proposed.scp and may_be_scp)


def _first(transfer_syntaxes: Sequence[str]) -> str:
    return transfer_syntaxes[0] if transfer_syntaxes else IMPLICIT_LE
