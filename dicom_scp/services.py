"""DIMSE services beside C-STORE and C-ECHO: how they plug into a receiver.

Law: a service is a value, made by the composition root; the receiver knows none by name. Its handlers are pynetdicom's
(https://pydicom.github.io/pynetdicom: one for each DIMSE request, generators where there are several responses), run on
the association's own thread and get the `Caller` beside the event, so that nothing is answered without a hospital.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from pynetdicom.events import Event, EventType

from pacs.modalities import ALL_RIGHTS, AS_ASKED, Right

if TYPE_CHECKING:
    from dicom_scp.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, over one association: the hospital it was admitted to, both AE titles, and the address.

    ``rights``, ``transfer_syntaxes`` (wanted, best first) and ``character_set`` (for answers) are the registry's;
    ``extended`` is what both sides agreed on for a SOP class: Service-class-application-information (PS3.7 D.3.3.5).
    """

    hospital: str
    calling: str
    called: str
    address: str
    extended: Mapping[str, bytes] = field(default_factory=dict)
    rights: frozenset[Right] = ALL_RIGHTS
    transfer_syntaxes: tuple[str, ...] = ()
    character_set: str = AS_ASKED


Handler = Callable[[Event, Caller], Any]


@dataclass(frozen=True, slots=True)
class Service:
    """SOP classes that are served together, and who answers their requests.

    ``right`` is what the registry must grant for it: without, its presentation contexts are rejected. ``extended`` are
    the flags of SOP Class Extended Negotiation that the service understands, one byte each; with ``as_scu`` the archive
    is also the SCU of these classes on an association that the peer opened as their SCP (PS3.7 D.3.3.4). Requests in
    ``exchanges``, by their pynetdicom primitive, bypass the handlers: the service sends all responses itself.
    """

    right: Right
    abstract_syntaxes: tuple[str, ...]
    handlers: Mapping[EventType, Handler]
    extended: bytes = b""
    as_scu: bool = False
    exchanges: "Mapping[type[Any], Callable[[Exchange], None]]" = field(default_factory=dict)


class Services:
    """The services of a receiver, by abstract syntax."""

    def __init__(self, services: Sequence[Service] = ()) -> None:
        self._by_syntax = {uid: service for service in services for uid in service.abstract_syntaxes}
        self._events = {event for service in services for event in service.handlers}

    def of(self, abstract_syntax: str) -> Service | None:
        """The service that has this abstract syntax."""
        return self._by_syntax.get(abstract_syntax)

    def agreed(self, proposed: Mapping[str, bytes]) -> dict[str, bytes]:
        """Answers to Service-class-application-information by SOP class: what is asked for and understood."""
        answers = {}
        for uid, asked in proposed.items():
            service = self.of(uid)
            if service is not None and service.extended and asked:
                pairs = zip(asked, service.extended.ljust(len(asked), b"\0"), strict=False)
                answers[uid] = bytes(one & other for one, other in pairs)
        return answers

    def handlers(self, caller: Caller) -> Iterator[tuple[EventType, Callable[[Event], Any]]]:
        """One handler for each event; several services may have requests of one kind, such as C-FIND."""
        for event in self._events:
            yield event, partial(self._handle, caller)

    def exchange(self, abstract_syntax: str, request: type[Any]) -> "Callable[[Exchange], None] | None":
        """Who answers such a request without pynetdicom, if anybody."""
        service = self.of(abstract_syntax)
        return service.exchanges.get(request) if service else None

    def _handle(self, caller: Caller, event: Event) -> Any:
        service = self.of(str(event.context.abstract_syntax))
        handler = service.handlers.get(event.event) if service else None
        if handler is None:
            raise NotImplementedError(f"{event.event.name} of {event.context.abstract_syntax}")
        return handler(event, caller)
