"""Processes kept alive: start, restart with back-off, stop in order.

Law: this file knows processes, not what they do. Children are started from the main thread alone, because the kernel
ties a child's life to the *thread* that started it; each has its own process group, so that the terminal's Ctrl-C
reaches the supervisor only and the order of stopping is ours.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dicom_scp.listener import FIRST_INHERITED_DESCRIPTOR
from pacs.cli.lifeline import PARENT, Interruption

LOOK = 0.1  # seconds between two looks at the children
FIRST_DELAY, LONGEST_DELAY = 0.2, 5.0  # seconds before a dead part is started again: doubled each time
SETTLED = 20.0  # a part that lived this long has recovered; its next death is a first one again

Say = Callable[[str, str], None]  # name of the part, one line of its output


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process that must run."""

    name: str
    command: Sequence[str]
    stage: int  # parts are stopped by stage, lowest first
    listeners: Sequence[socket.socket] = ()
    patience: float = 30.0  # seconds to finish after SIGTERM, then it is killed


@dataclass(slots=True)
class _Child:
    part: Part
    pid: int = 0  # 0: not running
    started: float = 0.0
    delay: float = 0.0
    due: float = 0.0
    reader: threading.Thread | None = field(default=None, repr=False)


class Supervisor:
    """Keeps parts running until asked to stop, forwarding what they print, line by line, to ``say``."""

    def __init__(self, *, environment: Mapping[str, str], say: Say) -> None:
        self._children: list[_Child] = []
        self._environment = {**environment, PARENT: str(os.getpid())}
        self._say = say

    def keep(self, parts: Iterable[Part]) -> None:
        """Take these parts into care and start them."""
        self._children += [_Child(part) for part in parts]
        self.look()

    def pids(self) -> dict[str, int]:
        """Process id of each part that runs now, by name."""
        return {child.part.name: child.pid for child in self._children if child.pid}

    def run(self, interruption: Interruption, *, also: Callable[[], None] = lambda: None) -> None:
        """Keep every part alive until interrupted, then stop all in order; a second interruption kills them.

        ``also`` is called with every look at the children, for what is kept alive beside them.
        """
        try:
            while not interruption.asked:
                self.look()
                also()
                time.sleep(LOOK)
            self.stop()
        except KeyboardInterrupt:
            self.kill()

    def look(self) -> None:
        """Start what is due, notice what has died."""
        now = time.monotonic()
        for child in self._children:
            if not child.pid and now >= child.due:
                self._start(child)
            elif child.pid and (status := _reaped(child.pid)) is not None:
                child.pid = 0
                child.delay = FIRST_DELAY if now - child.started > SETTLED else longer(child.delay)
                child.due = now + child.delay
                self._say(child.part.name, f"{_ending(status)}; starting it again in {child.delay:.1f} s")

    def stop(self) -> None:
        """SIGTERM stage by stage, waiting for each; a part out of patience is killed."""
        for stage in sorted({child.part.stage for child in self._children}):
            staged = [child for child in self._children if child.pid and child.part.stage == stage]
            for child in staged:
                os.kill(child.pid, signal.SIGTERM)
            deadline = time.monotonic() + max((child.part.patience for child in staged), default=0)
            while any(child.pid for child in staged):
                late = time.monotonic() > deadline
                for child in staged:
                    self._bury(child, forced=late)
                time.sleep(LOOK / 4)

    def kill(self) -> None:
        """End everything at once; what was acknowledged is on disk, so this loses only time."""
        for child in self._children:
            if child.pid:
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
                child.pid = 0

    def _bury(self, child: _Child, *, forced: bool) -> None:
        if not child.pid:
            return
        if _reaped(child.pid) is None:
            if not forced:
                return
            self._say(child.part.name, "does not stop; killing it")
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
        child.pid = 0
        if child.reader:
            child.reader.join(1)  # its last words, before the supervisor's own

    def _start(self, child: _Child) -> None:
        part = child.part
        output, input_ = os.pipe()
        # dup2 clears close-on-exec, everything else of ours stays closed in the child
        actions: list[tuple[int, ...]] = [(os.POSIX_SPAWN_DUP2, input_, 1), (os.POSIX_SPAWN_DUP2, input_, 2)]
        environment = dict(self._environment)
        environment.pop("LISTEN_FDS", None)
        if part.listeners:
            actions += handed_on([listener.fileno() for listener in part.listeners])
            environment["LISTEN_FDS"] = str(len(part.listeners))
        try:
            child.pid = os.posix_spawn(
                part.command[0], list(part.command), environment, file_actions=actions, setpgroup=0, setsigmask=()
            )
        finally:
            os.close(input_)
        child.started = time.monotonic()
        child.reader = threading.Thread(target=self._forward, args=(part.name, output), daemon=True)
        child.reader.start()

    def _forward(self, name: str, output: int) -> None:
        with os.fdopen(output, "r", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                self._say(name, line.rstrip("\n"))


def handed_on(descriptors: Sequence[int]) -> list[tuple[int, ...]]:
    """Actions of posix_spawn by which a child has ``descriptors`` where it looks for them.

    By way of high numbers: one of them may stand where another has to go, and dup2 to the same number would leave it
    closed on exec.
    """
    there = [*range(FIRST_INHERITED_DESCRIPTOR, FIRST_INHERITED_DESCRIPTOR + len(descriptors))]
    between = [max([*descriptors, *there]) + 1 + number for number in range(len(descriptors))]
    actions: list[tuple[int, ...]] = [
        (os.POSIX_SPAWN_DUP2, own, free) for own, free in zip(descriptors, between, strict=True)
    ]
    for free, wanted in zip(between, there, strict=True):
        actions += [(os.POSIX_SPAWN_DUP2, free, wanted), (os.POSIX_SPAWN_CLOSE, free)]
    return actions


def pacs_command(*arguments: str) -> tuple[str, ...]:
    """This program again, with other arguments."""
    return (sys.executable, "-m", "pacs.cli", *arguments)


def longer(delay: float) -> float:
    """The next delay before starting again what keeps dying, in seconds."""
    return min(delay * 2 or FIRST_DELAY, LONGEST_DELAY)


def _reaped(pid: int) -> int | None:
    """Wait status of a child that has ended, None while it runs."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return status if ended else None


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"ended with code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
