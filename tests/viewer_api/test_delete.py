from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pydicom

from storage.audit import events
from storage.index import add_hospital

if TYPE_CHECKING:
    from tests.viewer_api.conftest import Site


def test_only_those_allowed_delete_and_all_is_recorded(site: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """Study, series and instance go at once for a token that may; for others nothing happens but a record of it."""
    data_set = pydicom.dcmread(pydicom_file("CT_small.dcm"))
    study, series = data_set.StudyInstanceUID, data_set.SeriesInstanceUID
    levels = [
        f"studies/{study}/series/{series}/instances/{data_set.SOPInstanceUID}",
        f"studies/{study}/series/{series}",
    ]
    looking = site.client()
    token = site.access.issue("bearer", "default", "dr.lan", timedelta(hours=1), may_delete=True)
    may = {"Authorization": f"Bearer {token}"}
    for level in [*levels, f"studies/{study}"]:
        site.receive(pydicom_file("CT_small.dcm").read_bytes())
        site.file()
        assert looking.get(f"/dicom-web/{level}/metadata").status_code == 200
        assert looking.delete(f"/dicom-web/{level}").status_code == 403
        assert looking.delete(f"/dicom-web/{level}", headers={"Authorization": "Bearer x"}).status_code == 401
        gone = looking.delete(f"/dicom-web/{level}", params={"reason": "wrong\0 patient"}, headers=may)
        assert (gone.status_code, gone.content) == (204, b"")
        assert looking.get(f"/dicom-web/{level}/metadata").status_code == 404
        assert looking.delete(f"/dicom-web/{level}", headers=may).status_code == 404
        assert looking.get("/dicom-web/studies").json() == []
    recorded = [(one.subject, one.outcome) for one in events(site.archive.index, "default") if one.act == "delete"]
    assert recorded == [("dr.lan", "success"), ("test", "failure")] * 3


def test_another_hospital_cannot_delete(site: "Site", pydicom_file: Callable[[str], Path]) -> None:
    """A token that may delete does so in its own hospital only."""
    add_hospital(site.settings.database_url, "hue", ae_title="HUE")
    site.receive(pydicom_file("CT_small.dcm").read_bytes())
    site.file()
    study = pydicom.dcmread(pydicom_file("CT_small.dcm")).StudyInstanceUID
    token = site.access.issue("bearer", "hue", "dr.minh", timedelta(hours=1), may_delete=True)
    client = site.client(signed_in=False)
    headers = {"Authorization": f"Bearer {token}"}
    assert client.delete(f"/dicom-web/studies/{study}", headers=headers).status_code == 404
    assert len(site.archive.instances("default", study)) == 1


def test_a_uid_that_is_none_finds_nothing_to_delete(site: "Site") -> None:
    """Whatever stands in the path, nothing is deleted, no act is written, and nothing fails."""
    token = site.access.issue("bearer", "default", "dr.lan", timedelta(hours=1), may_delete=True)
    client = site.client(signed_in=False)
    for uid in ("1.2.3", "%00", "'", "%F0%9F%A9%BB", "x" * 3000):
        answer = client.delete(f"/dicom-web/studies/{uid}", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code in {400, 404}
    assert not (site.settings.data / "objects" / "default" / "deleted").exists()
