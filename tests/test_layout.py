import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from pacs.cli import app

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("pacs", "storage", "dicom_scp", "viewer_api", "migrations")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "node_modules" not in path.parts)
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LONGEST_MODULE = 300  # lines; about 250 is meant, and past that one looks for the second noun


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_imports_go_one_way() -> None:
    """Every contract between the rooms is kept: layers, a core without I/O, each library in its one room."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_opens_with_its_law_and_is_short(path: Path) -> None:
    """Each module says in its first lines what lives there, and has not grown a second noun."""
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "no law"
    assert text.count("\n") <= LONGEST_MODULE


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_every_test_says_its_property(path: Path) -> None:
    """Each test has one sentence that states what must hold."""
    functions = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))
    silent = [node.name for node in functions if node.name.startswith("test_") and not ast.get_docstring(node)]
    assert silent == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_of_a_page_lead_somewhere(path: Path) -> None:
    """Every relative link of the documents points at a file of the project."""
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text())
    missing = [target for target in targets if "://" not in target and not (path.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_commands_that_a_page_shows_exist(path: Path) -> None:
    """Every ``pacs …`` and ``make …`` in the documents is a command or a target."""
    group = get_command(app)
    commands = set(getattr(group, "commands"))  # noqa: B009  # a group has it, get_command's type does not say so
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = " ".join(re.findall(r"`[^`]+`|^\$ .*$", path.read_text(), re.MULTILINE))
    assert set(re.findall(r"\bpacs ([a-z][a-z-]+)", code)) <= commands
    assert set(re.findall(r"\bmake ([a-z]+)", code)) <= targets


def test_make_help_lists_every_target() -> None:
    """``make`` alone lists each target with its sentence."""
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert set(re.findall(r"make (\w+)", listed)) == set(phony.group(1).split())
