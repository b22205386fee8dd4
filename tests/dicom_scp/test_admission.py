import pytest

from dicom_scp.admission import LoopbackAdmission, Rejection, numeric_address, rejection_for
from pacs.errors import NotAllowed, NotFound, Unavailable

ADMIT = LoopbackAdmission({"PACS": "default", "TINH2 ": "tinh2"})


def test_called_title_names_the_hospital() -> None:
    """Titles compare without their padding."""
    assert ADMIT("CT1", "PACS", "127.0.0.1") == "default"
    assert ADMIT("CT1", "TINH2", "::1") == "tinh2"


def test_unknown_called_title_is_reason_7() -> None:
    """PS3.8 Table 9-21: rejected permanent, service user, called AE title not recognized."""
    with pytest.raises(NotFound) as error:
        ADMIT("CT1", "OTHER", "127.0.0.1")
    assert rejection_for(error.value) == Rejection(1, 1, 7)


def test_other_machine_is_reason_3() -> None:
    """The embedded default trusts this machine alone: calling AE title not recognized."""
    with pytest.raises(NotAllowed) as error:
        ADMIT("CT1", "PACS", "192.0.2.7")
    assert rejection_for(error.value) == Rejection(1, 1, 3)


@pytest.mark.parametrize("error", [Unavailable(), ValueError()])
def test_trouble_of_ours_is_transient(error: Exception) -> None:
    """A modality must come back when the registry does not answer."""
    assert rejection_for(error) == Rejection(2, 3, 1)


@pytest.mark.parametrize(
    ("address", "numeric"),
    [("::ffff:10.1.2.3", "10.1.2.3"), ("10.1.2.3", "10.1.2.3"), ("fe80::1%eth0", "fe80::1"), ("0:0::1", "::1")],
)
def test_one_spelling_for_each_address(address: str, numeric: str) -> None:
    """A listener for IPv6 and IPv4 dresses IPv4 peers in IPv6; the registry knows them undressed."""
    assert numeric_address(address) == numeric
