"""Sending instances with C-STORE: the one way out, for C-MOVE, C-GET, forwarding and the demo.

Law: every instance gets exactly one answer, and is counted as sent only when the peer said so. One instance is in
memory while it is sent, and the next one while it is prepared. An association that is lost is opened again where it
stopped; an instance over which it was lost twice is given up, and so is a peer that does not answer at all.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

from dicom_scp.command_set import Order, store_order
from dicom_scp.proposals import Proposal, choices, proposals, wanted
from dicom_scp.requestor import Patience, Peer, Requestor
from dicom_scp.sendable import Sendable
from pacs.errors import ArchiveError, NotAcceptable, Unavailable

LOG = logging.getLogger(__name__)

PAUSES = (0.5, 2.0, 5.0)  # seconds before a lost association is opened again; so many times in a row
_TRIES = 2  # of one instance over which associations are lost
_MESSAGE_IDS = 0xFFFF
_NOTHING = memoryview(b"")

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one instance; ``status`` is the peer's, None when it never answered for it."""

    instance: Sendable
    status: int | None
    comment: str = ""


class Link(Protocol):
    """An association over which we are SCU of storage."""

    @property
    def contexts(self) -> Mapping[Proposal, int]:
        """IDs of the accepted presentation contexts."""
        ...

    def store(self, context_id: int, command_set: bytes, data_set: memoryview, message_id: int) -> tuple[int, str]:
        """Send one instance; Status and Error Comment of its response. Raises ConnectionError, TimeoutError."""
        ...


@dataclass(frozen=True, slots=True)
class _Ready:
    """An instance as it will be sent; without ``context_id`` it cannot be, and ``comment`` says why."""

    instance: Sendable
    context_id: int = 0
    data_set: memoryview = _NOTHING
    comment: str = ""


def deliver(
    link: Link, instances: Iterable[Sendable], *, preferred: Sequence[str], order: Order, stop: Callable[[], bool]
) -> Iterator[Sent]:
    """Send ``instances`` over one association until ``stop``. Raises ConnectionError, TimeoutError where it breaks."""
    by_class: dict[str, dict[str, int]] = {}
    for context, context_id in link.contexts.items():
        by_class.setdefault(context.sop_class_uid, {}).setdefault(context.transfer_syntax_uid, context_id)

    def prepared(instance: Sendable) -> _Ready:
        return _prepared(instance, by_class.get(instance.sop_class_uid, {}), preferred)

    for number, ready in enumerate(_read_ahead(instances, prepared)):
        if stop():
            return
        if not ready.context_id:
            yield Sent(ready.instance, None, ready.comment)
            continue
        message_id = number % _MESSAGE_IDS + 1
        uid = ready.instance.sop_instance_uid
        command_set = store_order(message_id, ready.instance.sop_class_uid, uid, order)
        yield Sent(ready.instance, *link.store(ready.context_id, command_set, ready.data_set, message_id))


def send(
    peer: Peer,
    instances: Sequence[Sendable],
    *,
    order: Order | None = None,
    patience: Patience | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Sent]:
    """Send ``instances`` to ``peer`` over as few associations as their presentation contexts need, until ``stop``.

    Raises Unavailable when not even the first association can be opened; what fails later is said of each instance.
    """
    needs: dict[str, dict[str, None]] = {}
    for instance in instances:
        syntaxes = wanted(instance.transfer_syntaxes, peer.transfer_syntaxes)
        needs.setdefault(instance.sop_class_uid, {}).update(dict.fromkeys(syntaxes))
    has_begun = False
    for contexts in proposals(needs):
        classes = {context.sop_class_uid for context in contexts}
        queue = [instance for instance in instances if instance.sop_class_uid in classes]
        delivery = _Delivery(peer, contexts, queue, order=order or Order(), patience=patience or Patience(), stop=stop)
        try:
            yield from delivery.run()
        except Unavailable as error:
            if not has_begun and not delivery.has_begun:
                raise
            yield from (Sent(instance, None, error.detail) for instance in delivery.left())
        has_begun = True


class _Delivery:
    """What is sent over one set of presentation contexts, in as many associations as it takes."""

    def __init__(
        self,
        peer: Peer,
        contexts: Sequence[Proposal],
        queue: Sequence[Sendable],
        *,
        order: Order,
        patience: Patience,
        stop: Callable[[], bool],
    ) -> None:
        self._peer, self._contexts, self._order, self._patience, self._stop = peer, contexts, order, patience, stop
        self._queue = queue
        self._done = 0
        self._is_open = False
        self.has_begun = False

    def left(self) -> Sequence[Sendable]:
        """Those without an answer."""
        return self._queue[self._done :]

    def run(self) -> Iterator[Sent]:
        """Send all; raises Unavailable where it must be given up."""
        setbacks = tries = 0
        while self.left() and not self._stop():
            before, self._is_open = self._done, False
            try:
                yield from self._over_one_association()
            except OSError as error:
                if self._stop():
                    return
                if isinstance(error, TimeoutError):  # the next instance would wait as long, and the one after it
                    raise Unavailable(str(error)) from None
                has_moved = self._done > before
                setbacks = 1 if has_moved else setbacks + 1
                tries = int(self._is_open) if has_moved else tries + self._is_open
                if not self.has_begun or setbacks > len(PAUSES):
                    raise Unavailable(str(error)) from None
                LOG.warning("association lost after %s of %s: %s", self._done, len(self._queue), error)
                if tries >= _TRIES:
                    tries = 0
                    yield self._answered(Sent(self.left()[0], None, str(error)))
                self._pause(PAUSES[setbacks - 1])

    def _over_one_association(self) -> Iterator[Sent]:
        with Requestor(self._peer, self._contexts, patience=self._patience, stop=self._stop) as association:
            self.has_begun = self._is_open = True
            preferred = self._peer.transfer_syntaxes
            for sent in deliver(association, self.left(), preferred=preferred, order=self._order, stop=self._stop):
                yield self._answered(sent)

    def _answered(self, sent: Sent) -> Sent:
        self._done += 1
        return sent

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._stop():
            time.sleep(0.05)


def _prepared(instance: Sendable, contexts: Mapping[str, int], preferred: Sequence[str]) -> _Ready:
    comment = "no presentation context is accepted for it"
    for uid in choices(instance.transfer_syntaxes, preferred, contexts):
        try:
            return _Ready(instance, contexts[uid], instance.encoded(uid))
        except NotAcceptable as error:
            comment = f"it cannot be sent in an accepted transfer syntax: {error.detail}"
        except ArchiveError as error:
            comment = str(error)
            break
        except Exception:  # one instance that cannot be read must not end the others
            LOG.exception("instance %s cannot be sent", instance.sop_instance_uid)
            comment = "the archive failed; its log says why"
            break
    return _Ready(instance, comment=comment)


def _read_ahead(items: Iterable[_Item], prepare: Callable[[_Item], _Result]) -> Iterator[_Result]:
    """Each item prepared, the next one while its predecessor is used."""
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as pool:
        coming = (pool.submit(prepare, item) for item in items)
        current = next(coming, None)
        while current is not None:
            result = current.result()
            current = next(coming, None)
            yield result
            del result  # its bytes must not stay while the next one is waited for
