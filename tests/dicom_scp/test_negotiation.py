import pytest
from pydicom._uid_dict import UID_dictionary
from pynetdicom import sop_class

from dicom_scp.negotiation import NOT_FILED_IN_A_STUDY, VERIFICATION, Answer, Result, is_storage, negotiate
from pacs.transfer_syntaxes import TRANSFER_SYNTAXES

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT_LE, EXPLICIT_LE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
JPEG_2000, JPEG_LOSSLESS = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.70"


@pytest.mark.parametrize(
    "order",
    [(EXPLICIT_LE, IMPLICIT_LE), (IMPLICIT_LE, EXPLICIT_LE), (JPEG_2000, EXPLICIT_LE), (JPEG_LOSSLESS, JPEG_2000)],
)
def test_requestors_order_decides(order: tuple[str, ...]) -> None:
    """What the sender lists first is what its file is, so that nothing is decompressed for us."""
    assert negotiate(CT, order) == Answer(Result.ACCEPTANCE, order[0])


def test_unknown_transfer_syntax_is_passed_over() -> None:
    """The first known one is taken, and none known is a refusal of the context."""
    assert negotiate(CT, ("1.2.999.1", JPEG_2000)) == Answer(Result.ACCEPTANCE, JPEG_2000)
    assert negotiate(CT, ("1.2.999.1",)).result == 4


@pytest.mark.parametrize("uid", sorted(TRANSFER_SYNTAXES))
def test_every_transfer_syntax_of_the_table_is_taken(uid: str) -> None:
    """Whatever a modality compresses with is kept as it is."""
    assert negotiate(CT, (uid,)) == Answer(Result.ACCEPTANCE, uid)


def test_new_transfer_syntaxes_are_in_the_table() -> None:
    """HTJ2K and JPEG XL are taken although dictionaries may lack them."""
    assert {f"1.2.840.10008.1.2.4.{n}" for n in (110, 111, 112, 201, 202, 203)} <= set(TRANSFER_SYNTAXES)


@pytest.mark.parametrize("uid", sorted(sop_class._STORAGE_CLASSES.values()))
def test_every_storage_class_is_taken(uid: str) -> None:
    """The list of pynetdicom is an independent one, newer than pydicom's in places."""
    assert is_storage(uid)


@pytest.mark.parametrize(
    "uid", ["1.2.840.113619.4.26", "1.3.12.2.1107.5.9.1", "1.2.840.10008.5.1.4.1.1.99999", "1.2.3.4"]
)
def test_private_and_future_classes_are_taken(uid: str) -> None:
    """An archive that refuses a class that it does not know loses images."""
    assert negotiate(uid, (EXPLICIT_LE,)).result == Result.ACCEPTANCE


@pytest.mark.parametrize(
    "uid",
    [
        *sop_class._QR_CLASSES.values(),
        *sop_class._BASIC_WORKLIST_CLASSES.values(),
        *sop_class._STORAGE_COMMITMENT_CLASSES.values(),
        *sop_class._PROCEDURE_STEP_CLASSES.values(),
        *sop_class._PRINT_MANAGEMENT_CLASSES.values(),
        *sop_class._UNIFIED_PROCEDURE_STEP_CLASSES.values(),
        *sorted(NOT_FILED_IN_A_STUDY),  # the order of a set differs between the processes of one test run
        EXPLICIT_LE,
        "",
    ],
)
def test_what_is_not_storage_is_refused(uid: str) -> None:
    """Query, worklist, commitment, print and objects without a study are not promised."""
    assert negotiate(uid, (EXPLICIT_LE,)).result == 3


def test_verification_is_taken() -> None:
    """C-ECHO is how an installer sees that the line works."""
    assert negotiate(VERIFICATION, (IMPLICIT_LE,)).result == 0


def test_exceptions_are_registered_storage_classes() -> None:
    """Each exception is still in the dictionary, under a name with Storage; a typing error would go unseen."""
    assert all("Storage" in UID_dictionary[uid][0] for uid in NOT_FILED_IN_A_STUDY)
