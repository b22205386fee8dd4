from dataclasses import replace
from typing import Any

import pytest

from pacs.errors import InvalidRequest, NotAllowed, NotFound
from pacs.modalities import ALL_RIGHTS, FOLDED, MODALITY_RIGHTS, Admitted, Modality, Right, Roster, checked

CT = Modality(hospital="default", ae_title="CT1", address="10.0.0.7", character_set=FOLDED)
WARD = Modality(
    hospital="default", ae_title="WARD", address="10.1.0.0/16", rights=frozenset({Right.QUERY}), note="any PC"
)
BOSS = replace(WARD, address="10.1.0.9", port=104, rights=ALL_RIGHTS, transfer_syntaxes=("1.2.840.10008.1.2.1",))
ROSTER = Roster({"PACS": "default", "EAST": "east"}, (CT, WARD, BOSS))


def test_a_registered_modality_is_admitted_to_its_hospital_only() -> None:
    """AE title and address must both match, for the hospital that the called AE title names."""
    assert ROSTER.admit("CT1", "PACS", "10.0.0.7") == Admitted("default", MODALITY_RIGHTS, (), FOLDED)
    for calling, called, address in (
        ("CT1", "PACS", "10.0.0.8"),
        ("CT2", "PACS", "10.0.0.7"),
        ("CT1", "EAST", "10.0.0.7"),
        ("CT1", "PACS", "fe80::7"),
    ):
        with pytest.raises(NotAllowed):
            ROSTER.admit(calling, called, address, trust_local=True)


def test_the_closest_address_decides() -> None:
    """One machine of a network may be known by itself, with other rights."""
    assert ROSTER.admit("WARD", "PACS", "10.1.7.1").rights == {Right.QUERY}
    assert ROSTER.admit("WARD", "PACS", "10.1.0.9").rights == ALL_RIGHTS


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_this_machine_is_admitted_when_that_was_asked_for(address: str) -> None:
    """Any AE title from a loopback address may everything in the embedded default, and in no other case."""
    assert ROSTER.admit("ANYONE", "EAST", address, trust_local=True) == Admitted("east")
    with pytest.raises(NotAllowed):
        ROSTER.admit("ANYONE", "EAST", address, trust_local=False)


def test_what_is_registered_of_this_machine_holds() -> None:
    """Trust is for those nobody spoke about; who was registered may what was registered."""
    roster = Roster({"PACS": "default"}, (replace(CT, address="127.0.0.1"),))
    assert roster.admit("CT1", "PACS", "127.0.0.1", trust_local=True).rights == MODALITY_RIGHTS


def test_an_unknown_called_ae_title_is_no_hospital() -> None:
    """A called AE title that no hospital has is told apart from a modality that may not send."""
    with pytest.raises(NotFound, match="WEST"):
        ROSTER.admit("CT1", "WEST", "127.0.0.1", trust_local=True)


def test_a_destination_is_where_it_listens() -> None:
    """A C-MOVE names an AE title only; the registry knows the host, and the title by which the peer knows us."""
    found = ROSTER.destination("default", "WARD")
    assert (found.calling, found.modality) == ("PACS", BOSS)


def test_what_cannot_be_a_destination_says_why() -> None:
    """Unknown, of another hospital, without a port: not found; known but not meant for it: not allowed."""
    for hospital, ae_title in (("default", "NOBODY"), ("east", "WARD"), ("default", "CT1")):
        with pytest.raises(NotFound):
            ROSTER.destination(hospital, ae_title)
    roster = Roster({"PACS": "default"}, (replace(CT, port=104),))
    assert roster.reach("default", "CT1").modality.port == 104
    with pytest.raises(NotAllowed):
        roster.destination("default", "CT1")


def test_a_modality_is_plainly_written() -> None:
    """One address has one spelling, so that a row is found again."""
    assert checked(replace(CT, ae_title=" CT1 ", address="10.0.0.7/32")) == CT
    assert checked(replace(CT, address="10.1.2.3/16")).address == "10.1.0.0/16"


@pytest.mark.parametrize(
    "change",
    [
        {"ae_title": ""},
        {"ae_title": "A" * 17},
        {"ae_title": "CT\\1"},
        {"ae_title": "MÁY"},
        {"address": "nowhere"},
        {"address": "10.1.0.0/16", "port": 104},
        {"port": 65536},
        {"rights": ALL_RIGHTS},
        {"character_set": "UTF-8"},
        {"transfer_syntaxes": ("1.2.3",)},
    ],
)
def test_nonsense_is_refused(change: dict[str, Any]) -> None:
    """What could never work is said when it is entered, not when an examination waits."""
    with pytest.raises(InvalidRequest):
        checked(replace(CT, **change))
