from pathlib import Path

import pytest

from dicom_scp.limits import Limits
from pacs.cli.dimse import dicom_listeners, limits_of, tls_of
from pacs.errors import Misconfigured
from pacs.settings import Settings


def test_defaults_of_limits_are_those_of_the_settings() -> None:
    """What a receiver does when nobody says anything is what the settings say by default."""
    assert limits_of(Settings()) == Limits(associations=64)


@pytest.mark.parametrize(("associations", "receivers", "each"), [(128, 2, 64), (10, 3, 4), (1, 4, 1)])
def test_receivers_share_the_associations(associations: int, receivers: int, each: int) -> None:
    """Each process has its share, and at least one."""
    assert limits_of(Settings(dicom_associations=associations, receivers=receivers)).associations == each


@pytest.mark.parametrize("length", [0, 4095, 1024 * 1024 + 1])
def test_senseless_pdus_are_refused(length: int) -> None:
    """0 would mean no limit, and let a peer choose how much memory it takes."""
    with pytest.raises(Misconfigured):
        limits_of(Settings(dicom_maximum_length=length))


def test_without_a_certificate_there_is_no_tls() -> None:
    """TLS is there when somebody gave it a certificate, and then the files must make sense."""
    assert tls_of(Settings()) is None
    with dicom_listeners(Settings(dicom_host="127.0.0.1", dicom_port=0)) as listeners:
        assert len(listeners) == 1


def test_a_missing_certificate_is_told_before_anything_starts(tmp_path: Path) -> None:
    """A typing mistake in a path is one sentence."""
    settings = Settings(dicom_host="127.0.0.1", dicom_port=0, dicom_tls_certificate=str(tmp_path / "none.pem"))
    with pytest.raises(Misconfigured, match="CA"), dicom_listeners(settings):
        pass
    with pytest.raises(Misconfigured, match=r"none\.pem"):
        tls_of(Settings(dicom_tls_certificate=str(tmp_path / "none.pem"), dicom_tls_mutual=False))
