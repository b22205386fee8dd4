"""SOP Classes in Study (0008,0062): asked for now and then, so counted from the instances when it is.

Law: not a column, which every instance received would have to keep.
"""

from storage.index.connections import Index
from storage.index.statements import STATEMENTS


def sop_classes_in_study(index: Index, hospital: str, study_instance_uid: str) -> list[str]:
    """The SOP classes of a study's instances, sorted."""
    with index.transaction(hospital) as connection:
        rows = connection.execute(STATEMENTS["sop_classes_in_study"], {"study_instance_uid": study_instance_uid})
        return [row[0] for row in rows]
