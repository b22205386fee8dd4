"""C-STORE sub-operations counted, and what they come to (PS3.4 C.4.2.1, C.4.3.1; PS3.7 9.1.3, 9.1.4).

Law: pure. One table for the statuses of C-GET and C-MOVE, one total table from the error tree to them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from dicom_scp.statuses import answer_to
from pacs import errors
from pacs.transcode.deflate import deflated
from pacs.transcode.element_writer import ElementWriter
from pacs.transfer_syntaxes import transfer_syntax

FAILED_SOP_INSTANCE_UID_LIST = 0x00080058


class RetrieveStatus(IntEnum):
    """Status (0000,0900) of a C-GET or C-MOVE response (PS3.4 Tables C.4-2 and C.4-3)."""

    SUCCESS = 0x0000
    NOT_AUTHORIZED = 0x0124  # PS3.7 C.5.24
    UNABLE_TO_CALCULATE_NUMBER_OF_MATCHES = 0xA701
    UNABLE_TO_PERFORM_SUB_OPERATIONS = 0xA702
    MOVE_DESTINATION_UNKNOWN = 0xA801
    IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS = 0xA900
    SUB_OPERATIONS_COMPLETE_WITH_FAILURES = 0xB000
    UNABLE_TO_PROCESS = 0xC000
    CANCEL = 0xFE00
    PENDING = 0xFF00


RETRIEVE_STATUSES: Mapping[type[errors.ArchiveError], RetrieveStatus] = {
    errors.ArchiveError: RetrieveStatus.UNABLE_TO_PROCESS,
    errors.Unreadable: RetrieveStatus.UNABLE_TO_PROCESS,
    errors.Unidentified: RetrieveStatus.IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS,
    errors.OutOfResources: RetrieveStatus.UNABLE_TO_CALCULATE_NUMBER_OF_MATCHES,
    errors.Unavailable: RetrieveStatus.UNABLE_TO_CALCULATE_NUMBER_OF_MATCHES,
    errors.NotFound: RetrieveStatus.MOVE_DESTINATION_UNKNOWN,  # instances that are not there are no error
    errors.InvalidRequest: RetrieveStatus.IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS,
    errors.TooBroad: RetrieveStatus.UNABLE_TO_CALCULATE_NUMBER_OF_MATCHES,
    errors.NotAcceptable: RetrieveStatus.UNABLE_TO_PROCESS,
    errors.NotRenderable: RetrieveStatus.UNABLE_TO_PROCESS,
    errors.NotSignedIn: RetrieveStatus.NOT_AUTHORIZED,
    errors.NotAllowed: RetrieveStatus.NOT_AUTHORIZED,
    errors.Damaged: RetrieveStatus.UNABLE_TO_PROCESS,
    errors.Misconfigured: RetrieveStatus.UNABLE_TO_PROCESS,
}


def retrieve_answer_to(error: Exception) -> tuple[RetrieveStatus, str]:
    """Status and Error Comment for ``error``; what is not ours says nothing of itself: it may hold patient data."""
    _, comment = answer_to(error)
    if isinstance(error, errors.ArchiveError):
        return RETRIEVE_STATUSES[type(error)], comment
    return RetrieveStatus.UNABLE_TO_PROCESS, comment


def _is_warning(status: int) -> bool:
    """Whether a C-STORE was done, with a remark (PS3.7 C.4)."""
    return status in {0x0001, 0x0107, 0x0116} or 0xB000 <= status <= 0xBFFF


@dataclass(slots=True)
class SubOperations:
    """The tally of one request."""

    remaining: int
    completed: int = 0
    warning: int = 0
    failed: list[str] = field(default_factory=list)  # SOP Instance UIDs

    def count(self, sop_instance_uid: str, status: int | None) -> None:
        """One more has ended; ``status`` None: it was never answered."""
        self.remaining -= 1
        if status == 0:
            self.completed += 1
        elif status is not None and _is_warning(status):
            self.warning += 1
        else:
            self.failed.append(sop_instance_uid)

    @property
    def result(self) -> RetrieveStatus:
        """The final status, when nothing remains."""
        if not self.failed and not self.warning:
            return RetrieveStatus.SUCCESS
        if not self.completed and not self.warning:
            return RetrieveStatus.UNABLE_TO_PERFORM_SUB_OPERATIONS
        return RetrieveStatus.SUB_OPERATIONS_COMPLETE_WITH_FAILURES

    def numbers(self, status: RetrieveStatus) -> tuple[int | None, ...]:
        """Remaining, completed, failed, warning; nothing may be said to remain in a final response."""
        is_open = status in {RetrieveStatus.PENDING, RetrieveStatus.CANCEL}
        return (self.remaining if is_open else None, self.completed, len(self.failed), self.warning)

    def identifier(self, status: RetrieveStatus, transfer_syntax_uid: str) -> bytes:
        """The encoded Identifier of a response: which ones failed, if it is one that says so."""
        if status in {RetrieveStatus.SUCCESS, RetrieveStatus.PENDING}:
            return b""
        syntax = transfer_syntax(transfer_syntax_uid)
        writer = ElementWriter(explicit=syntax.explicit_vr, little_endian=syntax.little_endian)
        encoded = writer.element(FAILED_SOP_INSTANCE_UID_LIST, "UI", "\\".join(self.failed).encode("ascii"))
        return deflated(encoded) if syntax.deflated else encoded
