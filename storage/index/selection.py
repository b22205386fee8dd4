"""Finding the instances that a retrieval names, by lists of unique keys.

Law: conditions come from a fixed table, values are parameters; without any key nothing is found, never everything.
"""

from dataclasses import fields

from psycopg.rows import dict_row
from psycopg.sql import SQL

from pacs.frames import pack_frames
from pacs.model import Selection, StoredInstance
from storage.index.connections import Index
from storage.index.reading import stored_of
from storage.index.statements import STATEMENTS

_CONDITIONS = {
    "patient_ids": SQL("study.patient_id = ANY(%(patient_ids)s)"),
    "study_instance_uids": SQL("study.study_instance_uid = ANY(%(study_instance_uids)s)"),
    "series_instance_uids": SQL("series.series_instance_uid = ANY(%(series_instance_uids)s)"),
    "sop_instance_uids": SQL("instance.sop_instance_uid = ANY(%(sop_instance_uids)s)"),
}
_WITHOUT_FRAMES = {"frames": pack_frames(())}  # whole instances are retrieved; those of a cine would fill memory


def selected_instances(index: Index, hospital: str, selection: Selection) -> list[StoredInstance]:
    """The instances selected, study by study in reading order, without the places of their frames."""
    given = {field.name: list(getattr(selection, field.name)) for field in fields(selection)}
    given = {name: values for name, values in given.items() if values}
    if not given:
        return []
    conditions = SQL(" AND ").join(_CONDITIONS[name] for name in given)
    query = SQL("\n").join(
        [STATEMENTS["stored_instances"], SQL("WHERE"), conditions, STATEMENTS["in_order_of_studies"]]
    )
    with index.transaction(hospital) as connection, connection.cursor(row_factory=dict_row) as cursor:
        return [stored_of({**row, **_WITHOUT_FRAMES}) for row in cursor.execute(query, given)]
