"""``pacs modality``: which calling AE titles may send, from where.

Law: takes effect within seconds, without a restart.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from pacs.cli.opening import HOSPITAL, Data, database, settings_of
from pacs.cli.output import console
from pacs.errors import NotFound

if TYPE_CHECKING:
    from storage.index import Index

Title = Annotated[str, typer.Argument(help="Calling AE title.")]
Address = Annotated[str, typer.Argument(help="IP address it sends from.")]

modality = typer.Typer(help="Which modalities may send.", no_args_is_help=True)


def add_commands(app: typer.Typer) -> None:
    """Add ``modality add``, ``modality list`` and ``modality remove``."""
    app.add_typer(modality, name="modality")


@modality.command("add")
def add(ae_title: Title, address: Address, data: Data = None) -> None:
    """Let a modality send."""
    from storage.index.registry import Modality, admit_modality

    with _index(data) as index:
        admit_modality(index, Modality(HOSPITAL, ae_title, address))
    console.print(f"{ae_title} at {address} may send")


@modality.command("list")
def list_all(data: Data = None) -> None:
    """List the modalities that may send."""
    from storage.index.registry import modalities

    with _index(data) as index:
        found = modalities(index)
    table = Table("hospital", "AE title", "address")
    for one in found:
        table.add_row(one.hospital, one.ae_title, one.address)
    console.print(table)


@modality.command("remove")
def remove(ae_title: Title, address: Address, data: Data = None) -> None:
    """Let a modality send no more."""
    from storage.index.registry import Modality, dismiss_modality

    with _index(data) as index:
        if not dismiss_modality(index, Modality(HOSPITAL, ae_title, address)):
            raise NotFound(f"{ae_title} at {address} is not registered")
    console.print(f"{ae_title} at {address} may not send any more")


@contextmanager
def _index(data: Data) -> Iterator["Index"]:
    from storage.index import Index

    with database(settings_of(data)) as settings, Index(settings.database_url) as index:
        yield index
