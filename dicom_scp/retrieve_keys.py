"""What a C-GET or C-MOVE asks for: its Identifier as a selection of instances (PS3.4 C.4.2.1.4, C.4.2.2).

Law: pure. Hierarchical retrieval wants exactly one unique key of every level above its own; relational retrieval, where
it was negotiated (PS3.4 C.5.2.1), wants none of them and takes lists. Keys below the level say nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pacs.dataset import DataSet
from pacs.errors import InvalidRequest
from pacs.model import Selection

QUERY_RETRIEVE_LEVEL = 0x00080052


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """The unique key of a level, and where `Selection` has its values."""

    keyword: str
    tag: int
    selects: str
    takes_list: bool


UNIQUE_KEYS: Mapping[str, UniqueKey] = {
    "PATIENT": UniqueKey("PatientID", 0x00100020, "patient_ids", takes_list=False),
    "STUDY": UniqueKey("StudyInstanceUID", 0x0020000D, "study_instance_uids", takes_list=True),
    "SERIES": UniqueKey("SeriesInstanceUID", 0x0020000E, "series_instance_uids", takes_list=True),
    "IMAGE": UniqueKey("SOPInstanceUID", 0x00080018, "sop_instance_uids", takes_list=True),
}
PATIENT_ROOT = tuple(UNIQUE_KEYS)
STUDY_ROOT = PATIENT_ROOT[1:]


def selection_of(identifier: DataSet, levels: tuple[str, ...], *, is_relational: bool) -> Selection:
    """The instances asked for; ``levels`` are those of the information model. Raises InvalidRequest."""
    level = identifier.text(QUERY_RETRIEVE_LEVEL).upper()
    if level not in levels:
        raise InvalidRequest(f"Query/Retrieve Level is not one of {', '.join(levels)}")
    values: dict[str, tuple[str, ...]] = {}
    for name in levels[: levels.index(level) + 1]:
        key = UNIQUE_KEYS[name]
        found = [value.strip(" \0") for value in identifier.texts(key.tag)]
        values[key.selects] = tuple(dict.fromkeys(value for value in found if value))
        if not values[key.selects] and (name == level or not is_relational):
            raise InvalidRequest(f"{key.keyword} is missing")
        takes_list = key.takes_list and (name == level or is_relational)
        if len(values[key.selects]) > 1 and not takes_list:
            raise InvalidRequest(f"{key.keyword} has several values")
    return Selection(**values)
