"""How many associations there may be, how large their PDUs, and how long we wait.

Law: a limit on one calling AE title holds over all receiver processes of a machine, although they share nothing but a
file. Each association locks one byte of it; the kernel gives the lock back however a process ends, so that a crash
never leaves a modality locked out.
"""

import fcntl
import hashlib
import os
import struct
from dataclasses import dataclass
from pathlib import Path

MAXIMUM_LENGTH = 128 * 1024  # what DCMTK sends at most
_LOCK = struct.Struct("@hhqqi4x")  # struct flock: type, whence, start, length, process


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``associations`` are of this process; those of one calling AE title are counted by `Places`.

    ``maximum_length`` of a P-DATA-TF is what we announce (PS3.8 D.1). ``association_timeout`` (seconds) is ARTIM (PS3.8
    9.1.5) and the wait for a TLS hand-shake, ``idle_timeout`` that for a silent peer: modalities keep an association
    open between the images of an examination.
    """

    associations: int = 64
    maximum_length: int = MAXIMUM_LENGTH
    association_timeout: float = 30.0
    idle_timeout: float = 300.0


DEFAULT_LIMITS = Limits()


class Places:
    """The places that each calling AE title has, counted by locks in ``file``."""

    def __init__(self, file: Path, each: int) -> None:
        self._file, self._each = file, each
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    def take(self, hospital: str, calling: str) -> int | None:
        """A place to give back with `give_back`, or None when all are taken."""
        # the lock belongs to the open file, not to the process: threads need one each
        descriptor = os.open(self._file, os.O_RDWR | os.O_CLOEXEC)
        digest = hashlib.sha256(f"{hospital}\0{calling}".encode()).digest()
        first = int.from_bytes(digest[:5], "big") << 20  # far apart, and below 2**63
        for number in range(self._each):
            try:
                fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, first + number, 1, 0))
            except BlockingIOError:
                continue
            return descriptor
        os.close(descriptor)
        return None

    def give_back(self, place: int) -> None:
        """Let somebody else have it."""
        os.close(place)
