"""Rows of deliveries whose destination is asked for Storage Commitment (PS3.4 Annex J, as SCU).

Law: the Transaction UID is on record before anything is asked. A result counts for the request it names, and only for
the destination that was asked; what it does not keep is queued again with its errand, in one transaction.
"""

from collections.abc import Mapping, Sequence

from pacs.errors import NotFound
from pacs.forwarding import Sends
from storage.index.connections import Index
from storage.index.errands import DAYS, REFUSALS, send_off
from storage.index.statements import STATEMENTS

CONFIRM = "confirm"  # the errand
AGAIN = 6 * 3600.0  # seconds without a result, until the same is asked anew
AFTER_FAILURE = 300.0  # seconds until what is not kept is delivered again

Referenced = tuple[str, str]  # SOP Class UID, SOP Instance UID


def uncommitted_destinations(index: Index, hospital: str) -> list[str]:
    """Destinations that are to be asked now."""
    with index.transaction(hospital) as connection:
        rows = connection.execute(STATEMENTS["uncommitted_destinations"], {"again": AGAIN}).fetchall()
    return [title for (title,) in rows]


def uncommitted(index: Index, hospital: str, destination: str, *, limit: int) -> list[Referenced]:
    """What a destination is to be asked for now, oldest first."""
    values = {"destination": destination, "again": AGAIN, "limit": limit}
    with index.transaction(hospital) as connection:
        return connection.execute(STATEMENTS["uncommitted_deliveries"], values).fetchall()


def begin(index: Index, hospital: str, destination: str, transaction_uid: str, uids: Sequence[str]) -> None:
    """These instances will be asked for under this Transaction UID, and under no earlier one any more."""
    values = {"destination": destination, "transaction_uid": transaction_uid, "uids": list(uids)}
    with index.transaction(hospital) as connection:
        connection.execute(STATEMENTS["commitment_begins"], values)


def asked(index: Index, hospital: str, destination: str, transaction_uid: str) -> None:
    """The destination has taken the request."""
    values = {"destination": destination, "transaction_uid": transaction_uid}
    with index.transaction(hospital) as connection:
        connection.execute(STATEMENTS["commitment_asked"], values)


def awaited(index: Index, hospital: str, destination: str, transaction_uid: str) -> int:
    """How many instances of a request are without a result."""
    values = {"destination": destination, "transaction_uid": transaction_uid}
    with index.transaction(hospital) as connection:
        return int(connection.execute(STATEMENTS["commitment_awaited"], values).fetchall()[0][0])


def settle(
    index: Index,
    hospital: str,
    destination: str,
    transaction_uid: str,
    *,
    safe: Sequence[str],
    failed: Mapping[str, int],
) -> None:
    """The destination keeps ``safe``, and not ``failed``, with Failure Reasons; raises NotFound for a foreign UID."""
    request = {"destination": destination, "transaction_uid": transaction_uid}
    with index.transaction(hospital) as connection:
        if connection.execute(STATEMENTS["commitment_known"], request).fetchone() is None:
            raise NotFound(f"transaction {transaction_uid}")
        connection.execute(STATEMENTS["delivery_committed"], {**request, "uids": list(safe)})
        for uid, reason in failed.items():
            values = {"sop_instance_uid": uid, "reason": f"not committed: {reason:04X}", "patience": REFUSALS}
            connection.execute(STATEMENTS["delivery_not_committed"], {**request, **values})
        if failed:
            send_off(connection, hospital, Sends.INSTANCES, destination, delay=AFTER_FAILURE)


def give_up(index: Index, hospital: str, destination: str) -> None:
    """Wait no more for what the destination has said nothing of for too many days."""
    with index.transaction(hospital) as connection:
        connection.execute(STATEMENTS["commitments_not_given"], {"destination": destination, "days": DAYS})
