"""Which presentation contexts are accepted, and with which transfer syntax (PS3.8 9.3.3.2, PS3.7 D.3.2).

Law: pure; the requestor's order decides. A sender lists first what its files already are, so that taking the
acceptor's favourite instead would make it decompress for us. Every storage SOP class is taken, private and future ones
too: an archive that refuses an unknown class loses images. What the standard knows as something else is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

from pydicom._uid_dict import UID_dictionary

from pacs.transfer_syntaxes import IMPLICIT_LE, TRANSFER_SYNTAXES

VERIFICATION = "1.2.840.10008.1.1"

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
def negotiate(abstract_syntax: str, transfer_syntaxes: tuple[str, ...]) -> Answer:
    """Accept the first proposed transfer syntax that the archive knows."""
    if abstract_syntax != VERIFICATION and not is_storage(abstract_syntax):
        return Answer(Result.ABSTRACT_SYNTAX_NOT_SUPPORTED, _first(transfer_syntaxes))
    for uid in transfer_syntaxes:
        if uid in TRANSFER_SYNTAXES:
            return Answer(Result.ACCEPTANCE, uid)
    return Answer(Result.TRANSFER_SYNTAXES_NOT_SUPPORTED, _first(transfer_syntaxes))


def _first(transfer_syntaxes: Sequence[str]) -> str:
    return transfer_syntaxes[0] if transfer_syntaxes else IMPLICIT_LE
