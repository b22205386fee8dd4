"""What a person in a terminal sees of the running archive.

Law: plain lines when nobody watches (a journal, a container's log), colour and alignment only for a terminal.
"""

import sys
import zlib

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

# a table in a pipe is for a script, which must not find its words broken at the 80th column
console = Console(highlight=False, width=None if sys.stdout.isatty() else 240)
_COLOURS = ("cyan", "green", "magenta", "blue", "yellow")


def forward(name: str, line: str) -> None:
    """Print one line that a part said, after the part's name."""
    colour = _COLOURS[zlib.crc32(name.split(maxsplit=1)[0].encode()) % len(_COLOURS)]
    console.print(Text.assemble((f"{name:>10} │ ", colour), line), soft_wrap=True)


def announce(title: str, rows: dict[str, str]) -> None:
    """Print a title and aligned lines under it, never wrapped, so that an address can be clicked."""
    width = max(map(len, rows))
    console.print(Text(f"\n{title}", "bold"), soft_wrap=True)
    for name, value in rows.items():
        console.print(Text(f"  {name:<{width}}  {value}"), soft_wrap=True)
    console.print()


def progress() -> Progress:
    """A bar for long work: what, how many of how many, how long still."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)
