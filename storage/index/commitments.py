"""Rows of Storage Commitment: what was asked for, what was found out, what was reported (PS3.4 Annex J).

Law: a request and its job are one transaction. Nothing here says what is safe; `storage.commitments` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from storage.index import jobs
from storage.index.connections import Index
from storage.index.errands import DAYS, send_off
from storage.index.statements import STATEMENTS

TASK = "commitment"
REPORT = "report"  # the errand
DUPLICATE_TRANSACTION_UID = 0x0131  # PS3.3 C.14.1.1

Referenced = tuple[str, str]  # SOP Class UID, SOP Instance UID


@dataclass(frozen=True, slots=True)
class Request:
    """A Storage Commitment Request as it stands."""

    calling_ae_title: str
    transaction_uid: str
    age: float  # seconds
    decided: bool


@dataclass(frozen=True, slots=True)
class Result:
    """A decided request: instances with their Failure Reason, 0 for those that are safe."""

    transaction_uid: str
    instances: tuple[tuple[str, str, int], ...]


def add_request(
    index: Index,
    hospital: str,
    *,
    calling_ae_title: str,
    transaction_uid: str,
    referenced: Sequence[Referenced],
    hold: float,
) -> int:
    """Take a request; its key. The same request again is decided and reported anew.

    Other instances under a Transaction UID that is in use all fail with Duplicate Transaction UID.
    """
    values = {"calling_ae_title": calling_ae_title, "transaction_uid": transaction_uid, "hold": hold}
    with index.transaction(hospital) as connection:
        earlier = connection.execute(STATEMENTS["commitments_of_transaction"], values).fetchall()
        wanted = sorted(uid for _, uid in referenced)
        same = [key for key, uids in earlier if uids == wanted]
        if same:
            key = int(same[0])
            connection.execute(STATEMENTS["commitment_again"], {**values, "commitment_pk": key})
            if len(earlier) == 1:
                connection.execute(STATEMENTS["undecide"], {"commitment_pk": key})
        else:
            key = int(connection.execute(STATEMENTS["add_commitment"], values).fetchall()[0][0])
            _add_instances(connection, key, referenced, DUPLICATE_TRANSACTION_UID if earlier else None)
        schedule(connection, hospital, key)
    return key


def schedule(
    connection: psycopg.Connection, hospital: str, key: int, *, delay: float = 0.0, hurry: bool = True
) -> None:
    """Decide a request, now or later."""
    lock = f"{TASK} {hospital} {key}"
    jobs.defer(connection, TASK, {"hospital": hospital, "key": key}, queue=TASK, lock=lock, delay=delay, hurry=hurry)


def request_of(index: Index, hospital: str, key: int) -> Request | None:
    """One request; None when there is none."""
    with index.transaction(hospital) as connection:
        row = connection.execute(STATEMENTS["commitment_of"], {"commitment_pk": key}).fetchone()
    return None if row is None else Request(*row)


def undecided(index: Index, hospital: str, key: int) -> list[tuple[int, str, str]]:
    """Place, SOP Class UID and SOP Instance UID of the instances that nothing is known of yet."""
    with index.transaction(hospital) as connection:
        return connection.execute(STATEMENTS["undecided_instances"], {"commitment_pk": key}).fetchall()


def decide(index: Index, hospital: str, key: int, place: int, failure_reason: int) -> None:
    """Note what was found out about an instance."""
    values = {"commitment_pk": key, "place": place, "failure_reason": failure_reason}
    with index.transaction(hospital) as connection:
        connection.execute(STATEMENTS["decide_instance"], values)


def close(index: Index, hospital: str, key: int) -> bool:
    """Hand a request over for reporting when every instance is decided; whether it is."""
    with index.transaction(hospital) as connection:
        row = connection.execute(STATEMENTS["decide_commitment"], {"commitment_pk": key}).fetchone()
        if row is not None:
            send_off(connection, hospital, REPORT, row[0])
    return row is not None


def result_of(index: Index, hospital: str, key: int) -> Result | None:
    """The result of a request that is decided and not reported yet; None for any other."""
    with index.transaction(hospital) as connection:
        rows = connection.execute(STATEMENTS["commitment_result"], {"commitment_pk": key}).fetchall()
    return Result(rows[0][0], tuple((one, uid, reason) for _, one, uid, reason in rows)) if rows else None


def due_reports(index: Index, hospital: str, calling_ae_title: str) -> list[tuple[int, float]]:
    """Requests that wait to be reported, each with the seconds for which its receiver may do it."""
    with index.transaction(hospital) as connection:
        values = {"calling_ae_title": calling_ae_title}
        return connection.execute(STATEMENTS["commitments_due"], values).fetchall()


def release(index: Index, hospital: str, key: int, calling_ae_title: str) -> None:
    """The association on which the request came cannot carry its report."""
    with index.transaction(hospital) as connection:
        connection.execute(STATEMENTS["commitment_release"], {"commitment_pk": key})
        send_off(connection, hospital, REPORT, calling_ae_title)


def reported(index: Index, hospital: str, key: int) -> None:
    """The requestor has the result."""
    with index.transaction(hospital) as connection:
        connection.execute(STATEMENTS["commitment_reported"], {"commitment_pk": key})


def give_up(index: Index, hospital: str, calling_ae_title: str) -> None:
    """Report no more what the requestor did not take for too long."""
    with index.transaction(hospital) as connection:
        values = {"calling_ae_title": calling_ae_title, "days": DAYS}
        connection.execute(STATEMENTS["commitments_given_up"], values)


def waiting_requestors(index: Index, hospital: str) -> list[str]:
    """AE titles that wait for a report."""
    with index.transaction(hospital) as connection:
        return [title for (title,) in connection.execute(STATEMENTS["commitment_requestors"]).fetchall()]


def undecided_requests(index: Index, hospital: str) -> list[int]:
    """Requests that still have to be decided."""
    with index.transaction(hospital) as connection:
        return [key for (key,) in connection.execute(STATEMENTS["commitments_undecided"]).fetchall()]


def is_read_back(index: Index, hospital: str, sop_instance_uid: str, pack_key: str) -> bool:
    """Whether the instance was read back from this pack before."""
    with index.transaction(hospital) as connection:
        values = {"sop_instance_uid": sop_instance_uid, "pack_key": pack_key}
        return connection.execute(STATEMENTS["read_back_of"], values).fetchone() is not None


def remember_read_back(index: Index, hospital: str, sop_instance_uid: str, pack_key: str) -> None:
    """The instance was found whole in this pack."""
    with index.transaction(hospital) as connection:
        values = {"sop_instance_uid": sop_instance_uid, "pack_key": pack_key}
        connection.execute(STATEMENTS["add_read_back"], values)


def _add_instances(
    connection: psycopg.Connection, key: int, referenced: Sequence[Referenced], failure_reason: int | None
) -> None:
    values = [
        {
            "commitment_pk": key,
            "place": place,
            "sop_class_uid": sop_class_uid,
            "sop_instance_uid": uid,
            "failure_reason": failure_reason,
        }
        for place, (sop_class_uid, uid) in enumerate(referenced)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(STATEMENTS["add_commitment_instance"], values)
