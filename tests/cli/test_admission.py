import pytest

from pacs.cli.admission import Registered
from pacs.errors import NotAllowed, NotFound
from storage.index.registry import Modality

REGISTERED = Registered(
    hospitals={"PACS": "default", "EAST": "east"},
    modalities=frozenset({Modality("default", "CT1", "10.0.0.7")}),
)


def test_a_registered_modality_is_admitted_to_its_hospital_only() -> None:
    """AE title and address must both match, for the hospital that the called AE title names."""
    assert REGISTERED.hospital_for("CT1", "PACS", "10.0.0.7", trust_local=False) == "default"
    for calling, called, address in (
        ("CT1", "PACS", "10.0.0.8"),
        ("CT2", "PACS", "10.0.0.7"),
        ("CT1", "EAST", "10.0.0.7"),
    ):
        with pytest.raises(NotAllowed):
            REGISTERED.hospital_for(calling, called, address, trust_local=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_this_machine_is_admitted_when_that_was_asked_for(address: str) -> None:
    """Any AE title from a loopback address may send in the embedded default, and in no other case."""
    assert REGISTERED.hospital_for("ANYONE", "EAST", address, trust_local=True) == "east"
    with pytest.raises(NotAllowed):
        REGISTERED.hospital_for("ANYONE", "EAST", address, trust_local=False)


def test_an_unknown_called_ae_title_is_no_hospital() -> None:
    """A called AE title that no hospital has is told apart from a modality that may not send."""
    with pytest.raises(NotFound, match="WEST"):
        REGISTERED.hospital_for("CT1", "WEST", "127.0.0.1", trust_local=True)
