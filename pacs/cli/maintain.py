"""Looking after an archive: migrate, verify, rebuild, sweep.

Law: safe beside a running archive, or refused; what is found wrong is printed and is the exit code.
"""

from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pacs.cli.lifeline import data_folder_lock
from pacs.cli.opening import HOSPITAL, Data, database, opened_archive, opened_spool, settings_of
from pacs.cli.output import console


def add_commands(app: typer.Typer) -> None:
    """Add ``migrate``, ``verify``, ``rebuild-index`` and ``sweep``."""
    for command in (migrate, verify, rebuild_index, sweep):
        app.command()(command)


def migrate(data: Data = None) -> None:
    """Bring the database to this version; the first time, make it."""
    from storage.index import migrate as migrate_database

    settings = settings_of(data)
    with database(settings) as ready:
        migrate_database(ready.database_url, ae_title=ready.ae_title)
    console.print("the database is up to date")


def verify(data: Data = None) -> None:
    """Read every pack back and check every digest; exit code 1 when something is damaged."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with opened_archive(settings_of(data)) as archive, Progress(*columns, console=console) as bar:
        task = bar.add_task("reading back", total=None)
        found = archive.verify(HOSPITAL, lambda done, total: bar.update(task, completed=done, total=total))
    console.print(f"{found.packs} packs, {found.instances} instances, {found.bytes:,} bytes read back")
    if not found.damages:
        return
    table = Table("pack", "SOP Instance UID", "what is wrong", title=f"{len(found.damages)} damages")
    for damage in found.damages:
        table.add_row(damage.pack_key, damage.sop_instance_uid, damage.reason)
    console.print(table)
    raise typer.Exit(1)


def rebuild_index(
    data: Data = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the present rows are dropped.")] = False,
) -> None:
    """Make the rows of the database anew from the packs alone; not while the archive runs."""
    from storage.index.emptying import drop_rows
    from storage.index.reading import is_empty

    settings = settings_of(data)
    # not beside a running archive: instances it stores meanwhile could lose to packs that come later
    with data_folder_lock(settings.data), opened_archive(settings) as archive:
        if not is_empty(archive.index, HOSPITAL):
            if not yes:
                typer.confirm("The index has rows. Drop them and make them anew from the packs?", abort=True)
            drop_rows(archive.index, HOSPITAL)
        with console.status("reading packs") as status:
            rebuilt = archive.rebuild_index(HOSPITAL, lambda packs: status.update(f"{packs} packs read"))
    console.print(f"{rebuilt.instances} instances and {rebuilt.conflicts} conflicts from {rebuilt.packs} packs")
    if rebuilt.repeated:
        console.print(f"{rebuilt.repeated} instances lay in a second pack as well")
    for key in rebuilt.unreadable:
        console.print(f"not a pack: {key}")
    if rebuilt.unreadable:
        raise typer.Exit(1)


def sweep(
    data: Data = None,
    *,
    hours: Annotated[float, typer.Option(help="Only packs that are at least so old.")] = 24,
) -> None:
    """Remove what crashes left behind: packs that nothing references, half received files."""
    settings = settings_of(data)
    files = opened_spool(settings).sweep_incoming()
    with opened_archive(settings) as archive:
        keys = archive.sweep(HOSPITAL, min_age=hours * 3600)
    for key in keys:
        console.print(f"removed {key}")
    console.print(f"{len(keys)} unreferenced packs and {files} half received files removed")
