"""The embedded PostgreSQL, kept alive beside the other parts.

Law: the engine is started, restarted and stopped by the supervisor's main thread, because the kernel ends it with the
thread that started it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pacs.cli.opening import on_embedded
from pacs.cli.supervise import Say, longer
from pacs.errors import ArchiveError
from pacs.settings import Settings
from storage.postgres import Engine


class EngineKeeper:
    """Starts an engine that died again, with back-off."""

    def __init__(self, engine: Engine, say: Say) -> None:
        self._engine = engine
        self._say = say
        self._delay = 0.0
        self._due = 0.0

    def look(self) -> None:
        """Restart the engine when it is down and the back-off allows."""
        if self._engine.running:
            self._delay = 0.0
        elif time.monotonic() >= self._due:
            self._say("postgres", "is down; starting it again")
            try:
                self._engine.start()
                self._say("postgres", "answers again")
            except ArchiveError as error:
                self._delay = longer(self._delay)
                self._due = time.monotonic() + self._delay
                self._say("postgres", str(error))


@contextmanager
def kept_database(settings: Settings, say: Say) -> Iterator[tuple[Settings, EngineKeeper | None]]:
    """Settings with the URL of a database that answers, and who keeps it alive when it is the embedded one."""
    if not settings.embedded_database:
        yield settings, None
        return
    engine = Engine(settings.data)
    try:
        say("postgres", "starting")
        yield on_embedded(settings, engine.start()), EngineKeeper(engine, say)
    finally:
        engine.stop()
        say("postgres", "stopped")
