"""What cannot be filed is set aside whole, with the reason beside it.

Law: the reason is on disk before the bytes move, and the bytes move by rename: a crash leaves either the instance where
it was (and a reason that nobody misses) or both in quarantine. The reason may name UIDs, never a patient's attributes.
"""

import json
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from storage.durable import rename, write_file


def set_aside(path: Path, folder: Path, *, digest: str, reason: str, told: dict[str, str]) -> Path:
    """Move a synced Part 10 file to ``folder/<time>-<digest>.dcm`` and say why in the ``.json`` beside it; durable."""
    at = datetime.now(UTC)
    target = folder / f"{at:%Y%m%dT%H%M%S.%fZ}-{digest}.dcm"
    account = {"reason": reason, "at": at.isoformat(), "digest": digest, "size": path.stat().st_size, **told}
    temporary = folder / f".{os.getpid()}-{secrets.token_hex(8)}"
    write_file(target.with_suffix(".json"), json.dumps(account, indent=1).encode(), temporary=temporary)
    rename(path, target)
    return target
