"""Where in the data folder the spool keeps things.

Law: every path of the spool is made here; names with a leading dot are the spool's own, never a hospital or a series.
All of it must be one file system: instances move by rename only, so that they are never there in part.
"""

from dataclasses import dataclass
from pathlib import Path

from pacs.errors import InvalidRequest
from storage.durable import make_folder

INSTANCE = ".dcm"
PART = ".part"
MARKER = ".attempt"
NEW_MARKER = ".attempt.new"


@dataclass(frozen=True, slots=True)
class Places:
    """``<root>/spool/<hospital>/<series key>/<digest>.dcm``, ``…/.incoming/``, ``<root>/quarantine/<hospital>/``."""

    root: Path

    @property
    def spool(self) -> Path:
        """The folder of hospitals."""
        return self.root / "spool"

    def hospital(self, hospital: str) -> Path:
        """The folder of series; InvalidRequest for a name that would lead elsewhere."""
        if not hospital or hospital.startswith(".") or "/" in hospital or "\0" in hospital:
            raise InvalidRequest("not a name of a hospital")
        return self.spool / hospital

    def incoming(self, hospital: str) -> Path:
        """Instances that are being received; nothing in here was ever acknowledged."""
        return self.hospital(hospital) / ".incoming"

    def quarantine(self, hospital: str) -> Path:
        """What could not be filed, with the reason beside it."""
        return self.root / "quarantine" / self.hospital(hospital).name

    def make(self, hospital: str) -> None:
        """Make the hospital's folders, durable level by level, whoever else is making them at the same time."""
        for folder in (
            self.root,
            self.spool,
            self.hospital(hospital),
            self.incoming(hospital),
            self.root / "quarantine",
            self.quarantine(hospital),
        ):
            make_folder(folder)
