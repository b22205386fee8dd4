import hashlib
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from pacs.codecs import decode_frame
from pacs.dataset import describe_image, read_data_set
from pacs.errors import Damaged, InvalidRequest, NotFound, Unavailable, Unidentified, Unreadable
from pacs.file_meta import read_file_meta
from pacs.model import StoredInstance
from pacs.query import parse_query
from storage.archive import Archive
from storage.archive.prepare import prepare, receive
from storage.index.writing import claim_unreferenced, drop_pack
from storage.packs import write_pack
from tests.conftest import S3Endpoint
from tests.storage.conftest import HOSPITAL, Site

HTJ2K = "1.2.840.10008.1.2.4.202"

# Every row with surrogate keys replaced by what they stand for.
_ROWS = {
    "patient": "SELECT to_jsonb(p) - 'patient_pk' FROM h_default.patient p",
    "study": """SELECT to_jsonb(s) - 'study_pk' - 'patient_pk' || jsonb_build_object('of', p.patient_id)
        FROM h_default.study s JOIN h_default.patient p USING (patient_pk)""",
    "series": """SELECT to_jsonb(s) - 'series_pk' - 'study_pk' || jsonb_build_object('of', t.study_instance_uid)
        FROM h_default.series s JOIN h_default.study t USING (study_pk)""",
    "pack": "SELECT to_jsonb(p) - 'pack_pk' FROM h_default.pack p",
    "instance": """SELECT to_jsonb(i) - 'series_pk' - 'pack_pk' || jsonb_build_object('of', s.series_instance_uid,
        'study', t.study_instance_uid, 'in', p.pack_key) FROM h_default.instance i
        JOIN h_default.series s USING (series_pk) JOIN h_default.study t USING (study_pk)
        JOIN h_default.pack p USING (pack_pk)""",
    "conflict": """SELECT to_jsonb(c) - 'pack_pk' || jsonb_build_object('in', p.pack_key)
        FROM h_default.conflict c JOIN h_default.pack p USING (pack_pk)""",
}


def rows(database_url: str) -> dict[str, list[str]]:
    """All rows of the hospital, comparable between two databases."""
    with psycopg.connect(database_url) as connection:
        return {
            table: sorted(json.dumps(row[0], sort_keys=True) for row in connection.execute(query))
            for table, query in _ROWS.items()
        }


def silent(*_: int) -> None:
    """No progress is shown."""


def data_set_of(part10: bytes) -> bytes:
    return part10[read_file_meta(part10).data_set_offset :]


def digest_of(part10: bytes) -> str:
    return hashlib.sha256(data_set_of(part10)).hexdigest()


def everything(archive: Archive) -> list[StoredInstance]:
    studies = archive.search(HOSPITAL, parse_query("study", [])).items
    return [one for item in studies for one in archive.instances(HOSPITAL, item["0020000D"]["Value"][0])]


def only(archive: Archive) -> StoredInstance:
    (stored,) = everything(archive)
    return stored


def objects_of(site: Site, kind: str = "") -> list[Path]:
    return sorted((site.settings.data / "objects" / HOSPITAL).glob(f"{kind or '*'}/*/*.zip"))


def metadata_of(site: Site, *uids: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(b"".join(site.archive.metadata(HOSPITAL, *uids)))
    return found


@pytest.fixture
def mr(pydicom_file: Callable[[str], Path]) -> bytes:
    return pydicom_file("MR_small.dcm").read_bytes()


@pytest.fixture
def other_mr(pydicom_file: Callable[[str], Path]) -> bytes:
    """The same SOP Instance UID, another data set."""
    return pydicom_file("MR_small_implicit.dcm").read_bytes()


def test_every_instance_comes_back_byte_for_byte(site: Site, pydicom_series: list[bytes]) -> None:
    """Whatever the encoding, the data set as received can be had again, and the stored file is Part 10."""
    site.file(*pydicom_series)
    found = {}
    for stored in everything(site.archive):
        found[stored.digest] = site.archive.received(HOSPITAL, stored)
        assert site.archive.part10(HOSPITAL, stored)[128:132] == b"DICM"
    assert found == {digest_of(one): data_set_of(one) for one in pydicom_series}


def test_an_archive_on_s3_behaves_the_same(
    site_on: Callable[..., Site],
    database: str,
    second_database: str,
    s3_endpoint: S3Endpoint,
    pydicom_series: list[bytes],
) -> None:
    """With objects in a real S3 every instance is stored, read by ranges, verified, and found again by a rebuild."""
    bucket = s3_endpoint.minio_url(s3_endpoint.new_bucket())
    site = site_on(database, objects_url=bucket)
    site.file(*pydicom_series)
    found = {stored.digest: site.archive.received(HOSPITAL, stored) for stored in everything(site.archive)}
    assert found == {digest_of(one): data_set_of(one) for one in pydicom_series}
    assert site.archive.verify(HOSPITAL, silent).damages == ()
    assert site_on(second_database, objects_url=bucket).archive.rebuild_index(HOSPITAL, silent).unreadable == ()
    assert rows(second_database) == rows(database)


def test_the_same_instance_again_changes_nothing(site: Site, mr: bytes) -> None:
    """An equal data set under the same UID is a success that stores nothing."""
    site.file(mr)
    before, packs = rows(site.settings.database_url), objects_of(site)
    site.file(mr)
    assert rows(site.settings.database_url) == before
    assert objects_of(site) == packs


def test_another_data_set_under_the_same_uid_is_kept_as_a_conflict(site: Site, mr: bytes, other_mr: bytes) -> None:
    """The first instance stays as it was; the second is kept whole beside it, once, however often it comes."""
    site.file(mr)
    site.file(other_mr)
    site.file(other_mr)
    assert only(site.archive).digest == digest_of(mr)
    assert len(objects_of(site, "conflicts")) == 1
    assert len(rows(site.settings.database_url)["conflict"]) == 1
    assert site.archive.verify(HOSPITAL, silent).instances == 2


def test_contradictions_within_one_batch_are_kept_too(
    site: Site, mr: bytes, other_mr: bytes, pydicom_file: Callable[[str], Path]
) -> None:
    """Three data sets of one UID in one batch: the first received is the instance, the others are conflicts."""
    site.file(mr, other_mr, pydicom_file("MR_small_bigendian.dcm").read_bytes())
    assert only(site.archive).digest == digest_of(mr)
    assert len(rows(site.settings.database_url)["conflict"]) == 2
    assert site.archive.verify(HOSPITAL, silent).damages == ()


def test_a_frame_is_the_pixels_and_a_smaller_one_is_its_prefix(site: Site, pydicom_file: Callable[[str], Path]) -> None:
    """A frame decodes to the received pixels; with ``reduce`` fewer bytes decode to the smaller size."""
    site.file(pydicom_file("examples_overlay.dcm").read_bytes())
    stored = only(site.archive)
    assert stored.transfer_syntax_uid == HTJ2K
    image = describe_image(site.archive.header(HOSPITAL, stored))
    assert image is not None
    whole = site.archive.frame(HOSPITAL, stored, 1)
    small = site.archive.frame(HOSPITAL, stored, 1, reduce=2)
    assert whole.startswith(small)
    assert decode_frame(whole, image, HTJ2K).shape[:2] == (image.rows, image.columns)
    reduced = decode_frame(small, image, HTJ2K, reduce=2)
    assert np.array_equal(reduced, decode_frame(whole, image, HTJ2K, reduce=2))
    with pytest.raises(NotFound):
        site.archive.frame(HOSPITAL, stored, 2)


def test_metadata_is_one_array_in_reading_order(site: Site, pydicom_series: list[bytes]) -> None:
    """The JSON of a study is valid, complete and in the order of instances(), whatever packs it lies in."""
    for one in pydicom_series:
        site.file(one)
    for stored in everything(site.archive):
        identity = stored.identity
        study = site.archive.instances(HOSPITAL, identity.study_instance_uid)
        found = metadata_of(site, identity.study_instance_uid)
        assert [one["00080018"]["Value"][0] for one in found] == [one.identity.sop_instance_uid for one in study]
        (alone,) = metadata_of(
            site, identity.study_instance_uid, identity.series_instance_uid, identity.sop_instance_uid
        )
        assert alone in found


def test_metadata_of_nothing_is_not_found_before_anything_is_sent(site: Site) -> None:
    """A door must be able to answer 404 before it has begun to stream."""
    with pytest.raises(NotFound):
        site.archive.metadata(HOSPITAL, "1.2.3")


def test_a_header_is_read_without_pixels(site: Site, pydicom_series: list[bytes]) -> None:
    """The header holds what stands before the pixels, in the stored transfer syntax."""
    site.file(*pydicom_series)
    for stored in everything(site.archive):
        header = site.archive.header(HOSPITAL, stored)
        assert header.text(0x00080018) == stored.identity.sop_instance_uid
        assert 0x7FE00010 not in header.elements
        assert header is site.archive.header(HOSPITAL, stored)


def test_the_index_is_rebuilt_row_for_row(
    site: Site, site_on: Callable[..., Site], second_database: str, pydicom_series: list[bytes], other_mr: bytes
) -> None:
    """From the packs alone comes the same index: every table, every row, every column."""
    site.file(*pydicom_series[:8])
    site.file(*pydicom_series[8:])
    site.file(other_mr)
    expected = rows(site.settings.database_url)
    assert all(expected.values())
    again = site_on(second_database)
    rebuilt = again.archive.rebuild_index(HOSPITAL, silent)
    assert rows(second_database) == expected
    assert (rebuilt.instances, rebuilt.conflicts, rebuilt.repeated, rebuilt.unreadable) == (15, 1, 0, ())
    with pytest.raises(InvalidRequest):
        again.archive.rebuild_index(HOSPITAL, silent)


def test_a_rebuild_lists_what_is_no_pack_and_keeps_first_those_that_won(
    site: Site, site_on: Callable[..., Site], second_database: str, mr: bytes, other_mr: bytes
) -> None:
    """A conflict that also lies in a pack of its own, left by a lost race, does not win; rubbish is listed."""
    site.file(mr)
    site.file(other_mr)
    expected = rows(site.settings.database_url)
    packs = site.settings.data / "objects" / HOSPITAL / "packs"
    (conflict,) = objects_of(site, "conflicts")
    lost = packs / conflict.parent.name / conflict.name
    lost.parent.mkdir(parents=True, exist_ok=True)
    lost.write_bytes(conflict.read_bytes())
    rubbish = packs / "00" / "rubbish.zip"
    rubbish.parent.mkdir(parents=True, exist_ok=True)
    rubbish.write_bytes(b"no pack")
    rebuilt = site_on(second_database).archive.rebuild_index(HOSPITAL, silent)
    assert rebuilt.unreadable == ("packs/00/rubbish.zip",)
    assert rebuilt.repeated == 1
    assert rows(second_database) == expected


def test_verify_finds_every_changed_byte(site: Site, pydicom_series: list[bytes]) -> None:
    """Rot in a pack, a pack that ends early and a missing pack are each listed; sound packs are not."""
    for one in pydicom_series:
        site.file(one)
    seen = []
    sound = site.archive.verify(HOSPITAL, lambda done, total: seen.append((done, total)))
    assert sound.damages == ()
    assert sound.instances == len(pydicom_series)
    assert seen[-1] == (sound.bytes, sound.bytes)
    flipped, cut, missing = objects_of(site, "packs")[:3]
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.write_bytes(content)
    cut.write_bytes(cut.read_bytes()[:-200])
    missing.unlink()
    damages = site.archive.verify(HOSPITAL, silent).damages
    assert {Path(damage.pack_key).stem for damage in damages} == {flipped.stem, cut.stem, missing.stem}


def test_a_damaged_instance_is_withheld(site: Site, mr: bytes) -> None:
    """Bytes that are not what was received are never given out as such."""
    site.file(mr)
    stored = only(site.archive)
    (pack,) = objects_of(site, "packs")
    content = bytearray(pack.read_bytes())
    content[stored.location.member_offset + stored.frames[0][0] + stored.frames[0][1] - 3] ^= 0xFF
    pack.write_bytes(content)
    with pytest.raises(Damaged):
        site.archive.received(HOSPITAL, stored)


def test_a_sweep_removes_only_what_nothing_references_and_is_old(site: Site, mr: bytes, other_mr: bytes) -> None:
    """Referenced packs and young ones stay; an old unreferenced one goes."""
    site.file(mr)
    site.file(other_mr)
    referenced = objects_of(site)
    orphan = site.settings.data / "objects" / HOSPITAL / "packs" / "ab" / f"{'ab' * 32}.zip"
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(b"left by a crash")
    assert site.archive.sweep(HOSPITAL) == []
    assert site.archive.sweep(HOSPITAL, min_age=0) == [f"packs/ab/{'ab' * 32}.zip"]
    assert objects_of(site) == referenced
    assert len(rows(site.settings.database_url)["pack"]) == len(referenced)


def test_a_pack_swept_between_put_and_commit_is_put_again(site: Site, database: str, mr: bytes, tmp_path: Path) -> None:
    """A worker that waits for a sweep at the pack's place notices that the pack is gone, and stores it again."""
    one = prepare(receive(mr, digest=digest_of(mr), received_at=1))
    key = write_pack(tmp_path / "pack.zip", [(one.entry, one.compressed, one.metadata)]).key
    path = site.settings.data / "objects" / HOSPITAL / key
    worker = threading.Thread(target=site.archive.store, args=(HOSPITAL, [one]))
    with site.archive.index.transaction(HOSPITAL) as sweep:
        claimed = claim_unreferenced(sweep, key)
        assert claimed is not None
        worker.start()
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        with psycopg.connect(database, autocommit=True) as connection:
            while connection.execute(waiting).fetchone() != (1,):
                time.sleep(0.02)
        assert path.exists()
        path.unlink()
        drop_pack(sweep, claimed)
    worker.join()
    assert path.exists()
    assert site.archive.received(HOSPITAL, only(site.archive)) == data_set_of(mr)


def test_a_failing_commit_leaves_nothing_but_a_pack_to_sweep(site: Site, database: str, mr: bytes) -> None:
    """When the transaction fails, no row is left, the spool keeps the instance, and a later attempt succeeds."""
    site.receive(mr)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER TABLE h_default.series RENAME TO away")
        with pytest.raises(Unavailable):
            site.worker.run_once()
        connection.execute("ALTER TABLE h_default.away RENAME TO series")
    assert not any(rows(database).values())
    assert len(objects_of(site)) == 1
    site.drain()
    assert only(site.archive).digest == digest_of(mr)
    assert site.archive.sweep(HOSPITAL, min_age=0) == []
    assert not list((site.settings.data / "work").iterdir())


def test_the_corpus_is_stored_verified_and_rebuilt(
    site: Site, site_on: Callable[..., Site], second_database: str, corpus_files: Callable[[str], list[Path]]
) -> None:
    """Odd, enhanced, old and broken instances of the corpus: all that can be identified is kept and found again."""
    files = [
        path for folder in ("charsets", "malformed", "non-image", "enhanced") for path in corpus_files(f"{folder}/**/*")
    ]
    received = 0
    for path in files:
        with suppress(Unidentified, Unreadable):  # the spool has set it aside
            site.receive(path.read_bytes())
            received += 1
    site.drain()
    verified = site.archive.verify(HOSPITAL, silent)
    assert verified.damages == ()
    rebuilt = site_on(second_database).archive.rebuild_index(HOSPITAL, silent)
    assert rebuilt.instances + rebuilt.conflicts == verified.instances
    assert rows(second_database) == rows(site.settings.database_url)
    for stored in everything(site.archive):
        json.loads(b"".join(site.archive.metadata(HOSPITAL, stored.identity.study_instance_uid)))
        assert len(site.archive.received(HOSPITAL, stored)) == stored.received_size


def test_an_implicit_instance_keeps_its_encoding(site: Site, other_mr: bytes) -> None:
    """An Implicit VR data set is stored compressed, with what stood around its pixels kept beside it."""
    site.file(other_mr)
    stored = only(site.archive)
    assert stored.transfer_syntax_uid == HTJ2K
    assert stored.location.envelope_offset > 0
    received = site.archive.received(HOSPITAL, stored)
    assert received == data_set_of(other_mr)
    assert read_data_set(received, stored.received_transfer_syntax_uid).implicit
