"""What the tests of C-GET and C-MOVE ask, and how they read the answers."""

import io
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pynetdicom.ae import ApplicationEntity
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from pacs.file_meta import file_meta
from pacs.model import Source
from pacs.transfer_syntaxes import TRANSFER_SYNTAXES
from tests.dicom_scp.retrieve.conftest import CT, Filled

PATIENT_ROOT_MOVE, STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2", "1.2.840.10008.5.1.4.1.2.2.2"
PATIENT_ROOT_GET, STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.1.3", "1.2.840.10008.5.1.4.1.2.2.3"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"

Responses = list[tuple[Dataset, Any]]


def identifier(level: str, **keys: Any) -> Dataset:
    """An Identifier."""
    asked = Dataset()
    asked.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    return asked


def moved(
    filled: Filled,
    asked: Dataset,
    *,
    to: str = "STORESCP",
    model: str = STUDY_ROOT_MOVE,
    called: str = "PACS",
    relational: bool = False,
    priority: int = 2,
) -> Responses:
    """All responses to one C-MOVE request."""
    entity = ApplicationEntity("TEST")
    entity.add_requested_context(model)
    entity.dimse_timeout = 60
    extended: list[Any] = []
    if relational:
        item = SOPClassExtendedNegotiation()
        item.sop_class_uid, item.service_class_application_information = model, b"\x01"
        extended.append(item)
    association = entity.associate("127.0.0.1", filled.port, ae_title=called, ext_neg=extended)
    try:
        return list(association.send_c_move(asked, to, model, msg_id=77, priority=priority))
    finally:
        association.release()


def tally(response: Dataset) -> tuple[int, int, int, int]:
    """Status, completed, failed, warning."""
    return (
        response.Status,
        response.NumberOfCompletedSuboperations,
        response.NumberOfFailedSuboperations,
        response.NumberOfWarningSuboperations,
    )


def pixels(data_set: bytes, syntax: str) -> Any:
    """The samples of an instance as pydicom decodes them, or None."""
    if TRANSFER_SYNTAXES[syntax].deflated or syntax == JPEG_EXTENDED:  # pydicom has no decoder of 12 bits
        return None
    read = read_back(data_set, syntax)
    return read.pixel_array if "PixelData" in read else None


def read_back(data_set: bytes, syntax: str) -> Dataset:
    """A data set as pydicom reads it."""
    return pydicom.dcmread(io.BytesIO(file_meta(CT, "1.2.3", syntax, Source()) + data_set))
