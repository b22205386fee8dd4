from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import S3Endpoint


@pytest.fixture
def aws_keys(s3_endpoint: "S3Endpoint", monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of the test's S3 in the credential chain."""
    for name, value in s3_endpoint.environment().items():
        monkeypatch.setenv(name, value)
