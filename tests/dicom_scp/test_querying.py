"""Odd archives that are asked: they refuse, fall silent, count wrongly, or answer with nonsense."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from dicom_scp.outgoing import Outgoing, Patience
from dicom_scp.querying import STUDY_ROOT_FIND, STUDY_ROOT_MOVE, StudyKeys, fetch, studies
from pacs.errors import Unavailable
from pacs.modalities import FOLDED, Destination, Modality

OUTGOING = Outgoing(patience=Patience(association=2, response=1, silence=2))
Answers = Callable[[Any], Iterator[Any]]


@contextmanager
def archive(
    *, find: Answers | None = None, move: Answers | None = None, character_set: str = ""
) -> Iterator[Destination]:
    """An archive that answers so."""
    entity = AE("OLD")
    entity.add_supported_context(STUDY_ROOT_FIND)
    entity.add_supported_context(STUDY_ROOT_MOVE)
    handlers: Any = [(event, one) for event, one in ((evt.EVT_C_FIND, find), (evt.EVT_C_MOVE, move)) if one]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        port = server.server_address[1]
        modality = Modality(
            hospital="default", ae_title="OLD", address="127.0.0.1", port=port, character_set=character_set
        )
        yield Destination("PACS", modality)
    finally:
        server.shutdown()


def match(**values: str) -> Dataset:
    """A match."""
    found = Dataset()
    for keyword, value in values.items():
        setattr(found, keyword, value)
    return found


def test_matches_are_values_whatever_is_missing() -> None:
    """A match without counts or names is one; control characters of a peer never reach a terminal."""

    def find(event: Any) -> Iterator[Any]:
        assert event.identifier.PatientName == "Nguyen*"
        yield 0xFF00, match(StudyInstanceUID="1.2.3")
        yield 0xFF01, match(StudyInstanceUID="1.2.4", PatientID="A\x1b[31mB", NumberOfStudyRelatedInstances="12")

    with archive(find=find, character_set=FOLDED) as peer:
        one, other = studies(OUTGOING, peer, StudyKeys(patient_name="Nguyễn*"))
    assert (one.study_instance_uid, one.instances, one.patient_name) == ("1.2.3", None, "")
    assert (other.patient_id, other.instances) == ("A[31mB", 12)


def test_a_failure_after_matches_is_no_end_of_the_list() -> None:
    """Half a list must not be taken for the whole."""

    def find(_: Any) -> Iterator[Any]:
        yield 0xFF00, match(StudyInstanceUID="1.2.3")
        yield 0xA700, None

    with archive(find=find) as peer, pytest.raises(Unavailable, match="OLD answers a C-FIND with 0xA700"):
        list(studies(OUTGOING, peer, StudyKeys(patient_id="1")))


def test_a_silent_archive_is_given_up() -> None:
    """Waiting has an end, and is no success."""
    import threading  # noqa: PLC0415  # only here

    ended = threading.Event()

    def find(_: Any) -> Iterator[Any]:
        ended.wait(10)
        yield 0x0000, None

    with archive(find=find) as peer:
        with pytest.raises(Unavailable, match="OLD did not answer a C-FIND"):
            list(studies(OUTGOING, peer, StudyKeys(patient_id="1")))
        ended.set()


def test_an_archive_that_does_not_know_us_is_told_of() -> None:
    """Move Destination unknown is what every installer meets first."""

    def move(event: Any) -> Iterator[Any]:
        assert event.move_destination == "PACS"
        yield None, None

    with archive(move=move) as peer, pytest.raises(Unavailable, match="OLD answers a C-MOVE with 0xA801"):
        list(fetch(OUTGOING, peer, "1.2.3"))
