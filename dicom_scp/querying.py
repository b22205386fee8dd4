"""Query/Retrieve as user, Study Root: what another archive has, and that it sends it here (PS3.4 C.4.1, C.4.2).

Law: nothing that a peer says is trusted to be well-formed, or complete: its numbers are passed on, to be compared with
what arrived. A peer that falls silent, or says anything but success, is an error, never the end of a list.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pynetdicom import _config
from pynetdicom.association import Association
from pynetdicom.dsutils import decode, encode
from pynetdicom.presentation import build_context

from dicom_scp.identifiers import character_sets, encoded
from dicom_scp.negotiation import UNCOMPRESSED
from dicom_scp.normalized import told
from dicom_scp.outgoing import Outgoing
from pacs.dataset import DataSet, read_data_set
from pacs.errors import Unavailable, Unreadable
from pacs.modalities import Destination
from pacs.transfer_syntaxes import IMPLICIT_LE

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
_SUCCESS, _INCOMPLETE = 0x0000, 0xB000
_PENDING = 0xFF00, 0xFF01
_KINDS = ("Completed", "Failed", "Warning")  # of sub-operations

# pynetdicom would format every question and match, patients' names, for its log
_config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyKeys:
    """What is asked for, in the standard's matching: ``NGUYEN^*``, ``20240101-20241231``; "" matches everything."""

    study_instance_uid: str = ""
    patient_id: str = ""
    patient_name: str = ""
    study_date: str = ""
    modality: str = ""
    accession_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStudy:
    """A study as its archive tells of it; ``instances``: Number of Study Related Instances, None if it does not say."""

    study_instance_uid: str
    patient_id: str
    patient_name: str
    study_date: str
    modalities: str
    accession_number: str
    study_description: str
    instances: int | None


@dataclass(frozen=True, slots=True)
class Moved:
    """Sub-operations of a C-MOVE so far; ``remaining`` is None when the peer does not say, as at the end."""

    remaining: int | None
    completed: int
    failed: int
    warning: int


def studies(outgoing: Outgoing, peer: Destination, keys: StudyKeys) -> Iterator[FoundStudy]:
    """The studies that ``peer`` finds; raises Unavailable, Misconfigured."""
    with _associated(outgoing, peer, STUDY_ROOT_FIND) as association:
        syntax = association.accepted_contexts[0].transfer_syntax[0]
        for status, found in association.send_c_find(_identifier(peer, keys, syntax), STUDY_ROOT_FIND):
            code = _checked(status, peer, "C-FIND", allowed=(_SUCCESS, *_PENDING))
            if code == _SUCCESS:
                return
            if found is None:
                raise Unavailable(f"{peer.modality.ae_title} answers with what is no data set")
            yield _study(_read(found, syntax))


def fetch(outgoing: Outgoing, peer: Destination, study_instance_uid: str) -> Iterator[Moved]:
    """Have ``peer`` store one study to our own AE title; its counters as they change.

    Ends without an error when single instances failed: they are counted. Raises Unavailable, Misconfigured.
    """
    identifier = told(QueryRetrieveLevel="STUDY", StudyInstanceUID=study_instance_uid)
    with _associated(outgoing, peer, STUDY_ROOT_MOVE) as association:
        for status, _ in association.send_c_move(identifier, peer.calling, STUDY_ROOT_MOVE):
            _checked(status, peer, "C-MOVE", allowed=(_SUCCESS, _INCOMPLETE, *_PENDING))
            remaining = status.get("NumberOfRemainingSuboperations")
            numbers = [int(status.get(f"NumberOf{kind}Suboperations") or 0) for kind in _KINDS]
            yield Moved(None if remaining is None else int(remaining), *numbers)


@contextmanager
def _associated(outgoing: Outgoing, peer: Destination, model: str) -> Iterator[Association]:
    """An association for one question; whoever stops listening early aborts it, so that the peer stops as well."""
    association = outgoing.associate(peer, [build_context(model, list(UNCOMPRESSED))])
    try:
        yield association
    except BaseException:
        if association.is_established:
            association.abort()
        raise
    if association.is_established:
        association.release()


def _identifier(peer: Destination, keys: StudyKeys, syntax: str) -> Dataset:
    """The Identifier, with every answered attribute as a key, in characters that the registry says the peer reads."""
    asked = {
        "QueryRetrieveLevel": "STUDY",
        "StudyInstanceUID": keys.study_instance_uid,
        "PatientID": keys.patient_id,
        "PatientName": keys.patient_name,
        "StudyDate": keys.study_date,
        "ModalitiesInStudy": keys.modality,
        "AccessionNumber": keys.accession_number,
        "StudyDescription": "",
        "NumberOfStudyRelatedInstances": "",
    }
    item = {f"{tag_for_keyword(keyword):08X}": _attribute(dictionary_VR(keyword), asked[keyword]) for keyword in asked}
    sets = character_sets("", peer.modality.character_set)
    return decode(BytesIO(encoded(item, sets, syntax)), is_implicit_vr=syntax == IMPLICIT_LE, is_little_endian=True)


def _attribute(vr: str, value: str) -> dict[str, Any]:
    if not value:
        return {"vr": vr}
    return {"vr": vr, "Value": [{"Alphabetic": value} if vr == "PN" else value]}


def _checked(status: Dataset, peer: Destination, command: str, *, allowed: Sequence[int]) -> int:
    """The status, when it is one of ``allowed``; raises Unavailable."""
    title = peer.modality.ae_title
    if "Status" not in status:
        raise Unavailable(f"{title} did not answer a {command}")
    if status.Status not in allowed:
        comment = "".join(filter(str.isprintable, str(status.get("ErrorComment", ""))))
        raise Unavailable(f"{title} answers a {command} with 0x{status.Status:04X} {comment}".rstrip())
    return int(status.Status)


def _read(found: Dataset, syntax: str) -> DataSet:
    """A match as our own parser reads it; pydicom has not looked at the values yet, and gives the bytes back as is."""
    as_sent = encode(found, is_implicit_vr=syntax == IMPLICIT_LE, is_little_endian=True)
    if as_sent is None:
        raise Unreadable("a match is no data set")
    return read_data_set(as_sent, syntax)


_UID, _ID, _NAME, _DATE, _MODALITIES = 0x0020000D, 0x00100020, 0x00100010, 0x00080020, 0x00080061
_ACCESSION_NUMBER, _DESCRIPTION, _INSTANCES = 0x00080050, 0x00081030, 0x00201208


def _study(found: DataSet) -> FoundStudy:
    def shown(tag: int) -> str:
        return "".join(filter(str.isprintable, ", ".join(found.texts(tag))))

    return FoundStudy(
        study_instance_uid=found.text(_UID),
        patient_id=shown(_ID),
        patient_name=shown(_NAME),
        study_date=shown(_DATE),
        modalities=shown(_MODALITIES),
        accession_number=shown(_ACCESSION_NUMBER),
        study_description=shown(_DESCRIPTION),
        instances=found.integer(_INSTANCES),
    )
