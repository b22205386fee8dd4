import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pacs.dataset import DataSet, identify
from pacs.dataset.json import instance_json
from pacs.errors import Unidentified
from pacs.levels import Level, attributes_of
from pacs.model import ManifestEntry
from pacs.rows import InstanceRow, InstanceRows, PatientRow, SeriesRow, StudyRow, rows_of

Json = dict[str, Any]


def entry(study: str = "1.4", series: str = "1.5", instance: str = "1.3") -> ManifestEntry:
    return ManifestEntry(
        sop_instance_uid=instance,
        study_instance_uid=study,
        series_instance_uid=series,
        digest="00" * 32,
        received_at=1,
        received_size=2,
        received_transfer_syntax_uid="1.2.840.10008.1.2.1",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        verdict="as received",
        reason="",
        before=-1,
        frames=(),
    )


def one(vr: str, *values: Any) -> Json:
    return {"vr": vr, "Value": list(values)}


METADATA: Json = {
    "00080016": one("UI", "1.2.840.10008.5.1.4.1.1.2"),
    "00080020": one("DA", "2024.01.15"),
    "00080030": one("TM", "1015"),
    "00080060": one("CS", "CT"),
    "00080090": one("PN", {"Alphabetic": "Trần^B"}),
    "00081030": one("LO", "Sọ não\0"),
    "00100010": one("PN", {"Alphabetic": "Wang^XiaoDong", "Ideographic": "王^小東"}),
    "00100020": one("LO", " 00123 "),
    "0020000D": one("UI", "something else"),
    "00200011": one("IS", 3),
    "00200013": one("IS", "1A"),
    "00280010": one("US", 512),
    "00280011": one("US", 512),
}


def test_an_instance_gives_a_row_at_each_level() -> None:
    """Values become columns; dates and times get one form; names are folded beside themselves."""
    rows = rows_of(entry(), METADATA)

    assert rows.patient.patient_name == "Wang^XiaoDong=王^小東"
    assert rows.patient.patient_name_folded == "wang xiaodong 王 小東"
    assert (rows.patient.patient_id, rows.patient.unidentified_study) == ("00123", "")
    assert (rows.study.study_instance_uid, rows.study.study_date, rows.study.study_time) == (
        "1.4",
        "20240115",
        "101500",
    )
    assert rows.study.study_description == "Sọ não"
    assert rows.study.referring_physician_name == "Trần^B"
    assert (rows.series.series_instance_uid, rows.series.series_number, rows.series.modality) == ("1.5", 3, "CT")
    assert rows.instance.sop_class_uid == "1.2.840.10008.5.1.4.1.1.2"
    assert (rows.instance.instance_number, rows.instance.rows, rows.instance.number_of_frames) == (None, 512, 1)


def test_attributes_stay_as_the_instance_says_them() -> None:
    """What a column cannot hold is still served; required attributes are there when empty; UIDs are those checked."""
    served = rows_of(entry(), METADATA | {"00080021": one("DA", "garbage")})

    assert served.series.attributes["00080021"] == one("DA", "garbage")
    assert served.study.attributes["00080020"] == one("DA", "2024.01.15")
    assert served.study.attributes["00080050"] == {"vr": "SH"}
    assert served.study.attributes["0020000D"] == one("UI", "1.4")
    assert served.series.attributes["0020000E"] == one("UI", "1.5")


def test_patients_without_an_id_are_one_for_each_study() -> None:
    """Two nameless patients never become one person."""
    nameless = {tag: value for tag, value in METADATA.items() if tag != "00100020"}

    assert rows_of(entry(study="1.4"), nameless).patient.unidentified_study == "1.4"
    assert rows_of(entry(study="1.9"), nameless).patient != rows_of(entry(study="1.4"), nameless).patient


def test_the_rows_have_the_columns_of_the_table() -> None:
    """Rows and the table of attributes name the same columns."""
    own = {
        "patient": (PatientRow, {"unidentified_study", "patient_name_folded"}),
        "study": (StudyRow, {"attributes"}),
        "series": (SeriesRow, {"attributes"}),
        "instance": (InstanceRow, set()),
    }
    levels: tuple[Level, ...] = ("patient", "study", "series", "instance")
    for level in levels:
        row, more = own[level]
        columns = {one.column for one in attributes_of(level) if one.column and not one.computed}
        assert {field.name for field in fields(row)} == columns | more


def storable(rows: InstanceRows) -> bool:
    texts = json.dumps(
        [[getattr(row, field.name) for field in fields(row)] for row in (rows.patient, rows.study, rows.series)],
        allow_nan=False,
    )
    columns = [getattr(rows.patient, field.name) for field in fields(rows.patient)]
    return bool(texts) and all("\0" not in column and len(column) <= 1024 for column in columns)


def test_every_file_gives_rows(every_file: Callable[[], Iterator[tuple[Path, DataSet]]]) -> None:
    """Whatever can be identified can be filed."""
    for _, ds in every_file():
        try:
            identity = identify(ds)
        except Unidentified:
            continue
        metadata = json.loads(instance_json(ds, bulk_data_root="bulk"))
        checked = entry(identity.study_instance_uid, identity.series_instance_uid, identity.sop_instance_uid)
        assert storable(rows_of(checked, metadata))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Alphabetic", "x"]), inner, max_size=2)
    ),
    max_leaves=6,
)
TAGS = st.sampled_from(sorted({one.tag for one in attributes_of("patient", "study", "series", "instance")}))


@given(st.dictionaries(TAGS, VALUES | st.fixed_dictionaries({"vr": st.text(), "Value": VALUES}), max_size=12))
def test_any_json_gives_rows(metadata: Json) -> None:
    """Metadata of another version, or damaged, still gives rows."""
    assert storable(rows_of(entry(), metadata))
