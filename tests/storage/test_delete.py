import importlib
import io
import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pydicom
import pytest
from pydicom.uid import UID

from pacs.errors import NotFound, Unavailable
from pacs.query import parse_query
from storage.archive import Actor
from storage.archive.compact import plan_groups
from storage.audit import Event, events, record
from storage.index.compacting import Content
from tests.conftest import S3Endpoint
from tests.storage.conftest import HOSPITAL, Site
from tests.storage.test_archive import (
    data_set_of,
    everything,
    metadata_of,
    objects_of,
    only,
    rows,
    silent,
)

compact_module = importlib.import_module("storage.archive.compact")  # its name is that of a function, too

BY = Actor("dr.lan", "http:10.0.0.9", "wrong patient")
DAY = 86400.0


def slices(file: Path, folder: Path, count: int, *, series: str = "1.2.3.1") -> list[bytes]:
    """Instances of one study; the first says something that no other says."""
    made = []
    for number in range(1, count + 1):
        data_set = pydicom.dcmread(file)
        data_set.StudyInstanceUID, data_set.SeriesInstanceUID = "1.2.3", series
        data_set.StudyInstanceUID = UID("1.2.3")
        data_set.SeriesInstanceUID = UID(series)
        data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = UID(f"{series}.{number}")
        data_set.InstanceNumber = number
        data_set.StudyDescription = data_set.SeriesDescription = "first" if number == 1 else "later"
        data_set.save_as(folder / "slice.dcm")
        made.append((folder / "slice.dcm").read_bytes())
    return made


@pytest.fixture
def ct(pydicom_file: Callable[[str], Path], tmp_path: Path) -> list[bytes]:
    """Four slices of one series."""
    return slices(pydicom_file("CT_small.dcm"), tmp_path, 4)


def study_of(site: Site) -> dict[str, object]:
    (item,) = site.archive.search(HOSPITAL, parse_query("study", [])).items
    return {tag: (attribute.get("Value") or [None])[0] for tag, attribute in item.items()}


def compacted(site: Site, *, grace: float = 30 * DAY) -> tuple[int, int]:
    """Compact at once; how many packs were replaced and how many data sets dropped."""
    done = site.archive.compact(HOSPITAL, grace=grace, quiet=0, pack_bytes=64 * 1024 * 1024)
    assert done.damaged == ()
    return len(done.replaced), done.dropped


def test_what_is_deleted_is_gone_at_once_and_counts_are_exact(site: Site, ct: list[bytes]) -> None:
    """A deleted instance is in no search, no count and no metadata; what it alone said of its study goes too."""
    for one in ct:
        site.file(one)
    assert study_of(site)["00081030"] == "first"
    assert site.archive.delete(HOSPITAL, "1.2.3", "1.2.3.1", "1.2.3.1.1", by=BY) == 1
    study = study_of(site)
    assert (study["00081030"], study["00201208"], study["00201206"]) == ("later", 3, 1)
    with pytest.raises(NotFound):
        site.archive.instances(HOSPITAL, "1.2.3", "1.2.3.1", "1.2.3.1.1")
    assert len(metadata_of(site, "1.2.3")) == 3
    with pytest.raises(NotFound):
        site.archive.delete(HOSPITAL, "1.2.3", "1.2.3.1", "1.2.3.1.1", by=BY)
    assert site.archive.delete(HOSPITAL, "1.2.3", None, None, by=BY) == 3
    left = rows(site.settings.database_url)
    assert not any(left[table] for table in ("patient", "study", "series", "instance", "conflict"))
    assert site.archive.sweep(HOSPITAL, min_age=0) == []


def test_undelete_brings_every_row_back(site: Site, ct: list[bytes], other_series: list[bytes]) -> None:
    """After deleting and restoring in pieces every row is what it was, and every byte can be read."""
    site.file(*ct, *other_series)
    before = rows(site.settings.database_url)
    site.archive.delete(HOSPITAL, "1.2.3", "1.2.3.1", "1.2.3.1.1", by=BY)
    site.archive.delete(HOSPITAL, "1.2.3", None, None, by=BY)
    assert site.archive.undelete(HOSPITAL, "1.2.3", "1.2.3.2", None, by=BY) == 2
    assert study_of(site)["00201208"] == 2
    assert site.archive.undelete(HOSPITAL, "1.2.3", None, None, by=BY) == 4
    assert rows(site.settings.database_url) == before
    assert {site.archive.received(HOSPITAL, one) for one in everything(site.archive)} == {
        data_set_of(one) for one in (*ct, *other_series)
    }
    with pytest.raises(NotFound):
        site.archive.undelete(HOSPITAL, "1.2.3", None, None, by=BY)


@pytest.fixture
def other_series(pydicom_file: Callable[[str], Path], tmp_path: Path) -> list[bytes]:
    """Two slices of another series of the same study."""
    return slices(pydicom_file("CT_small.dcm"), tmp_path, 2, series="1.2.3.2")


def test_a_rebuild_keeps_deleted_what_was_deleted(
    site: Site, site_on: Callable[..., Site], second_database: str, ct: list[bytes], other_series: list[bytes]
) -> None:
    """The index made anew is the same, row for row; what was deleted in it can still be restored."""
    site.file(*ct, *other_series)
    before = rows(site.settings.database_url)
    site.archive.delete(HOSPITAL, "1.2.3", "1.2.3.2", None, by=BY)
    site.archive.undelete(HOSPITAL, "1.2.3", "1.2.3.2", "1.2.3.2.2", by=BY)
    site.archive.delete(HOSPITAL, "1.2.3", "1.2.3.1", "1.2.3.1.1", by=BY)
    again = site_on(second_database)
    rebuilt = again.archive.rebuild_index(HOSPITAL, silent)
    assert (rebuilt.instances, rebuilt.deleted, rebuilt.repeated, rebuilt.unreadable) == (4, 2, 0, ())
    assert rows(second_database) == rows(site.settings.database_url)
    again.archive.undelete(HOSPITAL, "1.2.3", None, None, by=BY)
    assert rows(second_database) == before


def test_conflicts_go_and_come_with_their_instance(
    site: Site, site_on: Callable[..., Site], second_database: str, pydicom_file: Callable[[str], Path]
) -> None:
    """A kept contradiction is deleted with what it contradicts, stays so in a rebuild, and comes back with it."""
    site.file(pydicom_file("MR_small.dcm").read_bytes())
    site.file(pydicom_file("MR_small_implicit.dcm").read_bytes())
    before = rows(site.settings.database_url)
    study = only(site.archive).identity.study_instance_uid
    site.archive.delete(HOSPITAL, study, None, None, by=BY)
    assert not rows(site.settings.database_url)["conflict"]
    again = site_on(second_database)
    assert again.archive.rebuild_index(HOSPITAL, silent).deleted == 2
    for one in (site, again):
        assert one.archive.undelete(HOSPITAL, study, None, None, by=BY) == 2
        assert rows(one.settings.database_url) == before


def test_an_instance_sent_again_after_its_deletion_is_new(
    site: Site, site_on: Callable[..., Site], second_database: str, ct: list[bytes]
) -> None:
    """It is stored and survives a rebuild; restoring the deleted one then adds nothing."""
    site.file(*ct)
    site.archive.delete(HOSPITAL, "1.2.3", None, None, by=BY)
    site.file(ct[0])
    assert only(site.archive).identity.sop_instance_uid == "1.2.3.1.1"
    rebuilt = site_on(second_database).archive.rebuild_index(HOSPITAL, silent)
    assert (rebuilt.instances, rebuilt.deleted) == (1, 4)
    site.archive.undelete(HOSPITAL, "1.2.3", None, None, by=BY)
    assert len(everything(site.archive)) == 4
    assert not rows(site.settings.database_url)["conflict"]


def test_what_a_crash_left_in_the_spool_stays_deleted(site: Site, ct: list[bytes]) -> None:
    """A file whose worker died between commit and unlink, found again after a deletion, is dropped."""
    site.receive(ct[0])
    (spooled,) = (site.settings.data / "spool" / HOSPITAL).glob("*/*.dcm")
    folder, left = spooled.parent, spooled.read_bytes()
    received_at = spooled.stat().st_mtime_ns
    site.drain()
    site.archive.delete(HOSPITAL, "1.2.3", None, None, by=BY)
    folder.mkdir(exist_ok=True)
    spooled.write_bytes(left)
    os.utime(spooled, ns=(received_at, received_at))
    site.drain()
    assert everything(site.archive) == []


def test_small_packs_of_a_quiet_series_become_one(
    site: Site, site_on: Callable[..., Site], second_database: str, ct: list[bytes], other_series: list[bytes]
) -> None:
    """Four packs become one, every byte and every row but the places stay, the old packs are swept when old."""
    for one in (*ct, *other_series):
        site.file(one)
    metadata = sorted(json.dumps(one) for one in metadata_of(site, "1.2.3"))
    assert compacted(site) == (6, 0)
    assert compacted(site) == (0, 0)
    assert len(objects_of(site)) == 8
    assert site.archive.sweep(HOSPITAL, min_age=3600) == []
    assert len(site.archive.sweep(HOSPITAL, min_age=0)) == 6
    assert len(objects_of(site)) == 2
    assert site.archive.verify(HOSPITAL, silent).damages == ()
    assert sorted(json.dumps(one) for one in metadata_of(site, "1.2.3")) == metadata
    for stored in everything(site.archive):
        assert site.archive.frame(HOSPITAL, stored, 1)
    site_on(second_database).archive.rebuild_index(HOSPITAL, silent)
    assert rows(second_database) == rows(site.settings.database_url)


def test_packs_of_every_kind_are_joined_as_they_are(
    site: Site, ct: list[bytes], pydicom_file: Callable[[str], Path], tmp_path: Path
) -> None:
    """Envelopes, deflated members and instances kept as received survive their move."""
    names = ("MR_small_implicit.dcm", "reportsi.dcm", "JPEG2000.dcm", "rtplan.dcm", "examples_palette.dcm")
    made = [
        one
        for number, name in enumerate(names)
        for one in slices(pydicom_file(name), tmp_path, 1, series=f"1.2.3.{number}")
    ]
    for number, one in enumerate(made):
        data_set = pydicom.dcmread(io.BytesIO(one))
        data_set.SeriesInstanceUID = "1.2.3.9"
        data_set.PatientID, data_set.Modality = "P", "OT"
        data_set.save_as(tmp_path / f"{number}.dcm")
        site.file((tmp_path / f"{number}.dcm").read_bytes())
    assert compacted(site)[0] == len(names)
    site.archive.sweep(HOSPITAL, min_age=0)
    assert site.archive.verify(HOSPITAL, silent).damages == ()
    assert len(objects_of(site)) == 1


def test_bytes_of_the_deleted_go_after_their_grace(
    site: Site, site_on: Callable[..., Site], second_database: str, ct: list[bytes], other_series: list[bytes]
) -> None:
    """Within the grace compaction keeps them, restorably; after it they are in no object of the store any more."""
    site.file(*ct)
    for one in other_series:
        site.file(one)
    before = rows(site.settings.database_url)
    site.archive.delete(HOSPITAL, "1.2.3", "1.2.3.1", "1.2.3.1.2", by=BY)
    site.archive.delete(HOSPITAL, "1.2.3", "1.2.3.2", None, by=BY)
    assert compacted(site) == (0, 0)
    site.archive.undelete(HOSPITAL, "1.2.3", None, None, by=BY)
    assert rows(site.settings.database_url) == before
    site.archive.delete(HOSPITAL, "1.2.3", "1.2.3.1", "1.2.3.1.2", by=BY)
    site.archive.delete(HOSPITAL, "1.2.3", "1.2.3.2", None, by=BY)
    assert compacted(site, grace=0) == (3, 3)
    again = site_on(second_database)  # before the sweep: the old packs still lie there
    assert again.archive.rebuild_index(HOSPITAL, silent).instances == 3
    site.archive.sweep(HOSPITAL, min_age=0)
    assert len(objects_of(site)) == 1
    assert not any(b"1.2.3.1.2.dcm" in path.read_bytes() for path in objects_of(site))
    assert site.archive.verify(HOSPITAL, silent).damages == ()
    with pytest.raises(NotFound):
        site.archive.undelete(HOSPITAL, "1.2.3", None, None, by=BY)


def test_a_damaged_pack_is_never_copied(site: Site, ct: list[bytes]) -> None:
    """Compaction leaves a pack with rot alone and names it; nothing is retired."""
    for one in ct[:2]:
        site.file(one)
    flipped = objects_of(site)[0]
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.chmod(0o640)
    flipped.write_bytes(content)
    done = site.archive.compact(HOSPITAL, grace=DAY, quiet=0, pack_bytes=64 * 1024 * 1024)
    assert (len(done.damaged), done.replaced) == (2, ())
    assert len(rows(site.settings.database_url)["pack"]) == 2


def test_a_deletion_that_fails_is_not_half_done(site: Site, ct: list[bytes]) -> None:
    """When the transaction fails nothing is deleted; the act that stays behind is swept when it is old."""
    site.file(*ct)
    before = rows(site.settings.database_url)
    with psycopg.connect(site.settings.database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE h_default.audit RENAME TO away")
        with pytest.raises(Unavailable):
            site.archive.delete(HOSPITAL, "1.2.3", None, None, by=BY)
        connection.execute("ALTER TABLE h_default.away RENAME TO audit")
    assert rows(site.settings.database_url) == before
    (act,) = (site.settings.data / "objects" / HOSPITAL / "deleted").glob("*/*.json")
    assert site.archive.sweep(HOSPITAL, min_age=0) == []
    os.utime(act, (1, 1))
    assert site.archive.sweep(HOSPITAL, min_age=0) == [f"deleted/{act.parent.name}/{act.name}"]


def test_the_audit_tells_who_and_cannot_be_changed(site: Site, ct: list[bytes]) -> None:
    """Deleting and restoring are recorded with who, from where and why; the hospital itself cannot alter a row."""
    site.file(*ct)
    site.archive.delete(HOSPITAL, "1.2.3", "1.2.3.1", None, by=BY)
    site.archive.undelete(HOSPITAL, "1.2.3", None, None, by=BY)
    record(site.archive.index, HOSPITAL, Event(subject="ct", source="dimse:10.0.0.1", act="store", outcome="failure"))
    recorded = events(site.archive.index, HOSPITAL)
    assert [one.act for one in recorded] == ["store", "undelete", "delete"]
    deletion = recorded[2]
    assert (deletion.subject, deletion.source, deletion.series_instance_uid) == ("dr.lan", "http:10.0.0.9", "1.2.3.1")
    assert deletion.detail == {"instances": 4, "conflicts": 0, "reason": "wrong patient"}
    assert deletion.at is not None
    for change in ("UPDATE audit SET subject = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(Unavailable, match="42501"), site.archive.index.transaction(HOSPITAL) as connection:
            connection.execute(change)


def test_joined_packs_never_hold_a_uid_twice() -> None:
    """Packs are grouped oldest first up to the size of a pack; a UID that comes twice separates them."""
    found = [
        Content("packs/a", 40, "1", "aa", 1, 5),
        Content("packs/b", 40, "1", "aa", 2, 0),
        Content("packs/c", 40, "2", "bb", 3, 0),
        Content("packs/d", 40, "3", "cc", 4, 0),
    ]
    assert plan_groups(found, pack_bytes=100) == [["packs/a", "packs/c"], ["packs/b", "packs/d"]]
    assert plan_groups(found[:2], pack_bytes=100) == []


def test_a_compaction_that_fails_leaves_everything_where_it_was(site: Site, ct: list[bytes]) -> None:
    """When the transaction fails every row stays, what was put is swept, and the next round succeeds."""
    for one in ct[:2]:
        site.file(one)
    before = rows(site.settings.database_url)
    with psycopg.connect(site.settings.database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE h_default.retired_pack RENAME TO away")
        with pytest.raises(Unavailable):
            compacted(site)
        connection.execute("ALTER TABLE h_default.away RENAME TO retired_pack")
    assert rows(site.settings.database_url) == before
    assert len(objects_of(site)) == 3
    assert len(site.archive.sweep(HOSPITAL, min_age=0)) == 1
    assert compacted(site) == (2, 0)


def test_a_deletion_during_compaction_wins(site: Site, ct: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is deleted while its pack is copied stays deleted; this round leaves the packs, the next joins them."""
    for one in ct[:3]:
        site.file(one)
    put = compact_module.put_pack

    def put_while_deleting(*given: Any) -> Any:
        site.archive.delete(HOSPITAL, "1.2.3", "1.2.3.1", "1.2.3.1.2", by=BY)
        return put(*given)

    monkeypatch.setattr(compact_module, "put_pack", put_while_deleting)
    assert compacted(site) == (0, 0)
    monkeypatch.undo()
    assert {one.identity.sop_instance_uid for one in everything(site.archive)} == {"1.2.3.1.1", "1.2.3.1.3"}
    assert compacted(site) == (2, 0)  # the pack of the deleted one holds no instance any more
    assert site.archive.undelete(HOSPITAL, "1.2.3", None, None, by=BY) == 1
    assert site.archive.verify(HOSPITAL, silent).instances == 3


def test_studies_of_two_patients_keep_their_own_counts(site: Site, ct: list[bytes], tmp_path: Path) -> None:
    """One Study UID under two patients is two studies; deleting by that UID takes both, a series only its own."""
    site.file(*ct[:2])
    other = pydicom.dcmread(io.BytesIO(ct[2]))
    other.PatientID, other.SeriesInstanceUID = "another", UID("1.2.3.7")
    other.save_as(tmp_path / "other.dcm")
    site.file((tmp_path / "other.dcm").read_bytes())
    assert site.archive.delete(HOSPITAL, "1.2.3", "1.2.3.7", None, by=BY) == 1
    assert study_of(site)["00201208"] == 2
    assert len(rows(site.settings.database_url)["patient"]) == 1
    site.archive.undelete(HOSPITAL, "1.2.3", None, None, by=BY)
    assert site.archive.delete(HOSPITAL, "1.2.3", None, None, by=BY) == 3


def test_deleting_in_an_s3_store_is_the_same(
    site_on: Callable[..., Site], database: str, second_database: str, s3_endpoint: S3Endpoint, ct: list[bytes]
) -> None:
    """Acts, rebuild, compaction and sweep work where objects are in S3."""
    url = s3_endpoint.minio_url(s3_endpoint.new_bucket())
    site = site_on(database, objects_url=url)
    for one in ct:
        site.file(one)
    site.archive.delete(HOSPITAL, "1.2.3", "1.2.3.1", "1.2.3.1.1", by=BY)
    assert compacted(site) == (3, 0)
    again = site_on(second_database, objects_url=url)
    assert again.archive.rebuild_index(HOSPITAL, silent).deleted == 1
    assert len(site.archive.sweep(HOSPITAL, min_age=0)) == 3
    assert compacted(site, grace=0) == (1, 1)
    assert len(site.archive.sweep(HOSPITAL, min_age=0)) == 1
    assert site.archive.verify(HOSPITAL, silent).damages == ()
    assert {site.archive.received(HOSPITAL, one) for one in everything(site.archive)} == {
        data_set_of(one) for one in ct[1:]
    }


def test_deleting_and_storing_at_once_never_lock_each_other_out(
    site: Site, ct: list[bytes], other_series: list[bytes]
) -> None:
    """Workers, deletions and compactions of one study run side by side; in the end counts are those of the rows."""
    site.file(*ct, *other_series)
    failures: list[BaseException] = []

    def repeat(step: Callable[[], object]) -> None:
        for _ in range(12):
            try:
                step()
            except NotFound:
                continue
            except BaseException as error:  # whatever it is, the test shows it
                failures.append(error)

    def send_again() -> None:
        site.receive(ct[0])
        site.receive(other_series[1])
        site.worker.run_once()

    steps: tuple[Callable[[], object], ...] = (
        lambda: site.archive.delete(HOSPITAL, "1.2.3", "1.2.3.1", None, by=BY),
        lambda: site.archive.undelete(HOSPITAL, "1.2.3", None, None, by=BY),
        lambda: site.archive.compact(HOSPITAL, grace=DAY, quiet=0, pack_bytes=64 * 1024 * 1024),
        send_again,
    )
    threads = [threading.Thread(target=repeat, args=(step,)) for step in steps]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert failures == []
    site.drain()
    with suppress(NotFound):
        site.archive.undelete(HOSPITAL, "1.2.3", None, None, by=BY)
    assert study_of(site)["00201208"] == len(everything(site.archive)) == 6
    assert site.archive.verify(HOSPITAL, silent).damages == ()
