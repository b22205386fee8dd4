"""What follows from filing instances: they are forwarded, studies announced, performed steps found complete.

Law: in the transaction that files them, so that nothing is filed without its consequences, and nothing queued that was
not filed.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import psycopg

from pacs.forwarding import Arrival, Sends, destinations
from storage.index.errands import forward_rules, queue_availability, queue_deliveries
from storage.index.performed import mark_arrived
from storage.index.writing import Filed

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")  # in which the hours of forward rules are meant


def follow_up(connection: psycopg.Connection, hospital: str, filed: Sequence[Filed]) -> None:
    """Queue what these new instances are the reason for."""
    mark_arrived(connection, {one.entry.study_instance_uid for one in filed})
    rules = [rule for _, rule in forward_rules(connection)]
    if not rules:
        return
    found = [(one, sends, title) for one in filed for sends, title in destinations(rules, _arrival(one))]
    instances = [(title, one.entry.sop_instance_uid) for one, sends, title in found if sends == Sends.INSTANCES]
    studies = [(title, one.entry.study_instance_uid) for one, sends, title in found if sends == Sends.AVAILABILITY]
    queue_deliveries(connection, hospital, instances)
    queue_availability(connection, hospital, studies)


def _arrival(one: Filed) -> Arrival:
    received = datetime.fromtimestamp(one.entry.received_at / 1e9, UTC).astimezone(ZONE)
    return Arrival(
        modality=one.rows.series.modality,
        calling_ae_title=one.entry.source.source_application_entity_title,
        body_part_examined=one.rows.series.body_part_examined,
        hour=received.hour,
    )
