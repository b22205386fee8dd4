"""What DIMSE-N services answer to an error."""

from dicom_scp.normalized import NORMALIZED_STATUSES, told
from pacs.errors import ArchiveError, Unavailable


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
