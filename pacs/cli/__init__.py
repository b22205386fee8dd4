"""The command ``pacs``: the one place where everything meets.

Law: a command reads settings, opens rooms, calls one function of theirs and prints. Decisions live in the rooms. A
command imports its rooms when it runs, so that a receiver does not carry the web framework in its memory.
"""

import os
import sys

import typer

from pacs.cli import demo, disposal, files, forwarding, maintain, modalities, orders, serve, tokens
from pacs.cli.lifeline import die_with_parent
from pacs.errors import ArchiveError

app = typer.Typer(
    name="pacs",
    help="A medical image archive: receives, keeps, finds and shows.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for room in (serve, files, maintain, disposal, tokens, modalities, orders, forwarding, demo):
    room.add_commands(app)


def main() -> None:
    """Run the command line; an error of the archive is one sentence and exit code 1."""
    die_with_parent(dict(os.environ))
    try:
        app()
    except ArchiveError as error:
        print(f"pacs: {error}", file=sys.stderr)
        raise SystemExit(1) from None
