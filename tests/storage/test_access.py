from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest

from pacs.errors import InvalidRequest, NotFound, NotSignedIn
from storage.access import Access, Session
from storage.index import Index

HOUR = timedelta(hours=1)


@pytest.fixture
def access(database: str) -> Iterator[Access]:
    with Index(database) as index:
        yield Access(index)


def test_a_bearer_token_stands_for_its_subject_until_it_is_revoked(access: Access) -> None:
    """A bearer token names hospital and subject; after revoking it, it is worth nothing."""
    token = access.issue("bearer", "default", "script", HOUR)
    assert access.check(token) == Session("default", "script")
    access.revoke(token)
    assert access.check(token) is None


def test_a_link_signs_in_once(access: Access) -> None:
    """A link is no session itself, gives one session, and fails the second time."""
    link = access.issue("link", "default", "operator", HOUR)
    assert access.check(link) is None
    session = access.redeem(link)
    assert access.check(session) == Session("default", "operator")
    with pytest.raises(NotSignedIn):
        access.redeem(link)


def test_of_many_requests_with_one_link_one_wins(access: Access) -> None:
    """Eight requests that bring the same link at once get one session between them."""
    link = access.issue("link", "default", "operator", HOUR)

    def redeem(_: int) -> bool:
        try:
            access.redeem(link)
        except NotSignedIn:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(redeem, range(8))) == 1


@pytest.mark.parametrize("kind", ["link", "session", "bearer"])
def test_a_token_ends_by_itself(access: Access, kind: str) -> None:
    """After its lifetime a token of any kind opens nothing."""
    token = access.issue(kind, "default", "operator", timedelta(seconds=-1))
    assert access.check(token) is None
    with pytest.raises(NotSignedIn):
        access.redeem(token)


def test_a_session_or_bearer_token_is_no_link(access: Access) -> None:
    """Only links can be redeemed, or a stolen bearer token would breed sessions that outlive it."""
    for kind in ("session", "bearer"):
        with pytest.raises(NotSignedIn):
            access.redeem(access.issue(kind, "default", "operator", HOUR))


def test_every_token_of_a_subject_ends_together(access: Access) -> None:
    """Revoking a subject ends all of its tokens and nobody else's."""
    mine = [access.issue("session", "default", "lan", HOUR) for _ in range(2)]
    other = access.issue("session", "default", "minh", HOUR)
    access.revoke_all("default", "lan")
    assert [access.check(token) for token in mine] == [None, None]
    assert access.check(other) == Session("default", "minh")


def test_the_database_does_not_hold_tokens(access: Access, database: str) -> None:
    """Whoever copies the table cannot sign in with what stands there."""
    token = access.issue("bearer", "default", "script", HOUR)
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT access_token::text, digest FROM registry.access_token").fetchall()
    assert len(rows) == 1
    assert token not in rows[0][0]
    assert access.check(rows[0][1].hex()) is None


def test_nonsense_is_refused(access: Access) -> None:
    """Unknown kinds, hospitals and tokens are refused in the archive's words."""
    with pytest.raises(InvalidRequest):
        access.issue("forever", "default", "x", HOUR)
    with pytest.raises(NotFound):
        access.issue("bearer", "elsewhere", "x", HOUR)
    for token in ("", "x", "\0", "\ud800", "'; DROP TABLE"):
        assert access.check(token) is None


def test_only_a_bearer_token_that_was_issued_so_may_delete(access: Access) -> None:
    """The right is in the token; a link or session cannot carry it, and no token has it by default."""
    assert access.check(access.issue("bearer", "default", "script", HOUR)) == Session("default", "script")
    token = access.issue("bearer", "default", "script", HOUR, may_delete=True)
    assert access.check(token) == Session("default", "script", may_delete=True)
    for kind in ("link", "session"):
        with pytest.raises(InvalidRequest):
            access.issue(kind, "default", "operator", HOUR, may_delete=True)
