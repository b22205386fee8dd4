import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from pacs.cli import app
from pacs.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = set(getattr(get_command(app), "commands"))  # noqa: B009  # a group has it, the type of get_command does not say


@pytest.fixture
def compose() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return parsed


@pytest.fixture
def stages() -> list[list[str]]:
    """The instructions of each stage of the Dockerfile, continuation lines joined."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    starts = [number for number, line in enumerate(lines) if line.startswith("FROM ")]
    return [lines[start:end] for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]


def test_the_image_is_built_in_stages_and_runs_as_nobody_special(stages: list[list[str]]) -> None:
    """The last stage runs as a numeric non-root user, says how it is, and carries no compiler or npm."""
    assert len(stages) > 1
    last = stages[-1]
    assert "USER 10001" in last
    assert any(line.startswith("HEALTHCHECK ") and "/healthz" in line for line in last)
    assert not any("npm" in line or "pip install" in line for line in last)


def test_what_the_image_copies_exists_and_is_not_ignored(stages: list[list[str]]) -> None:
    """Every file that the Dockerfile copies from the project is there and let through by .dockerignore."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [
        source
        for stage in stages
        for line in stage
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in allowed, source


def test_the_image_starts_a_command_that_exists(stages: list[list[str]]) -> None:
    """ENTRYPOINT and CMD make a command line that the archive knows."""
    last = {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in stages[-1]}
    assert json.loads(last["ENTRYPOINT"]) == ["pacs"]
    assert json.loads(last["CMD"])[0] in COMMANDS


def test_every_part_of_compose_is_a_command_with_known_settings(compose: dict[str, Any]) -> None:
    """Each service made from our image runs a command of the CLI, and sets only variables that are settings."""
    parts = {name: service for name, service in compose["services"].items() if service.get("image") == "pacs"}
    assert {service["command"][0] for service in parts.values()} == {"migrate", "receive", "ingest", "web"}
    for service in parts.values():
        assert service["command"][0] in COMMANDS
        assert set(service["environment"]) <= set(Settings().environment())
        assert service["read_only"] is True


def test_what_compose_refers_to_is_declared(compose: dict[str, Any]) -> None:
    """Volumes and dependencies of every service exist in the file."""
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in compose["volumes"]
        assert set(service.get("depends_on", {})) <= set(compose["services"])
