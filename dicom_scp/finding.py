"""The course of a C-FIND, whatever is searched (PS3.7 9.1.2, PS3.4 C.4.1.3).

Law: matches are sent as they are found, none is collected; nothing is held in the database while the peer reads. The
peer may cancel between two matches or go away. A failure after the first match is a failure: the peer must not take
half a list for the whole.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dicom_scp.command_set import C_FIND_RSP, retrieve_response
from dicom_scp.exchange import Exchange
from dicom_scp.find_statuses import FindStatus, find_answer_to
from dicom_scp.identifiers import Asked, asked_for, encoded, read_identifier
from dicom_scp.services import Caller
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


def answer_with(find: Find, exchange: Exchange) -> None:
    """Answer a C-FIND request with what ``find`` finds."""
    status, comment = FindStatus.UNABLE_TO_PROCESS, ""
    try:
        status = _send_matches(find, exchange)
    except Exception as error:  # the edge: every failure must become a status
        status, comment = find_answer_to(error)
        foreign = None if isinstance(error, ArchiveError) else error
        LOG.warning("query of %s answered 0x%04X: %s", exchange.caller.calling, status, comment, exc_info=foreign)
    exchange.respond(_response(exchange, status, comment=comment))


def _send_matches(find: Find, exchange: Exchange) -> FindStatus:
    """Send what is found; the status to end with."""
    if exchange.request.Identifier is None:
        raise Unreadable("the request has no Identifier")
    asked = read_identifier(exchange.request.Identifier.getvalue(), exchange.transfer_syntax_uid)
    matches = find(asked, exchange.sop_class_uid, exchange.caller)
    pending = _response(
        exchange, FindStatus.PENDING_WITH_WARNING if matches.warning else FindStatus.PENDING, with_identifier=True
    )
    for found in matches.found:
        if exchange.is_cancelled or exchange.has_ended:
            return FindStatus.CANCEL
        answer = {**asked_for(asked.data_set, found), **matches.added}
        exchange.respond(pending, encoded(answer, matches.character_sets, exchange.transfer_syntax_uid))
    return FindStatus.SUCCESS


def _response(exchange: Exchange, status: FindStatus, *, comment: str = "", with_identifier: bool = False) -> bytes:
    return retrieve_response(
        C_FIND_RSP,
        exchange.sop_class_uid,
        exchange.request.MessageID,
        status,
        comment=comment,
        with_identifier=with_identifier,
    )
