"""What DIMSE-N services have in common: reading a request's data set, and answering when it is not carried out.

Law: one table of statuses (PS3.7 Annex C), one total table from the error tree to them. A data set is read by our own
parser, which tolerates what modalities send; pynetdicom is only asked for its bytes.
"""

import logging
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import wraps
from io import BytesIO
from typing import Any

from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pynetdicom.events import Event

from dicom_scp.services import Caller
from dicom_scp.statuses import answer_to
from pacs import errors
from pacs.dataset import DataSet, read_data_set

LOG = logging.getLogger(__name__)


class NormalizedStatus(IntEnum):
    """Status (0000,0900) of a DIMSE-N response (PS3.7 Annex C)."""

    SUCCESS = 0x0000
    INVALID_ATTRIBUTE_VALUE = 0x0106
    ATTRIBUTE_LIST_ERROR = 0x0107  # a warning: some attributes were not taken
    PROCESSING_FAILURE = 0x0110
    DUPLICATE_SOP_INSTANCE = 0x0111
    NO_SUCH_SOP_INSTANCE = 0x0112
    INVALID_ARGUMENT_VALUE = 0x0115
    INVALID_SOP_INSTANCE = 0x0117
    MISSING_ATTRIBUTE = 0x0120
    MISSING_ATTRIBUTE_VALUE = 0x0121
    NO_SUCH_ACTION = 0x0123
    NOT_AUTHORIZED = 0x0124
    RESOURCE_LIMITATION = 0x0213


NORMALIZED_STATUSES: Mapping[type[errors.ArchiveError], NormalizedStatus] = {
    errors.ArchiveError: NormalizedStatus.PROCESSING_FAILURE,
    errors.Unreadable: NormalizedStatus.INVALID_ARGUMENT_VALUE,
    errors.Unidentified: NormalizedStatus.INVALID_ARGUMENT_VALUE,
    errors.OutOfResources: NormalizedStatus.RESOURCE_LIMITATION,
    errors.Unavailable: NormalizedStatus.RESOURCE_LIMITATION,
    errors.NotFound: NormalizedStatus.NO_SUCH_SOP_INSTANCE,
    errors.InvalidRequest: NormalizedStatus.INVALID_ARGUMENT_VALUE,
    errors.TooBroad: NormalizedStatus.RESOURCE_LIMITATION,
    errors.NotAcceptable: NormalizedStatus.PROCESSING_FAILURE,
    errors.NotRenderable: NormalizedStatus.PROCESSING_FAILURE,
    errors.NotSignedIn: NormalizedStatus.NOT_AUTHORIZED,
    errors.NotAllowed: NormalizedStatus.NOT_AUTHORIZED,
    errors.Damaged: NormalizedStatus.PROCESSING_FAILURE,
    errors.Misconfigured: NormalizedStatus.PROCESSING_FAILURE,
}

Answer = tuple[Dataset, Dataset | None]
Handler = Callable[[Event, Caller], Answer]


def answer(status: int, comment: str = "", *, error_id: int = 0) -> Answer:
    """A response without data set."""
    values = Dataset()
    values.Status = int(status)
    if comment:
        values.ErrorComment = comment[:64]
    if error_id:
        values.ErrorID = error_id
    return values, None


def answering(handle: Handler) -> Handler:
    """The same handler, with its errors as statuses; what is unforeseen says nothing of itself."""

    @wraps(handle)
    def handled(event: Event, caller: Caller) -> Answer:
        try:
            return handle(event, caller)
        except Exception as error:  # the edge: the peer must be answered whatever failed
            status = NormalizedStatus.PROCESSING_FAILURE
            if isinstance(error, errors.ArchiveError):
                status = NORMALIZED_STATUSES[type(error)]
            else:
                LOG.error("%s failed: %s", event.event.name, type(error).__name__)  # noqa: TRY400  # its text may quote a patient
            return answer(status, answer_to(error)[1])

    return handled


def told(**values: Any) -> Dataset:
    """A data set by keywords, with what others said taken as it is: pydicom would warn of every UID that is wrong."""
    data_set = Dataset()
    for keyword, value in values.items():
        data_set.add(DataElement(keyword, dictionary_VR(keyword), value, validation_mode=IGNORE))
    return data_set


def data_set_of(event: Event, sent: BytesIO | Any) -> DataSet:
    """The data set of a request, empty when it has none; raises Unreadable."""
    encoded = sent.getvalue() if sent is not None else b""
    return read_data_set(encoded, str(event.context.transfer_syntax))
