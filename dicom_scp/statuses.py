"""What a C-STORE answers, and how an error becomes an answer.

Law: one table for the statuses (PS3.4 Table B.2-1, PS3.7 Annex C), one total table from the error tree to them. A
failure that will pass (no room, a part of the archive down) is always "refused: out of resources", the one status
that modalities put back into their queue instead of showing it to a person as a broken image.
"""

from enum import IntEnum

from pacs import errors

ERROR_COMMENT_LENGTH = 64  # (0000,0902) Error Comment is LO: at most 64 characters (PS3.5 Table 6.2-1)


class Status(IntEnum):
    """Status (0000,0900) of a C-STORE response."""

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110  # PS3.7 C.5.22
    SOP_CLASS_NOT_SUPPORTED = 0x0122  # PS3.7 C.5.6
    NOT_AUTHORIZED = 0x0124  # PS3.7 C.5.24
    OUT_OF_RESOURCES = 0xA700  # PS3.4 Table B.2-1: Refused
    DATA_SET_DOES_NOT_MATCH_SOP_CLASS = 0xA900  # PS3.4 Table B.2-1: Error
    CANNOT_UNDERSTAND = 0xC000  # PS3.4 Table B.2-1: Error


STATUSES: dict[type[errors.ArchiveError], Status] = {
    errors.ArchiveError: Status.PROCESSING_FAILURE,
    errors.Unreadable: Status.CANNOT_UNDERSTAND,
    errors.Unidentified: Status.DATA_SET_DOES_NOT_MATCH_SOP_CLASS,
    errors.OutOfResources: Status.OUT_OF_RESOURCES,
    errors.Unavailable: Status.OUT_OF_RESOURCES,
    errors.NotFound: Status.PROCESSING_FAILURE,
    errors.InvalidRequest: Status.PROCESSING_FAILURE,
    errors.TooBroad: Status.PROCESSING_FAILURE,
    errors.NotAcceptable: Status.PROCESSING_FAILURE,
    errors.NotRenderable: Status.PROCESSING_FAILURE,
    errors.NotSignedIn: Status.NOT_AUTHORIZED,
    errors.NotAllowed: Status.NOT_AUTHORIZED,
    errors.Damaged: Status.PROCESSING_FAILURE,
    errors.Misconfigured: Status.PROCESSING_FAILURE,
}


def answer_to(error: Exception) -> tuple[Status, str]:
    """Status and Error Comment for ``error``; what is not ours says nothing of itself: it may hold patient data."""
    if isinstance(error, errors.ArchiveError):
        comment = error.detail or str(error)
        return STATUSES[type(error)], comment.encode("ascii", "replace").decode()[:ERROR_COMMENT_LENGTH]
    return Status.PROCESSING_FAILURE, "The archive failed; its log says why."
