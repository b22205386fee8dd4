from collections.abc import Iterator

import pytest

from dicom_scp.find_statuses import FIND_STATUSES, FindStatus, find_answer_to
from pacs import errors


def tree(root: type[errors.ArchiveError]) -> Iterator[type[errors.ArchiveError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child)


def test_statuses_are_those_of_the_standard() -> None:
    """The table restates PS3.4 Tables C.4-1 and K.4-1."""
    assert {status.name: hex(status) for status in FindStatus} == {
        "SUCCESS": "0x0",
        "PENDING": "0xff00",
        "PENDING_WITH_WARNING": "0xff01",
        "CANCEL": "0xfe00",
        "NOT_AUTHORIZED": "0x124",
        "OUT_OF_RESOURCES": "0xa700",
        "IDENTIFIER_DOES_NOT_MATCH_SOP_CLASS": "0xa900",
        "UNABLE_TO_PROCESS": "0xc000",
    }


def test_every_error_of_the_tree_is_a_failure() -> None:
    """A new error class without a row here would be answered by accident."""
    assert set(tree(errors.ArchiveError)) == set(FIND_STATUSES)
    assert not {FindStatus.SUCCESS, FindStatus.PENDING, FindStatus.CANCEL} & set(FIND_STATUSES.values())


@pytest.mark.parametrize(
    ("error", "status"),
    [(errors.Unavailable("x"), 0xA700), (errors.Unidentified("x"), 0xA900), (ValueError("NGUYEN VAN A"), 0xC000)],
)
def test_comment_says_what_is_ours_alone(error: Exception, status: int) -> None:
    """What will pass is asked again; the text of a foreign error may hold a patient's name."""
    answered, comment = find_answer_to(error)
    assert answered == status
    assert "NGUYEN" not in comment
