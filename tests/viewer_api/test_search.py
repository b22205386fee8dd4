"""QIDO-RS over the real application: one test for each promise of the conformance statement."""

import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from pacs.dataset.native_model import NAMESPACE
from pacs.query import parse_query
from storage.index import migrate
from tests.conftest import new_database
from tests.viewer_api.conftest import opened

if TYPE_CHECKING:
    from tests.viewer_api.conftest import Site

XML = 'multipart/related; type="application/dicom+xml"'
EVIL = "<script>alert(1)</script>"


def part10(path: Path, *, request: str = "", **values: Any) -> bytes:
    """A file as another modality might have made it."""
    data_set = pydicom.dcmread(path)
    for keyword, value in values.items():
        setattr(data_set, keyword, value)
    if request:
        item = Dataset()
        item.RequestedProcedureID, item.ScheduledProcedureStepID = request.split("/")
        data_set.RequestAttributesSequence = Sequence([item])
    file = io.BytesIO()
    data_set.save_as(file)
    return file.getvalue()


STUDIES = (
    # Study UID, patient, ID, day, time, modality, accession number, request
    ("1.2.1", "NGUYEN VAN A44T", "BN-001", "20240101", "080000", "CT", "A1", "RP1/SPS1"),
    ("1.2.2", "Nguyễn^Văn Anh", "BN-002", "20240102", "120000", "MR", "A2", "RP2/SPS2"),
    ("1.2.3", "Trần^Thị Đào", "BN-003", "20240103", "180000", "CT", "B3", "RP2/SPS1"),
    ("1.2.4", EVIL, "BN-004", "20240104", "230000", "XA", "B4", ""),
)


@pytest.fixture(scope="module")
def archive(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory, pydicom_file: Callable[[str], Path]
) -> Iterator["Site"]:
    """Four studies of two series each, the second with two instances."""
    with new_database(postgres_url) as url:
        migrate(url)
        with opened(url, tmp_path_factory.mktemp("search")) as site:
            for study in STUDIES:
                for instance in instances_of(pydicom_file("CT_small.dcm"), *study):
                    site.receive(instance)
            site.file()
            yield site


def instances_of(path: Path, *study: str) -> Iterator[bytes]:
    uid, name, patient_id, day, time, modality, accession_number, request = study
    for series, number in ((1, 1), (2, 1), (2, 2)):
        yield part10(
            path,
            request=request,
            StudyInstanceUID=uid,
            SeriesInstanceUID=f"{uid}.{series}",
            SOPInstanceUID=f"{uid}.{series}.{number}",
            PatientName=name,
            PatientID=patient_id,
            StudyDate=day,
            StudyTime=time,
            Modality=modality,
            AccessionNumber=accession_number,
            SeriesNumber=series,
            InstanceNumber=number,
            SpecificCharacterSet="ISO_IR 192",
            PerformedProcedureStepStartDate=day,
            PerformedProcedureStepStartTime=time,
            ReferringPhysicianName="Phạm^Bác Sĩ",
            StudyID=f"ID{uid[-1]}",
            TimezoneOffsetFromUTC="+0700",
        )


@pytest.fixture(scope="module")
def client(archive: "Site") -> httpx.Client:
    return archive.client()


def found(client: httpx.Client, path: str, tag: str = "0020000D", **params: Any) -> list[str]:
    """The values of one attribute of all results; names with two underscores are paths with a full stop."""
    asked = {name.replace("__", "."): value for name, value in params.items()}
    response = client.get(f"/dicom-web{path}", params=asked)
    assert response.status_code == 200, response.text
    return [item[tag]["Value"][0] for item in response.json()]


@pytest.mark.parametrize(
    ("path", "tag", "count"),
    [
        ("/studies", "0020000D", 4),
        ("/studies/1.2.2/series", "0020000E", 2),
        ("/studies/1.2.2/series/1.2.2.2/instances", "00080018", 2),
        ("/studies/1.2.2/instances", "00080018", 3),
        ("/series", "0020000E", 8),
        ("/instances", "00080018", 12),
    ],
)
def test_each_search_resource_finds_what_lies_below_it(client: httpx.Client, path: str, tag: str, count: int) -> None:
    """PS3.18 Table 10.6.1-1: every resource, hierarchical and relational, unique keys in a stable order."""
    uids = found(client, path, tag)
    assert (len(uids), len(set(uids))) == (count, count)
    assert found(client, path, tag) == uids


@pytest.mark.parametrize(
    ("path", "key", "value", "count"),
    [
        ("/studies", "StudyDate", "20240102", 1),
        ("/studies", "StudyTime", "120000", 1),
        ("/studies", "AccessionNumber", "A2", 1),
        ("/studies", "ModalitiesInStudy", "CT", 2),
        ("/studies", "ReferringPhysicianName", "pham bac si", 4),
        ("/studies", "PatientName", "tran thi dao", 1),
        ("/studies", "PatientID", "BN-003", 1),
        ("/studies", "StudyInstanceUID", "1.2.3", 1),
        ("/studies", "StudyID", "ID3", 1),
        ("/series", "Modality", "CT", 4),
        ("/series", "SeriesInstanceUID", "1.2.3.1", 1),
        ("/series", "SeriesNumber", "2", 4),
        ("/series", "PerformedProcedureStepStartDate", "20240103", 2),
        ("/series", "PerformedProcedureStepStartTime", "180000", 2),
        ("/series", "RequestAttributesSequence.ScheduledProcedureStepID", "SPS1", 4),
        ("/series", "RequestAttributesSequence.RequestedProcedureID", "RP2", 4),
        ("/series", "00400275.00401001", "RP2", 4),
        ("/series", "PatientID", "BN-003", 2),
        ("/instances", "SOPClassUID", "1.2.840.10008.5.1.4.1.1.2", 12),
        ("/instances", "SOPInstanceUID", "1.2.3.2.2", 1),
        ("/instances", "InstanceNumber", "2", 4),
        ("/instances", "Modality", "XA", 3),
        ("/instances", "StudyDate", "20240104", 3),
    ],
)
def test_each_required_key_is_matched(client: httpx.Client, path: str, key: str, value: str, count: int) -> None:
    """PS3.18 Table 10.6.1-5: required keys of each level, those of the levels above too."""
    assert len(found(client, path, **{key: value})) == count
    other = {"Date": "19990101", "Time": "0001"}.get(key[-4:], "77")
    assert found(client, path, **{key: other}) == []


@pytest.mark.parametrize(
    ("params", "uids"),
    [
        ({"StudyInstanceUID": "1.2.1,1.2.3"}, {"1.2.1", "1.2.3"}),
        ({"StudyInstanceUID": "1.2.1\\1.2.3"}, {"1.2.1", "1.2.3"}),
        ({"0020000D": "1.2.1"}, {"1.2.1"}),
        ({"PatientID": "*-00?"}, {"1.2.1", "1.2.2", "1.2.3", "1.2.4"}),
        ({"PatientID": "*02*"}, {"1.2.2"}),
        ({"PatientName": "*đào*"}, {"1.2.3"}),
        ({"PatientName": "van nguyen a*"}, {"1.2.1", "1.2.2"}),
        ({"PatientName": "nguyen van a"}, set()),
        ({"AccessionNumber": "A*"}, {"1.2.1", "1.2.2"}),
        ({"StudyDate": "20240102-20240103"}, {"1.2.2", "1.2.3"}),
        ({"StudyDate": "-20240102"}, {"1.2.1", "1.2.2"}),
        ({"StudyDate": "20240103-"}, {"1.2.3", "1.2.4"}),
        ({"StudyTime": "08-12"}, {"1.2.1", "1.2.2"}),
        ({"ModalitiesInStudy": "CT\\MR"}, {"1.2.1", "1.2.2", "1.2.3"}),
        ({"Modality": "XA"}, {"1.2.4"}),
        ({"PatientName": "", "StudyDate": "*"}, {"1.2.1", "1.2.2", "1.2.3", "1.2.4"}),
        ({"ManufacturerModelName": ""}, {"1.2.1", "1.2.2", "1.2.3", "1.2.4"}),
        ({"AccessionNumber": '""', "emptyvaluematching": "true"}, set()),
        ({"IssuerOfPatientID": '""', "emptyvaluematching": "true"}, {"1.2.1", "1.2.2", "1.2.3", "1.2.4"}),
    ],
)
def test_each_kind_of_matching_finds_what_it_should(
    client: httpx.Client, params: dict[str, str], uids: set[str]
) -> None:
    """PS3.18 8.3.4.1: the rules of PS3.4 C.2.2.2.1 to C.2.2.2.4 and C.2.2.2.7."""
    assert set(found(client, "/studies", **params)) == uids


@pytest.mark.parametrize(
    ("name", "uids"),
    [
        ("nguyen van a", {"1.2.1", "1.2.2"}),
        ("*A^VĂN nguyễn*", {"1.2.1", "1.2.2"}),
        ("Nguye\u0302\u0303n A44T", {"1.2.1"}),
        ("anh", {"1.2.2"}),
        ("dao thi", {"1.2.3"}),
        ("uyen", set()),
    ],
)
def test_names_are_found_as_people_remember_them(client: httpx.Client, name: str, uids: set[str]) -> None:
    """PS3.18 8.3.4.2: without accents, case and order; an age glued to the name does not hide it."""
    assert set(found(client, "/studies", PatientName=name, fuzzymatching="true")) == uids


@pytest.mark.parametrize(
    ("params", "uids"),
    [
        ({"StudyDate": "20240101-20240103", "StudyTime": "0900-1200"}, {"1.2.2"}),
        ({"StudyDate": "20240101-20240103", "StudyTime": "0900-1900"}, {"1.2.2", "1.2.3"}),
        ({"StudyDate": "20240104", "TimezoneOffsetFromUTC": "+0000"}, {"1.2.4"}),
        ({"StudyDate": "20240103", "TimezoneOffsetFromUTC": "+0900"}, {"1.2.3"}),
        ({"StudyDate": "20240105", "TimezoneOffsetFromUTC": "+0900"}, {"1.2.4"}),
        ({"StudyTime": "16", "TimezoneOffsetFromUTC": "+0000"}, {"1.2.4"}),
    ],
)
def test_dates_and_times_are_moments(client: httpx.Client, params: dict[str, str], uids: set[str]) -> None:
    """PS3.4 C.2.2.2.5: two ranges are one range of moments, in the zone that the search names."""
    assert set(found(client, "/studies", **params)) == uids


def test_keys_of_one_sequence_are_met_by_one_item(client: httpx.Client) -> None:
    """PS3.4 C.2.2.2.6: both keys hold in the same item."""
    step, procedure = (
        "RequestAttributesSequence__ScheduledProcedureStepID",
        "RequestAttributesSequence__RequestedProcedureID",
    )
    assert found(client, "/series", **{step: "SPS1", procedure: "RP2"}) == ["1.2.3", "1.2.3"]
    assert found(client, "/series", **{step: "SPS2", procedure: "RP1"}) == []
    assert found(client, "/series", **{step: "*1", procedure: "RP?"}) == ["1.2.3", "1.2.3", "1.2.1", "1.2.1"]


def item_of(client: httpx.Client, path: str, **params: Any) -> dict[str, Any]:
    response = client.get(f"/dicom-web{path}", params=params)
    assert response.status_code == 200, response.text
    item: dict[str, Any] = response.json()[0]
    return item


def test_answers_hold_what_the_resource_leaves_open(client: httpx.Client) -> None:
    """PS3.18 10.6.3.3: attributes of the levels above come unless the resource named that study or series."""
    study, series, instance = "00081030", "0008103E", "00280010"
    assert {study} <= item_of(client, "/studies").keys()
    assert not {series, instance} & item_of(client, "/studies").keys()
    assert {study, series} <= item_of(client, "/series").keys()
    assert study not in item_of(client, "/studies/1.2.1/series")
    assert {study, series, instance} <= item_of(client, "/instances").keys()
    within = item_of(client, "/studies/1.2.1/instances")
    assert (study in within, series in within) == (False, True)
    lowest = item_of(client, "/studies/1.2.1/series/1.2.1.1/instances")
    assert (study in lowest, series in lowest, instance in lowest) == (False, False, True)


@pytest.mark.parametrize("path", ["/studies", "/series", "/instances"])
def test_the_time_zone_is_told(client: httpx.Client, path: str) -> None:
    """PS3.18 Tables 10.6.3-3, -4 and -5: Timezone Offset From UTC shall be present if known."""
    assert item_of(client, path)["00080201"]["Value"] == ["+0700"]


@pytest.mark.parametrize(
    ("path", "fields", "tags"),
    [
        ("/studies", {"includefield": "InstitutionName"}, {"00080080"}),
        ("/studies", {"includefield": "00080080"}, {"00080080"}),
        ("/studies", {"includefield": "InstitutionName,00101010"}, {"00080080", "00101010"}),
        ("/studies", {"includefield": ["InstitutionName", "PatientAge"]}, {"00080080", "00101010"}),
        ("/studies", {"includefield": "all"}, {"00080080", "00101010", "00101030"}),
        ("/studies", {"InstitutionName": ""}, {"00080080"}),
        ("/series", {"includefield": "RequestAttributesSequence.RequestedProcedureID"}, {"00400275"}),
        ("/series", {"includefield": "Manufacturer"}, {"00080070"}),
        ("/instances", {"includefield": "KVP"}, {"00180060"}),
        ("/instances", {"includefield": "00431010", "00430010": ""}, {"00430010", "00431010"}),
        ("/instances", {"includefield": "all"}, {"00180060", "00080070", "00280100", "00200032"}),
    ],
)
def test_fields_are_included_as_asked(client: httpx.Client, path: str, fields: dict[str, Any], tags: set[str]) -> None:
    """PS3.18 8.3.4.3: by keyword, tag, list, repeated, path, private with its creator, and all."""
    assert tags <= item_of(client, path, **fields).keys()


def test_those_who_want_everything_get_all_attributes_too(archive: "Site") -> None:
    """What goes over all matches without pages, as C-FIND does, reads the packs as a page does."""
    every = archive.archive.find("default", parse_query("instance", [("includefield", "KVP"), ("limit", "1")]))
    assert [item["00180060"]["vr"] for item in every] == ["DS"] * 12


def test_fields_of_a_lower_level_are_not_returned(client: httpx.Client) -> None:
    """PS3.18 10.6.3.3.1 and 10.6.3.3.2."""
    assert not {"00080070", "00180060"} & item_of(client, "/studies", includefield="Manufacturer,KVP").keys()
    assert "00180060" not in item_of(client, "/series", includefield="KVP")


def test_all_leaves_large_values_where_they_are(client: httpx.Client) -> None:
    """A search answer never carries pixels, nor a reference that could be mistaken for them."""
    assert "7FE00010" not in item_of(client, "/instances", includefield="all")


def test_pages_and_what_remains(client: httpx.Client) -> None:
    """PS3.18 8.3.4.4: limit and offset cut a stable order; a Warning header says how many are left."""
    whole = found(client, "/instances", "00080018")
    first = client.get("/dicom-web/instances", params={"limit": 5})
    assert [item["00080018"]["Value"][0] for item in first.json()] == whole[:5]
    service = f"{client.base_url}/dicom-web".replace("//dicom-web", "/dicom-web")
    assert first.headers["warning"] == f"299 {service}: There are 7 additional results that can be requested"
    assert found(client, "/instances", "00080018", limit=5, offset=5) == whole[5:10]
    last = client.get("/dicom-web/instances", params={"limit": 5, "offset": 10})
    assert (len(last.json()), "warning" in last.headers) == (2, False)
    with_all = client.get("/dicom-web/instances", params={"limit": 5, "offset": 5, "includefield": "all"})
    assert [item["00080018"]["Value"][0] for item in with_all.json()] == whole[5:10]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "application/dicom+json"),
        ("*/*", "application/dicom+json"),
        ("application/dicom+json", "application/dicom+json"),
        ("application/json", "application/json"),
        ("application/dicom+xml;q=0.1, application/json", "application/json"),
        ('multipart/related; type="application/dicom+json"', "application/dicom+json"),
        (XML, "multipart/related"),
        ("multipart/related; type=application/dicom+xml", "multipart/related"),
        ("multipart/related", "multipart/related"),
    ],
)
def test_the_answer_has_a_media_type_that_was_asked_for(archive: "Site", accept: str | None, content_type: str) -> None:
    """PS3.18 8.7.4: DICOM JSON by default, JSON, or XML in parts, quoted or not."""
    client = archive.client()
    if accept is None:
        del client.headers["accept"]
    response = client.get("/dicom-web/studies", headers={"Accept": accept} if accept else {})
    assert response.headers["content-type"].split(";")[0] == content_type


def test_the_accept_parameter_stands_in_for_the_header(client: httpx.Client) -> None:
    """PS3.18 8.3.3.1: for those who cannot set a header."""
    response = client.get("/dicom-web/studies", params={"accept": XML})
    assert response.headers["content-type"].startswith("multipart/related")


def test_xml_says_the_same_as_json(client: httpx.Client) -> None:
    """PS3.18 8.7.3.2: each match is one part, a Native DICOM Model of PS3.19."""
    response = client.get("/dicom-web/studies", headers={"Accept": XML})
    head = f"Content-Type: {response.headers['content-type']}\r\n\r\n".encode()
    parts: list[Any] = BytesParser().parsebytes(head + response.content).get_payload()  # type: ignore[assignment]
    roots = [ET.fromstring(part.get_payload(decode=True)) for part in parts]  # noqa: S314  # our own
    assert {part["Content-Type"] for part in parts} == {"application/dicom+xml"}
    for root, item in zip(roots, client.get("/dicom-web/studies").json(), strict=True):
        assert [attribute.get("tag") for attribute in root] == list(item)
        name = root.find(f".//*[@keyword='PatientName']//{{{NAMESPACE}}}FamilyName")
        assert name is not None
        assert (name.text or "") in item["00100010"]["Value"][0]["Alphabetic"]


def test_nothing_found_is_an_empty_list(client: httpx.Client) -> None:
    """PS3.18 10.6.3.1 (2026a): 200 with an empty list; in XML an empty multipart."""
    response = client.get("/dicom-web/studies", params={"PatientID": "nobody"})
    assert (response.status_code, response.json(), "warning" in response.headers) == (200, [], False)
    response = client.get("/dicom-web/studies", params={"PatientID": "nobody"}, headers={"Accept": XML})
    assert (response.status_code, b"NativeDicomModel" in response.content) == (200, False)
    assert client.get("/dicom-web/studies/1.2.999/series").json() == []


@pytest.mark.parametrize(
    ("path", "params", "accept", "status"),
    [
        ("/studies", {"NoSuchKeyword": "x"}, "*/*", 400),
        ("/studies", {"SOPInstanceUID": "1.2"}, "*/*", 400),
        ("/studies", {"PatientWeight": "70"}, "*/*", 400),
        ("/studies", {"StudyDate": "01/02/2024"}, "*/*", 400),
        ("/studies", {"limit": "-1"}, "*/*", 400),
        ("/studies", {"includefield": "NoSuchKeyword"}, "*/*", 400),
        ("/studies", {"TimezoneOffsetFromUTC": "ICT"}, "*/*", 400),
        ("/studies/*/series", {}, "*/*", 400),
        ("/studies/1.2.1,1.2.2/series", {}, "*/*", 400),
        ("/studies", {}, "text/html", 406),
        ("/studies", {}, "application/dicom+xml", 406),
    ],
)
def test_what_cannot_be_answered_is_a_readable_problem(
    client: httpx.Client, path: str, params: dict[str, str], accept: str, status: int
) -> None:
    """PS3.18 Table 10.6.3-1 and 8.7.5: 400 and 406, never an unfiltered list."""
    response = client.get(f"/dicom-web{path}", params=params, headers={"Accept": accept})
    assert (response.status_code, response.json()["status"]) == (status, status)
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.json()["title"]) > 20


@contextmanager
def somebody_holds_the_table(archive: "Site") -> Iterator[None]:
    with psycopg.connect(archive.archive.index.database_url) as connection:
        connection.execute("LOCK TABLE h_default.study")
        yield


def test_a_search_without_end_is_told_to_be_narrower(archive: "Site", client: httpx.Client) -> None:
    """PS3.18 Table 10.6.3-1: 413 with a sentence; the connection is free again."""
    index = archive.archive.index
    index.search_seconds, before = 0.1, index.search_seconds
    try:
        with somebody_holds_the_table(archive):
            response = client.get("/dicom-web/studies", params={"StudyDescription": "*x*"})
    finally:
        index.search_seconds = before
    assert response.status_code == 413
    assert "narrow" in response.json()["title"]
    assert client.get("/dicom-web/studies").status_code == 200


def test_a_name_full_of_markup_stays_text(client: httpx.Client) -> None:
    """Nobody's browser runs what a sender put into a name."""
    response = client.get("/dicom-web/studies", params={"PatientID": "BN-004"})
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.json()[0]["00100010"]["Value"] == [{"Alphabetic": EVIL}]
    xml = client.get("/dicom-web/studies", params={"PatientID": "BN-004"}, headers={"Accept": XML})
    assert b"<script" not in xml.content


KEYWORDS = st.sampled_from(
    (
        *("PatientName", "StudyDate", "StudyTime", "StudyInstanceUID", "PatientID", "ModalitiesInStudy"),
        *("SeriesNumber", "RequestAttributesSequence.RequestedProcedureID", "PatientAge", "00100010", "Rows"),
        *("fuzzymatching", "emptyvaluematching", "includefield", "limit", "offset", "TimezoneOffsetFromUTC"),
        *("InstanceNumber", "FrameOfReferenceUID", "SeriesDate", "OtherPatientIDsSequence.PatientID"),
    )
)
VALUES = st.one_of(
    st.text(max_size=40), st.sampled_from(["true", "all", "*", "?", '""', "-", "20240101-", "08-", "+0000", "1", "\\"])
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["/studies", "/series", "/instances"]), st.lists(st.tuples(KEYWORDS, VALUES), max_size=4))
def test_no_search_makes_the_archive_fail(client: httpx.Client, path: str, params: Any) -> None:
    """Whatever is asked is answered with JSON: results, or why not."""
    response = client.get(f"/dicom-web{path}", params=params)
    assert response.status_code in {200, 400}, (params, response.text)
    response.json()


def test_the_worst_of_the_corpus_is_valid_json(
    empty_database: str, tmp_path: Path, corpus_files: Callable[[str], list[Path]]
) -> None:
    """Malformed instances that could be filed are found, with all of their attributes, as JSON and XML."""
    migrate(empty_database)
    with opened(empty_database, tmp_path) as site:
        filed = 0
        for path in corpus_files("malformed/*"):
            try:
                site.receive(path.read_bytes())
            except Exception:  # noqa: S112  # what cannot be filed is refused at the door, see test_store
                continue
            filed += 1
        site.file()
        client = site.client()
        for level in ("studies", "series", "instances"):
            response = client.get(f"/dicom-web/{level}", params={"includefield": "all", "limit": 1000})
            assert response.status_code == 200
            assert b"<script" not in client.get(f"/dicom-web/{level}", headers={"Accept": XML}).content
            items = json.loads(response.content, parse_constant=pytest.fail)
            assert bool(items) == bool(filed)
            assert all(set(value) <= {"vr", "Value", "InlineBinary"} for item in items for value in item.values())
