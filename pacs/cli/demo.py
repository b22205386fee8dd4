"""``pacs demo``: pictures within a minute, for a newcomer without data.

Law: through the front door, as a modality would; nothing is written past the receivers.
"""

from collections import Counter
from pathlib import Path

import typer

from pacs.cli.opening import Data, settings_of
from pacs.cli.output import console, progress
from pacs.errors import ArchiveError

LARGEST = 4 * 1024 * 1024  # bytes; some samples for other purposes are much larger
SMALLEST = 16  # rows; the smallest samples show nothing


def add_commands(app: typer.Typer) -> None:
    """Add ``demo``."""
    app.command()(demo)


def demo(data: Data = None) -> None:
    """Send pydicom's sample images to the running archive, over DICOM."""
    from dicom_scp.sender import send
    from dicom_scp.statuses import Status

    settings = settings_of(data)
    host = settings.dicom_host or "127.0.0.1"
    files = sample_images()
    answers = send(files, host=host, port=settings.dicom_port, calling="DEMO", called=settings.ae_title)
    with progress() as bar:
        sent = list(bar.track(answers, total=len(files), description="sending"))
    refused = Counter(one.comment or f"status {one.status}" for one in sent if one.status != Status.SUCCESS)
    console.print(f"{len(sent) - refused.total()} of {len(sent)} sample images stored")
    for reason, count in refused.most_common():
        console.print(f"  {count} refused: {reason}")


def sample_images() -> list[Path]:
    """The sample images of pydicom's wheel that are whole; one for each SOP Instance UID, the largest."""
    import pydicom.data

    folder = Path(pydicom.data.__file__).parent / "test_files"
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*"), key=lambda path: path.stat().st_size, reverse=True):
        if path.is_file() and path.stat().st_size <= LARGEST and (uid := _whole_image(path)):
            found.setdefault(uid, path)
    return sorted(found.values())


def _whole_image(path: Path) -> str:
    """SOP Instance UID of an image that is worth showing; "" when this is not one."""
    from pacs.dataset import describe_image, identify, read_data_set
    from pacs.file_meta import read_file_meta

    part10 = path.read_bytes()
    try:
        meta = read_file_meta(part10)
        data_set = read_data_set(memoryview(part10)[meta.data_set_offset :], meta.transfer_syntax_uid)
        identity, image = identify(data_set), describe_image(data_set)
    except ArchiveError:
        return ""
    whole = image is not None and image.rows >= SMALLEST and not data_set.damage
    return identity.sop_instance_uid if whole and meta.sop_instance_uid == identity.sop_instance_uid else ""
