import pytest

from dicom_scp.admission import Rejection, numeric_address, rejection_for
from pacs.errors import NotAllowed, NotFound, Unavailable


def test_unknown_called_title_is_reason_7() -> None:
    """PS3.8 Table 9-21: rejected permanent, service user, called AE title not recognized."""
    assert rejection_for(NotFound()) == Rejection(1, 1, 7)


def test_unknown_calling_title_is_reason_3() -> None:
    """PS3.8 Table 9-21: rejected permanent, service user, calling AE title not recognized."""
    assert rejection_for(NotAllowed()) == Rejection(1, 1, 3)


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
