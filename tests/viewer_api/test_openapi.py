"""The OpenAPI document is true: schemathesis asks what it allows, and the archive answers as it says."""

import re
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import status_code_conformance

from tests.viewer_api.conftest import Site
from viewer_api.openapi import operations

EXAMPLES = 25  # of each operation and kind: seconds in all, always the same ones
SETTINGS = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
LEVELS = {"study": "0020000D", "series": "0020000E", "instance": "00080018"}


@pytest.fixture(scope="module")
def document(filled: Site) -> dict[str, object]:
    """The document as the running archive gives it."""
    answer = filled.client().get("/api/openapi.json")
    assert answer.status_code == 200
    parsed: dict[str, object] = answer.json()
    return parsed


@pytest.mark.parametrize("known", [False, True], ids=["any UIDs", "UIDs that exist"])
def test_nothing_breaks_the_server_and_every_status_is_documented(
    filled: Site, document: dict[str, object], *, known: bool
) -> None:
    """For every operation: no 5xx, and no status that the document does not name."""
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=filled.address)
    token = filled.access.issue("bearer", "default", "schemathesis", timedelta(hours=1), may_delete=not known)
    headers = {"Authorization": f"Bearer {token}"}
    there = existing(filled)
    asked = set()
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        names = re.findall(r"{(\w+)}", operation.path)
        if known and not (names and operation.method == "get"):
            continue
        parameters = {name: there[name] for name in names} if known else None

        @given(case=operation.as_strategy(path_parameters=parameters))
        @SETTINGS
        def ask(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(headers=headers, checks=[not_a_server_error, status_code_conformance])
            asked.add((case.method, case.path))

        ask()
    assert len(asked) == len(list(operations(document))) or known
    assert len(asked) > 15


def existing(filled: Site) -> dict[str, str]:
    """A value for each parameter of a path, of an instance that exists."""
    (item, *_) = filled.client().get("/dicom-web/instances", params={"Modality": "CT"}).json()
    uids = {name: item[tag]["Value"][0] for name, tag in LEVELS.items()}
    tile = {"identifier": f"{uids['instance']}:1", "region": "0,0,64,64", "size": "32,", "rotation": "0"}
    return {**uids, **tile, "last": "default.png", "numbers": "1", "path": "7FE00010"}
