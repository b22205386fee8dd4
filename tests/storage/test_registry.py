import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import psycopg
import pytest

from pacs.errors import InvalidRequest, NotAllowed, NotFound, Unavailable
from pacs.modalities import ALL_RIGHTS, Modality, Right
from storage.index import Index
from storage.index.registry import drop_modality, modalities, put_modality
from storage.registry import Registry

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
