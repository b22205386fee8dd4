"""Rows of callers that were turned away, so that an administrator sees and admits them.

Law: bounded, whatever calls: the latest of each address and in all are kept. Who called a hospital is its matter; whose
called AE title is nobody's can be seen, but not admitted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pacs.errors import NotFound
from pacs.modalities import MODALITY_RIGHTS, Right
from storage.index.connections import Index
from storage.index.statements import STATEMENTS

OF_ADDRESS, OF_ALL = 20, 500  # strangers remembered


@dataclass(frozen=True, slots=True)
class Noted:
    """A caller that was turned away ``times`` since ``age`` seconds."""

    calling: str
    called: str
    address: str
    age: float
    times: int


@dataclass(frozen=True, slots=True)
class Stranger:
    """A caller that was turned away; ``hospital`` is the one it called, None when its called AE title is nobody's."""

    stranger: int
    calling: str
    called: str
    address: str
    first_seen: datetime
    last_seen: datetime
    times: int
    hospital: str | None


def note(index: Index, noted: Sequence[Noted]) -> None:
    """Count callers, each at most once among ``noted``."""
    values = {
        "calling": [one.calling for one in noted],
        "called": [one.called for one in noted],
        "addresses": [one.address for one in noted],
        "ages": [one.age for one in noted],
        "times": [one.times for one in noted],
    }
    with index.registry() as connection:
        connection.execute(STATEMENTS["note_strangers"], values)
        connection.execute(STATEMENTS["forget_strangers"], {"of_address": OF_ADDRESS, "of_all": OF_ALL})


def seen(index: Index, hospital: str | None = None) -> list[Stranger]:
    """The callers that were turned away, latest first: all, or those who called one hospital or nobody's title."""
    with index.registry() as connection:
        found = [Stranger(*row) for row in connection.execute(STATEMENTS["strangers"]).fetchall()]
    return [one for one in found if hospital is None or one.hospital in {hospital, None}]


def admit_seen(
    index: Index, hospital: str, stranger: int, rights: frozenset[Right] = MODALITY_RIGHTS
) -> tuple[str, str]:
    """Register a caller of ``hospital``; its AE title and address. Raises NotFound for a caller of somebody else's.

    Once it is admitted, or was registered meanwhile, it is no stranger any more.
    """
    values = {"stranger": stranger, "hospital": hospital, "rights": sorted(rights)}
    with index.registry() as connection:
        connection.execute(STATEMENTS["admit_stranger"], values)
        dropped = connection.execute(STATEMENTS["drop_stranger"], values).fetchone()
    if dropped is None:
        raise NotFound(f"caller {stranger}")
    return dropped[0], dropped[1]
