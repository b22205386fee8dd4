"""What a C-FIND answers, of the Query/Retrieve and the worklist service alike (PS3.4 Tables C.4-1 and K.4-1).

Law: one table for the statuses, one total table from the error tree to them. What will pass is "out of resources", so
that a workstation asks again; what the requestor can mend says how in its Error Comment.
"""

from collections.abc import Mapping
from enum import IntEnum

from dicom_scp.statuses import answer_to
from pacs import errors


class FindStatus(IntEnum):
    """Status (0000,0900) of a C-FIND response."""

    SUCCESS = 0x0000
    PENDING = 0xFF00
    PENDING_WITH_WARNING = 0xFF01  # optional keys were not supported for existence or matching
    CANCEL = 0xFE00
    NOT_AUTHORIZED = 0x0124  # PS3.7 C.5.24
    OUT_OF_RESOURCES = 0xA700
    IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS = 0xA900
    UNABLE_TO_PROCESS = 0xC000


FIND_STATUSES: Mapping[type[errors.ArchiveError], FindStatus] = {
    errors.ArchiveError: FindStatus.UNABLE_TO_PROCESS,
    errors.Unreadable: FindStatus.UNABLE_TO_PROCESS,
    errors.Unidentified: FindStatus.IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS,
    errors.OutOfResources: FindStatus.OUT_OF_RESOURCES,
    errors.Unavailable: FindStatus.OUT_OF_RESOURCES,
    errors.NotFound: FindStatus.UNABLE_TO_PROCESS,
    errors.InvalidRequest: FindStatus.UNABLE_TO_PROCESS,
    errors.TooBroad: FindStatus.UNABLE_TO_PROCESS,
    errors.NotAcceptable: FindStatus.UNABLE_TO_PROCESS,
    errors.NotRenderable: FindStatus.UNABLE_TO_PROCESS,
    errors.NotSignedIn: FindStatus.NOT_AUTHORIZED,
    errors.NotAllowed: FindStatus.NOT_AUTHORIZED,
    errors.Damaged: FindStatus.UNABLE_TO_PROCESS,
    errors.Misconfigured: FindStatus.UNABLE_TO_PROCESS,
}


def find_answer_to(error: Exception) -> tuple[FindStatus, str]:
    """Status and Error Comment for ``error``; what is not ours says nothing of itself: it may hold patient data."""
    _, comment = answer_to(error)
    status = FIND_STATUSES[type(error)] if isinstance(error, errors.ArchiveError) else FindStatus.UNABLE_TO_PROCESS
    return status, comment
