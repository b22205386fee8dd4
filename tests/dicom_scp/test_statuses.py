from collections.abc import Iterator

import pytest

from dicom_scp.statuses import ERROR_COMMENT_LENGTH, STATUSES, Status, answer_to
from pacs import errors


def tree(root: type[errors.ArchiveError]) -> Iterator[type[errors.ArchiveError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def test_statuses_are_those_of_the_standard() -> None:
    """The table restates PS3.4 Table B.2-1 and PS3.7 Annex C."""
    assert {status.name: hex(status) for status in Status} == {
        "SUCCESS": "0x0",
        "PROCESSING_FAILURE": "0x110",
        "SOP_CLASS_NOT_SUPPORTED": "0x122",
        "NOT_AUTHORIZED": "0x124",
        "OUT_OF_RESOURCES": "0xa700",
        "DATA_SET_DOES_NOT_MATCH_SOP_CLASS": "0xa900",
        "CANNOT_UNDERSTAND": "0xc000",
    }


def test_every_error_of_the_tree_has_a_status_and_never_success() -> None:
    """A new error class without a row here would be answered by accident."""
    core = {error for error in tree(errors.ArchiveError) if error.__module__ == errors.__name__}  # not of other doors
    assert core == set(STATUSES)
    assert Status.SUCCESS not in STATUSES.values()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.OutOfResources(), 0xA700),
        (errors.Unavailable(), 0xA700),
        (errors.Unidentified(), 0xA900),
        (errors.Unreadable(), 0xC000),
        (errors.NotAllowed(), 0x0124),
    ],
)
def test_errors_a_modality_can_act_on(error: errors.ArchiveError, status: int) -> None:
    """What will pass is refused for now, what cannot be filed is an error."""
    assert answer_to(error)[0] == status


def test_comment_is_short_ascii() -> None:
    """Error Comment is LO in the default repertoire: 64 characters at most."""
    _, comment = answer_to(errors.Unreadable("đ" * 100))
    assert len(comment) == ERROR_COMMENT_LENGTH == 64
    assert comment.isascii()
    assert answer_to(errors.Unidentified("StudyInstanceUID is missing"))[1] == "StudyInstanceUID is missing"


def test_foreign_error_says_nothing_of_itself() -> None:
    """The text of an exception that is not ours may hold a patient's name."""
    status, comment = answer_to(ValueError("NGUYEN VAN A"))
    assert status == Status.PROCESSING_FAILURE
    assert "NGUYEN" not in comment
