"""``pacs modality``: which AE titles we know, from where, and what each may do.

Law: takes effect within seconds, without a restart.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from pacs.cli.opening import HOSPITAL, Data, database, settings_of
from pacs.cli.output import console
from pacs.errors import InvalidRequest, NotFound
from pacs.modalities import AS_ASKED, MODALITY_RIGHTS, Modality, Right

if TYPE_CHECKING:
    from storage.index import Index

Title = Annotated[str, typer.Argument(help="Its AE title.")]
Hospital = Annotated[str, typer.Option(help="Name of the hospital.")]

modality = typer.Typer(help="Modalities, workstations and archives that we know.", no_args_is_help=True)


def add_commands(app: typer.Typer) -> None:
    """Add ``modality add``, ``list`` and ``remove``."""
    app.add_typer(modality, name="modality")


@modality.command("add")
def add(
    ae_title: Title,
    address: Annotated[str, typer.Argument(help="IP address it calls from, or a network such as 10.1.2.0/24.")],
    data: Data = None,
    *,
    may: Annotated[
        str, typer.Option(help="What it may do, of store,query,retrieve,commit,worklist,mpps,destination.")
    ] = ",".join(sorted(MODALITY_RIGHTS)),
    port: Annotated[int, typer.Option(help="Where it listens, so that we can call it.", min=0, max=65535)] = 0,
    tls: Annotated[bool, typer.Option("--tls", help="Call it over TLS.")] = False,
    transfer_syntaxes: Annotated[
        str, typer.Option("--transfer-syntaxes", help="UIDs that it wants, best first, with commas.")
    ] = "",
    character_set: Annotated[
        str,
        typer.Option(
            help="For answers: ISO_IR 192 or another defined term, FOLDED for no accents; otherwise as it asks."
        ),
    ] = AS_ASKED,
    note: Annotated[str, typer.Option(help="For those who read the list.")] = "",
    hospital: Hospital = HOSPITAL,
) -> None:
    """Know a modality, or change what it may do; in effect within seconds."""
    from storage.index.registry import put_modality

    one = Modality(
        hospital=hospital,
        ae_title=ae_title,
        address=address,
        port=port,
        tls=tls,
        rights=rights_of(may),
        transfer_syntaxes=tuple(filter(None, transfer_syntaxes.split(","))),
        character_set=character_set,
        note=note,
    )
    with _index(data) as index:
        put_modality(index, one)
    console.print(f"{ae_title} at {address} may {', '.join(sorted(one.rights)) or 'do nothing but C-ECHO'}")


@modality.command("list")
def list_all(data: Data = None) -> None:
    """List those we know."""
    from storage.index.registry import modalities

    with _index(data) as index:
        found = modalities(index)
    table = Table("hospital", "AE title", "address", "port", "may", "character set", "transfer syntaxes", "note")
    for one in found:
        table.add_row(
            one.hospital,
            one.ae_title,
            one.address,
            f"{one.port or ''}{' TLS' if one.tls else ''}",
            ", ".join(sorted(one.rights)),
            one.character_set,
            "\n".join(one.transfer_syntaxes),
            one.note,
        )
    console.print(table)


@modality.command("remove")
def remove(
    ae_title: Title,
    address: Annotated[str, typer.Argument(help="Only at this address.")] = "",
    data: Data = None,
    hospital: Hospital = HOSPITAL,
) -> None:
    """Know a modality no more."""
    from storage.index.registry import drop_modality

    with _index(data) as index:
        if not drop_modality(index, hospital, ae_title, address):
            raise NotFound(f"{ae_title} {address} is not registered")
    console.print(f"{ae_title} is not registered any more")


def rights_of(text: str) -> frozenset[Right]:
    """``store,query`` as rights; raises InvalidRequest."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := sorted(set(names) - set(Right)):
        raise InvalidRequest(f"{', '.join(unknown)}: may be of {', '.join(Right)}")
    return frozenset(map(Right, names))


@contextmanager
def _index(data: Data) -> Iterator["Index"]:
    from storage.index import Index

    with database(settings_of(data)) as settings, Index(settings.database_url) as index:
        yield index
