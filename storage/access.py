"""Keys to the door: one-time links, sessions of browsers, bearer tokens of programs.

Law: a token is 256 random bits, shown once; only its SHA-256 is kept, so that a copy of the database opens no door.
Every token belongs to one hospital, ends by itself, and can be revoked; a link works once.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from pacs.errors import InvalidRequest, NotSignedIn
from storage.index import Index
from storage.index.tokens import add_token, find_token, revoke_subject, revoke_token, use_link

SESSION_LIFETIME = timedelta(hours=12)
KINDS = ("link", "session", "bearer")


@dataclass(frozen=True, slots=True)
class Session:
    """Who asks, in which hospital, and whether instances may be deleted."""

    hospital: str
    subject: str
    may_delete: bool = False


class Access:
    """Issues tokens and tells whom a token stands for."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def issue(self, kind: str, hospital: str, subject: str, lifetime: timedelta, *, may_delete: bool = False) -> str:
        """A new token of a kind of ``KINDS``; raises InvalidRequest for another kind, NotFound for the hospital.

        Only a bearer token may delete: whoever signs in by a link looks at images.
        """
        if may_delete and kind != "bearer":
            raise InvalidRequest("only a bearer token may delete")
        if kind not in KINDS:
            raise InvalidRequest(f"a token is one of {', '.join(KINDS)}")
        token = secrets.token_urlsafe(32)
        add_token(
            self._index,
            _digest(token),
            kind=kind,
            hospital=hospital,
            subject=subject,
            lifetime=lifetime,
            may_delete=may_delete,
        )
        return token

    def redeem(self, link: str) -> str:
        """Turn a one-time link into a session token; raises NotSignedIn for one that is unknown, used or too old."""
        session = _session(use_link(self._index, _digest(link)), link)
        if session is None:
            raise NotSignedIn("the link was used already or is too old")
        return self.issue("session", session.hospital, session.subject, SESSION_LIFETIME)

    def check(self, token: str) -> Session | None:
        """Whom a session or bearer token stands for; None when it is no good."""
        return _session(find_token(self._index, _digest(token)), token)

    def revoke(self, token: str) -> None:
        """End one token, as a sign-out does; repeating it is harmless."""
        revoke_token(self._index, _digest(token))

    def revoke_all(self, hospital: str, subject: str) -> None:
        """End every token of one subject in a hospital."""
        revoke_subject(self._index, hospital, subject)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _session(row: tuple[bytes, str, str, bool] | None, token: str) -> Session | None:
    """The session of a found row; compares in constant time what the index looked up in its own way."""
    if row is None or not hmac.compare_digest(row[0], _digest(token)):
        return None
    return Session(*row[1:])
