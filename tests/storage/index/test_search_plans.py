"""How PostgreSQL goes about a search, asked from PostgreSQL, over more rows than it would read one by one."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL

from pacs.query import parse_query
from storage.index import Index, migrate
from storage.index.search import MOST_REMAINING, find_pages, matching, ordered, search
from storage.index.statements import STATEMENTS
from tests.conftest import new_database

HOSPITAL = "default"
STUDIES = 30_000
# Names of two common and one rare word; a day has some 80 studies; every study has two series of one instance.
ROWS = (
    """
    INSERT INTO patient OVERRIDING SYSTEM VALUE
    SELECT n, '', 'P' || n, '', name, lower(name), '19700101', 'F', n, '1.' || n
    FROM generate_series(1, %(studies)s) AS n,
        LATERAL (SELECT 'NGUYEN VAN ' || chr(65 + n %% 26) || n || 'T') AS _(name)
    """,
    """
    INSERT INTO study (
        patient_pk, first_received_at, number_of_study_related_series, number_of_study_related_instances,
        study_instance_uid, study_date, study_time, accession_number, study_id, study_description,
        referring_physician_name, referring_physician_name_folded, issuer_of_patient_id, patient_id, patient_name,
        patient_name_folded, patient_birth_date, patient_sex, first_sop_instance_uid, modalities_in_study, attributes
    )
    SELECT
        patient_pk, patient_pk, 2, 2, '1.2.' || patient_pk,
        to_char(date '2024-01-01' + (patient_pk %% 365)::int, 'YYYYMMDD'),
        lpad((patient_pk %% 24)::text, 2, '0') || '0000', 'ACC' || patient_pk, 'S' || patient_pk, 'CT ' || patient_pk,
        'BS' || patient_pk, 'bs' || patient_pk, '', patient_id, patient_name, patient_name_folded, patient_birth_date,
        patient_sex, first_sop_instance_uid, ARRAY['CT', 'SR'], jsonb_build_object(
            '0020000D', jsonb_build_object('vr', 'UI', 'Value', jsonb_build_array('1.2.' || patient_pk))
        )
    FROM patient
    """,
    """
    INSERT INTO series (
        study_pk, first_received_at, series_number, number_of_series_related_instances, series_instance_uid, modality,
        series_description, body_part_examined, performed_procedure_step_start_date,
        performed_procedure_step_start_time, station_name, institutional_department_name, first_sop_instance_uid,
        attributes
    )
    SELECT
        study_pk, study_pk, number, 1, study_instance_uid || '.' || number, 'CT', '', '', study_date, study_time, '',
        '', '1', jsonb_build_object('00400275', jsonb_build_object('vr', 'SQ', 'Value', jsonb_build_array(
            jsonb_build_object('00401001', jsonb_build_object('vr', 'SH', 'Value', jsonb_build_array('RP' || study_pk)))
        )))
    FROM study, generate_series(1, 2) AS number
    """,
    "INSERT INTO pack VALUES (DEFAULT, 1, 0, 0, 0, 0, false, 'packs/00/0.zip')",
    r"""
    INSERT INTO instance
    SELECT
        series_pk, pack_pk, 0, 1, -1, 0, 1, 1, 0, -1, 0, 1, 1, 1, 1, 16, false, decode(repeat('00', 32), 'hex'),
        series_instance_uid || '.1', '1.2.840.10008.5.1.4.1.1.2', '', '', '', '', '', '', ''
    FROM series, pack
    """,
    "VACUUM (ANALYZE) patient, study, series, instance",
)


@pytest.fixture(scope="module")
def many(postgres_url: str) -> Iterator[Index]:
    """An index with many rows, made by PostgreSQL itself."""
    with new_database(postgres_url) as url:
        migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET search_path TO h_default")
            for statement in ROWS:
                connection.execute(statement, {"studies": STUDIES})
        with Index(url) as index:
            yield index


def nodes(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and table or index of each step."""
    yield plan["Node Type"], plan.get("Index Name") or plan.get("Relation Name", "")
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def steps(index: Index, level: str, *params: tuple[str, str]) -> list[tuple[str, str]]:
    """How PostgreSQL would find the first page."""
    query = parse_query(level, params)
    found, values = matching(query)
    with index.transaction(HOSPITAL) as connection:
        connection.execute(STATEMENTS["bound_search"], {"milliseconds": "10000"})
        page = SQL("EXPLAIN (FORMAT JSON) {}").format(ordered(query, found))
        ((plan,),) = connection.execute(page, values | {"limit": query.limit + 1, "offset": 0}).fetchall()
    return list(nodes(plan[0]["Plan"]))


@pytest.mark.parametrize(
    ("level", "name", "value", "by"),
    [
        ("study", "limit", "100", "study_by_date"),
        ("study", "StudyDate", "20240110", "study_by_date"),
        ("study", "StudyDate", "20240110-20240115", "study_by_date"),
        ("study", "StudyDate", "-20240102", "study_by_date"),
        ("study", "PatientID", "P123", "study_by_patient_id"),
        ("study", "PatientID", "P123*", "study_by"),
        ("study", "PatientID", "*12345*", "study_by_part_of_patient_id"),
        ("study", "PatientID", "*p12345*\\*P12345*", "study_by_part_of_patient_id"),
        ("study", "PatientName", "van q17654*", "study_by_patient_name"),
        ("study", "PatientName", "*văn q17654*", "study_by_patient_name"),
        ("study", "PatientName", "nguyen", "study_by"),
        ("study", "AccessionNumber", "ACC77", "study_by_accession_number"),
        ("study", "AccessionNumber", "*CC77*", "study_by_part_of_accession_number"),
        ("study", "StudyDescription", "*CT 123*", "study_by_part_of_description"),
        ("study", "ReferringPhysicianName", "bs123", "study_by_part_of_referring_physician"),
        ("study", "StudyInstanceUID", "1.2.5,1.2.6", "study_by_uid"),
        ("study", "StudyID", "S77", "study_by_study_id"),
        ("study", "ModalitiesInStudy", "XA", "study_by_modality"),
        ("study", "ModalitiesInStudy", "CT", "study_by_date"),
        ("series", "limit", "100", "study_by_date"),
        ("series", "Modality", "CT", "study_by_date"),
        ("series", "Modality", "XA", "study_by_modality"),
        ("series", "PerformedProcedureStepStartDate", "20240110", "series_by_performed_date"),
        ("series", "StudyInstanceUID", "1.2.5", "study_by_uid"),
        ("series", "SeriesInstanceUID", "1.2.5.1", "series_by_uid"),
        ("series", "RequestAttributesSequence.RequestedProcedureID", "RP77", "series_by_request"),
        ("instance", "limit", "100", "study_by_date"),
        ("instance", "SOPInstanceUID", "1.2.5.1.1", "instance_pkey"),
        ("instance", "SeriesInstanceUID", "1.2.5.1", "series_by_uid"),
        ("patient", "limit", "100", "patient_pkey"),
        ("patient", "PatientID", "P77", "patient_by_patient_id"),
        ("patient", "PatientName", "van q17654*", "patient_by_part_of_name"),
        ("patient", "PatientID", "*7777*", "patient_by_part_of_id"),
    ],
)
def test_usual_searches_read_no_table_from_end_to_end(many: Index, level: str, name: str, value: str, by: str) -> None:
    """The first page of what doctors and modalities ask comes from an index, whatever the size of the archive."""
    plan = steps(many, level, (name, value))
    assert not [step for step in plan if step[0] == "Seq Scan"], plan
    assert any(index.startswith(by) for kind, index in plan if "Index" in kind), plan


def test_moments_come_from_the_index_of_days(many: Index) -> None:
    """The hours are compared within the days that the index gives."""
    plan = steps(many, "study", ("StudyDate", "20240110-20240111"), ("StudyTime", "20-06"))
    assert ("Seq Scan", "study") not in plan
    assert any(name == "study_by_date" for _, name in plan), plan


def test_what_remains_is_counted_as_far_as_anybody_pages(many: Index) -> None:
    """A result says that there is more, not how much more of thirty thousand."""
    result = search(many, HOSPITAL, parse_query("study", [("limit", "10")]))
    assert (len(result.items), result.remaining, result.more) == (10, MOST_REMAINING, True)
    result = search(many, HOSPITAL, parse_query("study", [("limit", "10"), ("offset", str(STUDIES - 13))]))
    assert (len(result.items), result.remaining, result.more) == (10, 3, False)


def test_pages_behind_a_row_begin_in_the_index(many: Index) -> None:
    """The hundredth page costs what the first one costs: nothing is counted off."""
    query = parse_query("study", [])
    pages = find_pages(many, HOSPITAL, query)
    first = [item["0020000D"]["Value"][0] for item in next(pages)]
    second = [item["0020000D"]["Value"][0] for item in next(pages)]
    assert len({*first, *second}) == 1000
    assert "1.2.365" not in first  # one of the oldest day
