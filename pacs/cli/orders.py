"""``pacs order``: what modalities find in their worklist.

Law: what cannot be understood is listed line by line and is the exit code; the good lines of a file are entered.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from pacs.cli.opening import HOSPITAL, Data, database, settings_of
from pacs.cli.output import console
from pacs.errors import InvalidRequest, NotFound
from pacs.orders import CLOSED, OPEN, STEP, read_order
from pacs.orders.tables import read_table
from pacs.orders.values import tag_of

if TYPE_CHECKING:
    from storage.index import Index

Hospital = Annotated[str, typer.Option(help="Name of the hospital.")]

_LISTED = (
    "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartTime",
    "Modality",
    "ScheduledStationAETitle",
    "ScheduledProcedureStepStatus",
)

order = typer.Typer(help="Orders, which modalities find in their worklist.", no_args_is_help=True)


def add_commands(app: typer.Typer) -> None:
    """Add ``order add``, ``import``, ``list`` and ``status``."""
    app.add_typer(order, name="order")


@order.command("add")
def add(
    values: Annotated[list[str], typer.Argument(help="As PatientID=123 PatientName='NGUYỄN^VĂN A' Modality=CT …")],
    data: Data = None,
    hospital: Hospital = HOSPITAL,
) -> None:
    """Enter one order, or change it: the same accession number and step are the same order."""
    from storage.index.orders import put_orders

    pairs = [value.partition("=") for value in values]
    if wrong := [text for text, equals, _ in pairs if not equals]:
        raise InvalidRequest(f"{wrong[0]} is not KEYWORD=VALUE")
    one = read_order({keyword: value for keyword, _, value in pairs})
    with _index(data) as index:
        put_orders(index, hospital, [one])
    console.print(f"{one.accession_number} is scheduled")


@order.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV with keywords in its first line, or a JSON list; UTF-8.")],
    data: Data = None,
    hospital: Hospital = HOSPITAL,
) -> None:
    """Enter the orders of a file; bad lines are listed and left out."""
    from storage.index.orders import put_orders

    try:
        rows = list(read_table(file.read_bytes()))
    except OSError as error:
        raise InvalidRequest(f"{file}: {error.strerror}") from None
    good = [row.order for row in rows if row.order]
    with _index(data) as index:
        put_orders(index, hospital, good)
    console.print(f"{len(good)} orders are scheduled")
    bad = [row for row in rows if not row.order]
    for row in bad:
        print(f"line {row.line}: {row.problem}", file=sys.stderr)
    if bad:
        raise typer.Exit(1)


@order.command("list")
def list_all(data: Data = None, hospital: Hospital = HOSPITAL) -> None:
    """List what worklists hold."""
    from storage.index.orders import find_steps

    table = Table("accession number", "Patient ID", "date", "time", "modality", "station", "status")
    with _index(data) as index:
        for item in find_steps(index, hospital, (), station="any"):
            step = item[tag_of(STEP)]["Value"][0]
            table.add_row(
                *(item[tag_of(keyword)]["Value"][0] for keyword in ("AccessionNumber", "PatientID")),
                *(", ".join(step[tag_of(keyword)]["Value"]) for keyword in _LISTED),
            )
    console.print(table)


@order.command("status")
def status(
    accession_number: Annotated[str, typer.Argument(help="Accession number.")],
    word: Annotated[str, typer.Argument(metavar="STATUS", help=", ".join(OPEN + CLOSED))],
    step: Annotated[str, typer.Option(help="Scheduled Procedure Step ID; otherwise all steps.")] = "",
    data: Data = None,
    hospital: Hospital = HOSPITAL,
) -> None:
    """Say how far an order is; one that is cancelled, completed or discontinued leaves the worklist."""
    from storage.index.orders import change_status

    if word.upper() not in OPEN + CLOSED:
        raise InvalidRequest(f"a status is one of {', '.join(OPEN + CLOSED)}")
    with _index(data) as index, index.transaction(hospital) as connection:
        if not change_status(connection, accession_number, step, word.upper()):
            raise NotFound(f"order {accession_number} {step}".strip())
    console.print(f"{accession_number} is {word.upper()}")


@contextmanager
def _index(data: Data) -> Iterator["Index"]:
    from storage.index import Index

    with database(settings_of(data)) as settings, Index(settings.database_url) as index:
        yield index
