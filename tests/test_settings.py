from dataclasses import fields
from pathlib import Path

import pytest

from pacs.errors import Misconfigured
from pacs.settings import Settings, variable


def test_every_setting_is_a_variable_of_its_own_kind() -> None:
    """Text from the environment becomes a path, a number or a flag, as the setting's default is."""
    settings = Settings.from_environment(
        {"PACS_DATA": "/srv/pacs", "PACS_DICOM_PORT": "104", "PACS_PACK_QUIET": "0.5", "PACS_TRUST_LOCAL": "1"}
    )
    assert settings == Settings(data=Path("/srv/pacs"), dicom_port=104, pack_quiet=0.5, trust_local=True)


def test_the_command_line_wins_over_the_environment() -> None:
    """What is given explicitly is taken; None means that it was not given."""
    environment = {"PACS_DATA": "/srv/pacs", "PACS_WORKERS": "7"}
    settings = Settings.from_environment(environment, data=Path("/tmp/other"), workers=None)  # noqa: S108  # a name only
    assert (str(settings.data), settings.workers) == ("/tmp/other", 7)  # noqa: S108  # a name only


@pytest.mark.parametrize("name", ["dicom_port", "pack_age", "trust_local"])
def test_a_setting_that_is_no_number_is_named(name: str) -> None:
    """Nonsense in a variable stops the start with the variable's name."""
    with pytest.raises(Misconfigured, match=variable(name)):
        Settings.from_environment({variable(name): "many"})


def test_settings_survive_the_way_to_a_part() -> None:
    """A part started with ``environment()`` has exactly the settings of its supervisor."""
    settings = Settings(data=Path("/srv/pacs"), trust_local=True, receivers=5, database_url="postgresql://x/y")
    assert Settings.from_environment(settings.environment()) == settings


def test_operations_lists_every_setting_with_its_default() -> None:
    """docs/operations.md has a row for each variable, with the default that the code has."""
    text = (Path(__file__).parents[1] / "docs" / "operations.md").read_text()
    for setting in fields(Settings):
        default = int(setting.default) if isinstance(setting.default, bool) else setting.default
        assert f"| `{variable(setting.name)}` | {f'`{default}`' if str(default) else ''} |" in text
