"""The course of a C-FIND, whatever is searched (PS3.7 9.1.2, PS3.4 C.4.1.3).

Law: matches are sent as they are found, none is collected; nothing is held in the database while the peer reads. The
peer may cancel between two matches or go away. A failure after the first match is a failure: the peer must not take
half a list for the whole.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydicom.dataset import Dataset
from pynetdicom.dimse_primitives import C_FIND
from pynetdicom.events import Event

from dicom_scp.find_statuses import FindStatus, find_answer_to
from dicom_scp.identifiers import Asked, asked_for, encoded, read_identifier
from dicom_scp.services import Caller, Handler
from pacs.errors import ArchiveError, Unreadable

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Matches:
    """What was found: DICOM JSON, of which the keys asked for are answered; ``added`` is in every answer.

    ``warning``: keys were asked for that are not supported. ``character_sets``: tried in turn for every answer.
    """

    found: Iterable[Mapping[str, Any]]
    added: Mapping[str, Any]
    warning: bool
    character_sets: tuple[str, ...]


Find = Callable[[Asked, str, Caller], Matches]  # the Identifier, the SOP class, who asks
_Answer = tuple[int | Dataset, Dataset | None]


def find_handler(find: Find) -> Handler:
    """A handler of C-FIND requests that answers what ``find`` finds."""

    def handle(event: Event, caller: Caller) -> Iterator[_Answer]:
        try:
            yield from _answers(event, caller, find)
        except Exception as error:  # the edge: every failure must become a status
            yield _failure(error, caller), None

    return handle


def _answers(event: Event, caller: Caller, find: Find) -> Iterator[_Answer]:
    identifier = cast("C_FIND", event.request).Identifier
    if identifier is None:
        raise Unreadable("the request has no Identifier")
    syntax = str(event.context.transfer_syntax)
    asked = read_identifier(identifier.getvalue(), syntax)
    matches = find(asked, str(event.context.abstract_syntax), caller)
    status = FindStatus.PENDING_WITH_WARNING if matches.warning else FindStatus.PENDING
    for found in matches.found:
        if event.is_cancelled:
            yield int(FindStatus.CANCEL), None
            return
        if event.assoc.acse.is_aborted():  # nobody reads any more
            return
        answer = {**asked_for(asked.data_set, found), **matches.added}
        yield int(status), encoded(answer, matches.character_sets, syntax)


def _failure(error: Exception, caller: Caller) -> Dataset:
    status, comment = find_answer_to(error)
    if isinstance(error, ArchiveError):
        LOG.warning("query of %s answered 0x%04X: %s", caller.calling, status, comment)
    else:
        LOG.error("query of %s answered 0x%04X", caller.calling, status, exc_info=error)
    answer = Dataset()
    answer.Status = int(status)
    answer.ErrorComment = comment
    return answer
