"""What most commands need first: settings, a database that answers, and the rooms opened on them.

Law: everything opened here is a context and is closed by leaving it, whatever happened inside.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pacs.settings import Settings

if TYPE_CHECKING:
    from storage.archive import Archive
    from storage.spool import Spool

HOSPITAL = "default"  # the hospital that exists after the first start; its called AE title is PACS_AE_TITLE

Data = Annotated[
    Path | None, typer.Option("--data", help="Folder of the archive [PACS_DATA, else ./var].", show_default=False)
]


def settings_of(data: Path | None) -> Settings:
    """The settings from the environment and the command line."""
    settings = Settings.from_environment(os.environ, data=data)
    # parts and maintenance may run in other working directories, and a relative socket path would lead them astray
    return replace(settings, data=settings.data.resolve())


def start_logging(formatter: type[logging.Formatter] = logging.Formatter) -> None:
    """Log to standard error, one line an event; libraries only what worries them."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for room in ("pacs", "storage", "dicom_scp", "viewer_api"):
        logging.getLogger(room).setLevel(logging.INFO)
    for library in ("psycopg.pool", "procrastinate"):  # while the database is away: a line, or a traceback, a second
        logging.getLogger(library).setLevel(logging.CRITICAL)


def on_embedded(settings: Settings, url: str) -> Settings:
    """The settings with the embedded database's URL, and the default that parts could not tell from a URL alone."""
    return replace(settings, database_url=url, trust_local=True)


@contextmanager
def database(settings: Settings) -> Iterator[Settings]:
    """The same settings with the URL of a database that answers, starting and migrating the embedded one if needed."""
    if not settings.embedded_database:
        yield settings
        return
    from storage.index import migrate
    from storage.postgres import embedded_postgres

    with embedded_postgres(settings.data) as url:
        migrate(url, ae_title=settings.ae_title)
        yield on_embedded(settings, url)


@contextmanager
def opened_archive(settings: Settings) -> Iterator["Archive"]:
    """The archive on a database that answers."""
    from storage.archive import open_archive

    with database(settings) as ready, open_archive(ready) as archive:
        yield archive


def opened_spool(settings: Settings) -> "Spool":
    """The spool under the data folder."""
    from storage.spool import Spool

    return Spool(settings.data, free_floor=settings.spool_free_floor)
