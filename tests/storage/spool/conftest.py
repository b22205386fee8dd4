from dataclasses import dataclass
from pathlib import Path

import pytest

from pacs.dataset import series_key
from pacs.model import Identity, Source
from pacs.transfer_syntaxes import IMPLICIT_LE
from storage.spool import Incoming, Spool

SOP_CLASS_UID = "1.2.840.10008.5.1.4.1.1.2"


@dataclass(frozen=True, slots=True)
class Sender:
    """A modality that sends numbered instances of study 1.2 into the spool, in Implicit VR Little Endian."""

    spool: Spool
    source: Source

    def data_set(self, number: int = 1, *, series: str = "1.2.3", size: int = 0) -> bytes:
        """The four UIDs and ``size`` bytes of pixels."""

        def element(tag: int, value: bytes) -> bytes:
            value += b"\0" * (len(value) % 2)
            header = (tag >> 16, tag & 0xFFFF)
            return b"".join(part.to_bytes(2, "little") for part in header) + len(value).to_bytes(4, "little") + value

        return (
            element(0x00080016, SOP_CLASS_UID.encode())
            + element(0x00080018, f"1.2.3.{number}".encode())
            + element(0x0020000D, b"1.2")
            + element(0x0020000E, series.encode())
            + element(0x7FE00010, bytes(size))
        )

    def begin(
        self,
        number: int = 1,
        *,
        hospital: str = "default",
        sop_class_uid: str = SOP_CLASS_UID + "\0",
        sop_instance_uid: str = "",
        transfer_syntax_uid: str = IMPLICIT_LE,
    ) -> Incoming:
        """Announce the instance of that number."""
        return self.spool.begin(
            hospital,
            sop_class_uid=sop_class_uid,
            sop_instance_uid=sop_instance_uid or f"1.2.3.{number}",
            transfer_syntax_uid=transfer_syntax_uid,
            source=self.source,
        )

    def send(self, number: int = 1, *, hospital: str = "default", series: str = "1.2.3", size: int = 0) -> str:
        """Send one instance until it is acknowledged; its digest."""
        incoming = self.begin(number, hospital=hospital)
        incoming.write(self.data_set(number, series=series, size=size))
        incoming.finish()
        return incoming.digest


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool in a folder that doesn't exist yet."""
    return Spool(tmp_path / "var", free_floor=0)


@pytest.fixture
def sender(spool: Spool) -> Sender:
    """A modality in front of it."""
    return Sender(spool, Source("CT1", "CT1", "PACS", "192.0.2.7"))


@pytest.fixture
def key() -> str:
    """The folder of the sender's usual series."""
    return series_key(Identity("", "", "1.2.3", "1.2"))
