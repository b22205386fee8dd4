"""An archive with patients of many scripts behind a running receiver, shared by all tests that only ask."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pynetdicom.ae import ApplicationEntity
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from dicom_scp.find import find_service
from dicom_scp.listener import bind_listener
from dicom_scp.receiver import run_receiver
from dicom_scp.worklist import worklist_service
from pacs.file_meta import read_file_meta
from pacs.modalities import Admitted, Roster
from pacs.model import Source
from pacs.settings import Settings
from storage.archive import Archive, open_archive
from storage.index import add_hospital, migrate
from storage.ingest import Worker
from storage.spool import Spool

PATIENT_ROOT = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT_LE, EXPLICIT_LE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"

# Patient ID, name, Specific Character Set of the instance, date, time, modality, accession number, instances
STUDIES = (
    ("P1", "NGUYỄN^VĂN A", "ISO_IR 192", "20240105", "081500", "CT", "A1", 3),
    ("P1", "NGUYỄN^VĂN A", "ISO_IR 192", "20240212", "233000", "MR", "A2", 2),
    ("P2", "TRẦN^THỊ BƯỞI", "ISO_IR 192", "20240213", "003000", "CT", "A3", 1),
    ("P3", "Äneas^Rüdiger", "ISO_IR 100", "20240301", "120000", "CR", "A4", 1),
    ("P4", "Wang^XiaoDong=王^小东", "GB18030", "20240302", "120000.500", "CT", "A5", 1),
    ("P5", "Yamada^Tarou=山田^太郎=やまだ^たろう", "\\ISO 2022 IR 87", "20240303", "", "US", "A6", 1),
    ("P6", "LE VAN C44T", "", "20240304", "070000", "DX", "", 1),
)


MANY = 8000  # studies of the hospital whose AE title is LARGE
_MANY_STUDIES = """
WITH who AS (
    INSERT INTO h_large.patient (
        issuer_of_patient_id, patient_id, unidentified_study, patient_name, patient_name_folded, patient_birth_date,
        patient_sex, first_received_at, first_sop_instance_uid
    ) VALUES ('', 'P', '', 'A', 'a', '', '', 0, '1') RETURNING patient_pk
)
INSERT INTO h_large.study (
    patient_pk, first_received_at, number_of_study_related_series, number_of_study_related_instances,
    study_instance_uid, study_date, study_time, accession_number, study_id, study_description,
    referring_physician_name, referring_physician_name_folded, issuer_of_patient_id, patient_id, patient_name,
    patient_name_folded, patient_birth_date, patient_sex, first_sop_instance_uid, modalities_in_study, attributes
)
SELECT patient_pk, 0, 1, 1, '1.2.9.' || n, '20240101', '', '', '', '', '', '', '', 'P', 'A', 'a', '', '', '1', '{CT}',
    jsonb_build_object('0020000D', jsonb_build_object('vr', 'UI', 'Value', jsonb_build_array('1.2.9.' || n)))
FROM who, generate_series(1, %(count)s) AS n
"""


@dataclass
class Peer:
    """Asks a running receiver, as pynetdicom does it."""

    port: int
    archive: Archive
    admitted: dict[str, Admitted] = field(default_factory=dict)  # by calling AE title, when not all rights

    def find(
        self,
        sop_class: str,
        identifier: Dataset,
        *,
        extended: bytes = b"",
        calling: str = "ASKER",
        syntax: str = EXPLICIT_LE,
        called: str = "PACS",
    ) -> list[tuple[int, Dataset | None]]:
        """Status and Identifier of every response."""
        entity = ApplicationEntity(calling)
        entity.add_requested_context(sop_class, syntax)
        negotiation: list[Any] = []
        if extended:
            negotiation.append(SOPClassExtendedNegotiation())
            negotiation[0].sop_class_uid = sop_class
            negotiation[0].service_class_application_information = extended
        association = entity.associate("127.0.0.1", self.port, ae_title=called, ext_neg=negotiation)
        assert association.is_established
        try:
            return [
                (int(status.Status), found)
                for status, found in association.send_c_find(identifier, query_model=sop_class)
            ]
        finally:
            association.release()

    def matches(self, sop_class: str, identifier: Dataset, **given: Any) -> list[Dataset]:
        """Identifiers of the pending responses of a search that ended well."""
        *pending, last = self.find(sop_class, identifier, **given)
        assert last[0] == 0, hex(last[0])
        return [found for _, found in pending if found is not None]


@pytest.fixture(scope="session")
def peer(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory, pydicom_file: Callable[[str], Path]
) -> Iterator[Peer]:
    """A receiver with all services on an archive of `STUDIES`."""
    folder, name = tmp_path_factory.mktemp("queried"), f"t_{uuid4().hex[:12]}"
    with ExitStack() as stack:
        connection = stack.enter_context(psycopg.connect(postgres_url, autocommit=True))
        connection.execute(f'CREATE DATABASE "{name}"')
        stack.callback(connection.execute, f'DROP DATABASE "{name}" WITH (FORCE)')
        url = urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
        migrate(url)
        add_hospital(url, "large", ae_title="LARGE")
        with psycopg.connect(url) as filling:
            filling.execute(_MANY_STUDIES, {"count": MANY})
        settings = Settings(data=folder, database_url=url, spool_free_floor=0, pack_quiet=0.0)
        archive = stack.enter_context(open_archive(settings))
        spool = Spool(folder, free_floor=0)
        _fill(spool, Worker(spool, archive, settings), pydicom_file("CT_small.dcm"))
        found = Peer(0, archive)
        roster = Roster({"PACS": "default", "LARGE": "large"})

        def admit(calling: str, called: str, address: str) -> Admitted:
            return found.admitted.get(calling) or roster.admit(calling, called, address, trust_local=True)

        listener = bind_listener("127.0.0.1", 0)
        found.port = listener.getsockname()[1]
        stop = threading.Event()
        services = [find_service(archive), worklist_service(archive)]
        run = partial(run_receiver, listener, spool, admit, stop, services=services, grace=1.0)
        thread = threading.Thread(target=run)
        thread.start()
        stack.callback(listener.close)
        stack.callback(thread.join, 30)
        stack.callback(stop.set)
        yield found


def _fill(spool: Spool, worker: Worker, template: Path) -> None:
    for number, study in enumerate(STUDIES, 1):
        for instance in range(1, study[-1] + 1):
            _receive(spool, _instance(template, number, instance))
    while spool.counts("default").files:
        worker.run_once()


def _instance(template: Path, number: int, instance: int) -> bytes:
    patient_id, name, character_set, date, time, modality, accession, _ = STUDIES[number - 1]
    found: Any = dcmread(template)
    found.SpecificCharacterSet = character_set.split("\\") if character_set else None
    found.PatientID, found.PatientName, found.PatientBirthDate = patient_id, name, "19700101"
    found.StudyDate, found.StudyTime, found.Modality, found.AccessionNumber = date, time, modality, accession
    found.StudyInstanceUID = f"1.2.3.{number}"
    found.SeriesInstanceUID = f"1.2.3.{number}.{(instance + 1) // 2}"
    found.SeriesNumber, found.InstanceNumber = (instance + 1) // 2, instance
    found.SOPInstanceUID = found.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}.0.{instance}"
    step = Dataset()
    step.RequestedProcedureID, step.ScheduledProcedureStepID = f"R{number}", f"S{number}"
    found.RequestAttributesSequence = Sequence([step])
    found.StudyID = str(number)
    buffer = io.BytesIO()
    dcmwrite(buffer, found, enforce_file_format=True)
    return buffer.getvalue()


def _receive(spool: Spool, part10: bytes) -> None:
    meta = read_file_meta(part10)
    source = Source(source_application_entity_title="CT1", receiving_application_entity_title="PACS")
    incoming = spool.begin(
        "default", sop_class_uid="", sop_instance_uid="", transfer_syntax_uid=meta.transfer_syntax_uid, source=source
    )
    incoming.write(memoryview(part10)[meta.data_set_offset :])
    incoming.finish()


@pytest.fixture
def keys() -> Callable[..., Dataset]:
    """An Identifier of keywords and values."""

    def make(level: str = "", **values: Any) -> Dataset:
        found = Dataset()
        if level:
            found.QueryRetrieveLevel = level
        for keyword, value in values.items():
            setattr(found, keyword, value)
        return found

    return make
