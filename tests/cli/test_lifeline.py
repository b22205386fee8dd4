import os
import subprocess
import sys
from pathlib import Path

import pytest

from pacs.cli.lifeline import data_folder_lock, holder_of
from pacs.errors import Misconfigured


def test_a_held_data_folder_is_refused_naming_its_holder(tmp_path: Path) -> None:
    """A second start on the same data folder is refused with the first one's process id."""
    refusal = pytest.raises(Misconfigured, match=f"in use by another pacs, process {os.getpid()}")
    with data_folder_lock(tmp_path), refusal, data_folder_lock(tmp_path):
        pass


def test_a_killed_holder_leaves_the_data_folder_free(tmp_path: Path) -> None:
    """The lock is the kernel's: after kill -9 of its holder the next start needs no cleaning up."""
    program = "import pathlib, sys, time; from pacs.cli.lifeline import data_folder_lock\n"
    program += "with data_folder_lock(pathlib.Path(sys.argv[1])): print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        assert holder_of(tmp_path) == holder.pid
        holder.kill()
    assert holder_of(tmp_path) is None
    with data_folder_lock(tmp_path):
        assert holder_of(tmp_path) == os.getpid()


def test_a_folder_nobody_used_has_no_holder(tmp_path: Path) -> None:
    """Asking for the holder creates nothing."""
    assert holder_of(tmp_path / "never") is None
    assert not (tmp_path / "never").exists()
