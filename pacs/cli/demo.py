"""``pacs demo``: pictures within a minute, for a newcomer without data.

Law: through the front door, as a modality would; nothing is written past the receivers.
"""

from pathlib import Path

import typer
from rich.table import Table

from pacs.cli.opening import Data, settings_of
from pacs.cli.output import console

# pydicom's own samples with broken pixel data or headers, kept by pydicom to test how a reader fails
BROKEN = ("bad_sequence", "badVR", "truncated", "no_meta", "empty_charset", "ExplVR_BigEndNoMeta", "ExplVR_LitEndNoMeta")
SMALLEST = 1024  # bytes; smaller samples are headers alone
LARGEST = 4 * 1024 * 1024


def add_commands(app: typer.Typer) -> None:
    """Add ``demo``."""
    app.command()(demo)


def demo(data: Data = None) -> None:
    """Send pydicom's sample images to the running archive, over DICOM."""
    from dicom_scp.sender import send_files

    settings = settings_of(data)
    host = settings.dicom_host or "127.0.0.1"
    files = sample_files()
    console.print(f"sending {len(files)} sample images to {settings.ae_title} at {host}:{settings.dicom_port}")


def sample_files() -> list[Path]:
    """The sample images that lie in pydicom's wheel."""
    import pydicom.data

    folder = Path(pydicom.data.__file__).parent / "test_files"
    return [
        path
        for path in sorted(folder.rglob("*.dcm"))
        if SMALLEST < path.stat().st_size < LARGEST and not path.name.startswith(BROKEN)
    ]
