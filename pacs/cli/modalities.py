"""``pacs modality``: which AE titles we know, from where, and what each may do.

Law: takes effect within seconds, without a restart.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from pacs.cli import peers
from pacs.cli.opening import HOSPITAL, Data, database, settings_of
from pacs.cli.output import console
from pacs.errors import InvalidRequest, NotFound, Unavailable
from pacs.modalities import AS_ASKED, MODALITY_RIGHTS, Modality, Right

if TYPE_CHECKING:
    from storage.index import Index

Title = Annotated[str, typer.Argument(help="Its AE title.")]
Hospital = Annotated[str, typer.Option(help="Name of the hospital.")]

modality = typer.Typer(help="Modalities, workstations and archives that we know.", no_args_is_help=True)


def add_commands(app: typer.Typer) -> None:
    """Add ``modality`` with what is below, and with what is asked of archives."""
    peers.add_commands(modality)
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
    tls: Annotated[bool, typer.Option("--tls", help="We speak with it over TLS only.")] = False,
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


@modality.command("echo")
def echo(ae_title: Title, data: Data = None, hospital: Hospital = HOSPITAL) -> None:
    """Ask a modality whether it is there (C-ECHO)."""
    from pacs.cli.dimse import outgoing_of
    from storage.index.registry import roster

    settings = settings_of(data)
    with _index(data) as index:
        reached = roster(index).reach(hospital, ae_title)
    status = outgoing_of(settings).echo(reached)
    if status:
        raise Unavailable(f"{ae_title} answers 0x{status:04X}")
    console.print(f"{ae_title} at {reached.modality.address}:{reached.modality.port} answers")


@modality.command("seen")
def seen(data: Data = None) -> None:
    """List those who called without being known, latest first."""
    from storage.index import strangers

    with _index(data) as index:
        found = strangers.seen(index)
    table = Table("number", "AE title", "address", "called", "hospital", "times", "first seen", "last seen")
    for one in found:
        since, last = (moment.astimezone().isoformat(" ", "seconds") for moment in (one.first_seen, one.last_seen))
        hospital = one.hospital or "none has this AE title"
        table.add_row(str(one.stranger), one.calling, one.address, one.called, hospital, str(one.times), since, last)
    console.print(table)


@modality.command("admit")
def admit(
    number: Annotated[int, typer.Argument(help="As listed by `pacs modality seen`.")],
    data: Data = None,
    hospital: Hospital = HOSPITAL,
) -> None:
    """Know one of those who called, with what a modality may do."""
    from storage.index.strangers import admit_seen

    with _index(data) as index:
        ae_title, address = admit_seen(index, hospital, number)
    console.print(f"{ae_title} at {address} may {', '.join(sorted(MODALITY_RIGHTS))}")


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
