import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import psycopg
import pytest

from pacs.errors import InvalidRequest, NotAllowed, NotFound, Unavailable
from pacs.modalities import ALL_RIGHTS, MODALITY_RIGHTS, Modality, Right
from storage.index import Index
from storage.index.registry import drop_modality, modalities, put_modality
from storage.index.strangers import OF_ADDRESS, OF_ALL, Noted, admit_seen, note, seen
from storage.registry import Registry, Strangers

CT = Modality(hospital="default", ae_title="CT1", address="10.0.0.7")
VIEWER = Modality(
    hospital="default",
    ae_title="VIEWER",
    address="2001:db8::/64",
    rights=frozenset({Right.QUERY, Right.RETRIEVE}),
    transfer_syntaxes=("1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.1"),
    character_set="GB18030",
    note="phòng đọc",
)
PEER = replace(CT, ae_title="PEER", port=104, tls=True, rights=ALL_RIGHTS)


@pytest.fixture
def index(database: str) -> Iterator[Index]:
    with Index(database) as opened:
        yield opened


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_was_registered_is_read_back(index: Index) -> None:
    """Every field comes back, and registering again changes the one row."""
    for one in (CT, VIEWER, PEER):
        put_modality(index, one)
    assert modalities(index) == [CT, PEER, VIEWER]
    put_modality(index, replace(CT, port=11112, note="moved"))
    assert replace(CT, port=11112, note="moved") in modalities(index)
    assert len(modalities(index)) == 3


def test_a_title_that_we_call_is_at_one_place(index: Index) -> None:
    """A C-MOVE names nothing but an AE title: two hosts with it would be a toss of a coin."""
    put_modality(index, PEER)
    put_modality(index, replace(PEER, address="10.0.0.8", port=0, rights=frozenset()))
    with pytest.raises(InvalidRequest, match="another address"):
        put_modality(index, replace(PEER, address="10.0.0.9"))


def test_an_unknown_hospital_is_not_found(index: Index) -> None:
    """A typing mistake in the hospital's name does not make one."""
    with pytest.raises(NotFound, match="west"):
        put_modality(index, replace(CT, hospital="west"))


def test_forgetting_one_address_leaves_the_others(index: Index) -> None:
    """A modality is forgotten at one address or at all."""
    for address in ("10.0.0.7", "10.0.0.8", "10.0.0.9"):
        put_modality(index, replace(CT, address=address))
    assert drop_modality(index, "default", "CT1", "10.0.0.8")
    assert [one.address for one in modalities(index)] == ["10.0.0.7", "10.0.0.9"]
    assert drop_modality(index, "default", "CT1", "")
    assert modalities(index) == []
    assert not drop_modality(index, "default", "CT1", "nowhere")


def test_a_change_is_seen_without_restart(index: Index) -> None:
    """Who is registered now may call a moment later, and who is forgotten may not."""

    def may() -> bool:
        try:
            return registry.admit("CT1", "PACS", "10.0.0.7").hospital == "default"
        except NotAllowed:
            return False

    with Registry(index, fresh=0.05) as registry:
        assert not may()
        put_modality(index, CT)
        until(may)
        drop_modality(index, "default", "CT1", "")
        until(lambda: not may())


def test_the_last_known_holds_while_the_database_is_down(database: str) -> None:
    """Receiving goes on during a restart of the database, and asking takes no time; never read is unavailable."""
    with Index(database) as index, Registry(index, fresh=0.05) as registry:
        put_modality(index, PEER)
        assert registry.destination("default", "PEER").modality == PEER
        name = urlsplit(database).path.strip("/")
        admin = urlsplit(database)._replace(path="/postgres").geturl()
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            time.sleep(0.2)
            began = time.monotonic()
            assert registry.admit("PEER", "PACS", "10.0.0.7").rights == ALL_RIGHTS
            assert time.monotonic() - began < 0.1
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def test_a_registry_that_was_never_read_is_unavailable() -> None:
    """Without any answer from the database nobody is admitted, and nobody told that it is unknown."""
    with Index("postgresql://127.0.0.1:1/none") as index, Registry(index) as registry, pytest.raises(Unavailable):
        registry.admit("CT1", "PACS", "10.0.0.7")


def test_who_is_turned_away_is_seen_and_admitted(index: Index) -> None:
    """An unknown caller is noted with how often it came; one click, and it may what a modality needs."""
    with Registry(index, fresh=0.05) as registry:
        for _ in range(3):
            with pytest.raises(NotAllowed):
                registry.admit("CT1", "PACS", "10.0.0.7")
        until(lambda: sum(one.times for one in seen(index, "default")) == 3)
        [stranger] = seen(index, "default")
        assert (stranger.calling, stranger.called, stranger.address) == ("CT1", "PACS", "10.0.0.7")
        assert stranger.hospital == "default"
        assert stranger.first_seen <= stranger.last_seen
        assert admit_seen(index, "default", stranger.stranger) == ("CT1", "10.0.0.7")
        assert seen(index) == []
        until(lambda: CT in registry.now().modalities)
        assert registry.admit("CT1", "PACS", "10.0.0.7").rights == MODALITY_RIGHTS


def test_a_wrong_called_title_is_seen_but_not_admitted(index: Index) -> None:
    """Whoever calls a hospital that is none has to call another title; admitting it would not help."""
    with Registry(index, fresh=0.05) as registry:
        with pytest.raises(NotFound):
            registry.admit("CT1\0\n", "PACKS", "10.0.0.7")
        until(lambda: bool(seen(index)))
        [stranger] = seen(index, "default")
        assert (stranger.calling, stranger.called, stranger.hospital) == ("CT1??", "PACKS", None)
        with pytest.raises(NotFound):
            admit_seen(index, "default", stranger.stranger)
        assert modalities(index) == []


def test_admitting_does_not_change_who_is_registered(index: Index) -> None:
    """A stranger that was registered meanwhile keeps what was registered."""
    note(index, [Noted("CT1", "PACS", "10.0.0.7", 0, 1)])
    known = replace(CT, rights=frozenset({Right.QUERY}))
    put_modality(index, known)
    [stranger] = seen(index)
    admit_seen(index, "default", stranger.stranger)
    assert modalities(index) == [known]


def test_a_flood_of_strangers_drives_nobody_out(index: Index) -> None:
    """One address fills its own share of the table only; and the table is bounded."""
    note(index, [Noted("CT1", "PACS", "10.0.0.7", 5, 1)])
    flood = Strangers()
    for number in range(1000):
        flood.note(f"X{number}", "PACS", "10.0.0.66")
    flood.write(index)
    found = seen(index)
    assert len(found) == OF_ADDRESS + 1
    assert "CT1" in {one.calling for one in found}
    note(index, [Noted("CT", "PACS", f"10.1.{n // 250}.{n % 250}", 0, 1) for n in range(OF_ALL + 50)])
    assert len(seen(index)) == OF_ALL
