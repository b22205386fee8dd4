"""The audit of a hospital: who did what, when, from where, and what came of it.

Law: append-only. An act that changes rows is recorded in its own transaction (`storage.index.auditing.add_event`);
`record` is for acts that touch no rows, and when it fails the act must not be answered as done.
"""

from storage.index import Index
from storage.index.auditing import Event, add_event, events

__all__ = ["Event", "events", "record"]


def record(index: Index, hospital: str, *acts: Event) -> None:
    """Record acts of a hospital in one transaction; raises Unavailable, and then none is recorded."""
    with index.transaction(hospital) as connection:
        for act in acts:
            add_event(connection, act)
