"""What is deleted, restored, and packed anew: ``pacs undelete`` and ``pacs compact``.

Law: safe beside a running archive. Deleting itself is asked over DICOMweb, by whoever holds a token that may.
"""

import getpass
from typing import Annotated

import typer

from pacs.cli.opening import HOSPITAL, Data, opened_archive, settings_of
from pacs.cli.output import console
from pacs.errors import NotFound


def add_commands(app: typer.Typer) -> None:
    """Add ``undelete`` and ``compact``."""
    for command in (undelete, compact):
        app.command()(command)


def undelete(
    study: Annotated[str, typer.Argument(help="Study Instance UID.")],
    series: Annotated[str | None, typer.Argument(help="Series Instance UID.")] = None,
    instance: Annotated[str | None, typer.Argument(help="SOP Instance UID.")] = None,
    data: Data = None,
    *,
    reason: Annotated[str, typer.Option(help="Why; kept in the audit.")] = "",
) -> None:
    """Restore what was deleted of a study, a series or an instance, while its grace time lasts."""
    from storage.archive import Actor

    by = Actor(getpass.getuser(), "command line", reason)
    with opened_archive(settings_of(data)) as archive:
        try:
            restored = archive.undelete(HOSPITAL, study, series, instance, by=by)
        except NotFound:
            console.print("nothing of it was deleted, or its grace time is over")
            raise typer.Exit(1) from None
    console.print(f"{restored} instances restored")


def compact(data: Data = None) -> None:
    """Join small packs of quiet series, and drop the bytes of what was deleted longer ago than the grace time."""
    settings = settings_of(data)
    with opened_archive(settings) as archive:
        done = archive.compact(
            HOSPITAL, grace=settings.delete_grace, quiet=settings.compact_quiet, pack_bytes=settings.pack_bytes
        )
    console.print(
        f"{len(done.replaced)} packs replaced by {len(done.written)}; {done.dropped} deleted instances dropped"
    )
    for key in done.damaged:
        console.print(f"damaged, left alone: {key}")
    if done.damaged:
        raise typer.Exit(1)
