"""What DIMSE-N services answer to an error."""

import re
from pathlib import Path

from dicom_scp.normalized import NORMALIZED_STATUSES, NormalizedStatus, told
from pacs.errors import ArchiveError, Unavailable
from storage.commitments import FailureReason

STATEMENT = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"


def test_every_error_of_the_archive_has_a_status() -> None:
    """The table is total over the core's error tree; what passes says so."""
    tree = [ArchiveError]
    for one in tree:
        tree += [other for other in one.__subclasses__() if other.__module__ == "pacs.errors"]
    assert set(tree) == set(NORMALIZED_STATUSES)
    assert NORMALIZED_STATUSES[Unavailable] == 0x0213


def test_a_uid_that_is_none_is_given_back_as_it_came() -> None:
    """A requestor that sends a UID with letters is answered with it, without a warning."""
    assert told(ReferencedSOPInstanceUID="1.2.x").ReferencedSOPInstanceUID == "1.2.x"


def codes(heading: str) -> set[int]:
    """Codes in the tables of one section of the conformance statement."""
    section = STATEMENT.read_text(encoding="utf-8").split(f" {heading}\n")[1].split("\n### ")[0]
    return {int(code, 16) for code in re.findall(r"\| (0x[0-9A-F]{4}) \|", section)}


def test_the_conformance_statement_lists_every_status_and_reason() -> None:
    """What commitment and performed steps may answer, and every Failure Reason, stands in the statement, no more."""
    reasons = {int(reason) for reason in FailureReason}
    commitment, performed = codes("Storage Commitment"), codes("Modality Performed Procedure Step")
    unused = {NormalizedStatus.NOT_AUTHORIZED}  # without the right there is no presentation context
    assert reasons <= commitment
    assert (commitment - reasons) | performed == {int(status) for status in NormalizedStatus} - unused
