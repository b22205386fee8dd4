import logging
import threading
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import psycopg
import pytest

from pacs.batches import Attempt, Batch, plan_batch
from pacs.errors import Unavailable
from pacs.query import parse_query
from pacs.settings import Settings
from storage.archive import open_archive
from storage.ingest import Worker
from storage.spool import Spool
from tests.storage.conftest import HOSPITAL, Site, with_settings
from tests.storage.test_archive import digest_of, everything

UID = b"1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322"  # of CT_small


@pytest.fixture
def ct(pydicom_file: Callable[[str], Path]) -> bytes:
    return pydicom_file("CT_small.dcm").read_bytes()


def variants(part10: bytes, count: int) -> list[bytes]:
    """Instances of the same series and patient with SOP Instance UIDs of their own."""
    return [part10.replace(UID, UID[:-5] + f"{number:05d}".encode()) for number in range(count)]


def quarantined(site: Site) -> list[Path]:
    return sorted((site.settings.data / "quarantine" / HOSPITAL).glob("*.dcm"))


def spooled(site: Site) -> list[Path]:
    return sorted((site.settings.data / "spool" / HOSPITAL).glob("[!.]*/*.dcm"))


def test_a_burst_can_be_searched_within_five_seconds_of_its_last_instance(site: Site, ct: bytes) -> None:
    """The standard settings make a quiet series searchable within 5 s."""
    worker = Worker(site.spool, site.archive, with_settings(site, pack_quiet=1.0))
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    for one in variants(ct, 5):
        site.receive(one)
    began = time.monotonic()
    while not site.archive.search(HOSPITAL, parse_query("instance", [])).items:
        assert time.monotonic() - began < 5
        time.sleep(0.05)
    stop.set()
    thread.join()
    assert len(everything(site.archive)) == 5


def test_rot_in_the_spool_goes_to_quarantine_and_the_rest_is_filed(site: Site, ct: bytes) -> None:
    """A spool file that is not what was received is set aside with its reason; its series goes on."""
    for one in variants(ct, 3):
        site.receive(one)
    rotten = spooled(site)[1]
    content = bytearray(rotten.read_bytes())
    content[-10] ^= 1
    rotten.write_bytes(content)
    site.drain()
    assert len(everything(site.archive)) == 2
    (aside,) = quarantined(site)
    assert "changed after it was received" in aside.with_suffix(".json").read_text()


def test_an_instance_that_kills_the_worker_is_isolated_and_set_aside(site: Site, ct: bytes) -> None:
    """When workers die over every batch with one instance in it, only that one goes to quarantine."""
    for one in variants(ct, 4):
        site.receive(one)
    (series,) = site.spool.series()
    poison = spooled(site)[2].stem
    for _ in range(30):
        if not spooled(site):
            break
        claim = site.spool.claim(series)
        assert claim is not None
        with claim:
            step = plan_batch(
                claim.waiting(), claim.attempt(), now=time.time_ns(), pack_bytes=2**20, quiet=0.0, age=5.0
            )
            dies = isinstance(step, Batch) and poison in step.digests
            if dies and isinstance(step, Batch):  # what a worker that is killed leaves behind
                claim.begin(Attempt(step.attempts, step.digests))
        if not dies:
            site.worker.run_once()
    assert [path.stem.rpartition("-")[2] for path in quarantined(site)] == [poison]
    assert len(everything(site.archive)) == 3


def test_an_instance_that_the_index_cannot_hold_is_isolated_and_set_aside(site: Site, ct: bytes, database: str) -> None:
    """An unforeseen failure over one instance costs nobody else's: the rest of its series is filed."""
    made = variants(ct, 5)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            """CREATE FUNCTION h_default.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.sop_instance_uid LIKE '%00003' THEN RAISE numeric_value_out_of_range; END IF; RETURN NEW; END $$"""
        )
        connection.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON h_default.instance FOR EACH ROW EXECUTE FUNCTION h_default.refuse()"
        )
    site.file(*made)
    assert [path.stem.rpartition("-")[2] for path in quarantined(site)] == [digest_of(made[3])]
    assert len(everything(site.archive)) == 4


def test_a_store_that_is_down_leaves_the_spool_as_it_is(
    site: Site, ct: bytes, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """While rows cannot be written the spool keeps everything, the log says so once, and work goes on afterwards."""
    for one in variants(ct, 3):
        site.receive(one)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER TABLE h_default.instance RENAME TO away")
        before = spooled(site)
        stop = threading.Event()
        thread = threading.Thread(target=site.worker.run, args=(stop,))
        with caplog.at_level(logging.WARNING, "storage.ingest"):
            thread.start()
            time.sleep(2.5)
            assert spooled(site) == before
            assert not quarantined(site)
            connection.execute("ALTER TABLE h_default.away RENAME TO instance")
            while spooled(site):
                time.sleep(0.05)
            stop.set()
            thread.join()
    assert [record.message.split(":")[0] for record in caplog.records] == ["ingest waits", "ingest works again"]
    assert len(everything(site.archive)) == 3


def test_no_log_line_names_a_patient(site: Site, pydicom_series: list[bytes], caplog: pytest.LogCaptureFixture) -> None:
    """What the worker logs holds UIDs and counts only."""
    with caplog.at_level(logging.DEBUG):
        site.file(*pydicom_series)
    text = caplog.text.lower()
    assert "stored" in text
    for word in ("compressedsamples", "ct1", "citizen", "anonymous"):
        assert word not in text


def work(database_url: str, data: Path, together: Barrier) -> None:
    """A worker process that begins together with the others and works until its spool is empty."""
    settings = Settings(
        data=data,
        objects_url=(data.parent / "objects").as_uri(),
        database_url=database_url,
        spool_free_floor=0,
        pack_quiet=0.0,
    )
    spool = Spool(data, free_floor=0)
    with open_archive(settings) as archive:
        worker = Worker(spool, archive, settings)
        archive.check()
        together.wait(60)
        while spool.counts(HOSPITAL).files:
            try:
                worker.run_once()
            except Unavailable:
                time.sleep(0.1)


@pytest.mark.parametrize("same", [False, True], ids=["new instances", "the same instance"])
def test_eight_processes_store_one_new_patient_at_once(
    same: bool,  # noqa: FBT001  # pytest gives it
    tmp_path: Path,
    site_on: Callable[..., Site],
    database: str,
    ct: bytes,
) -> None:
    """Eight workers with spools of their own make one patient, one study, one series, exact counts, no duplicate."""
    made = variants(ct, 24)
    for number in range(8):
        folder = tmp_path / f"worker{number}"
        spool_site = site_on(database, folder=folder)
        for one in made[:3] if same else made[3 * number : 3 * number + 3]:
            spool_site.receive(one)
    context = get_context("forkserver")
    context.set_forkserver_preload(["storage.ingest"])
    together = context.Barrier(8)
    processes = [context.Process(target=work, args=(database, tmp_path / f"worker{n}", together)) for n in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    count = 3 if same else 24
    with psycopg.connect(database) as connection:
        connection.execute("SET search_path TO h_default")
        for table, expected in (("patient", 1), ("study", 1), ("series", 1), ("instance", count), ("conflict", 0)):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (expected,)  # noqa: S608  # own names
        query = (
            "SELECT number_of_study_related_instances, number_of_study_related_series, modalities_in_study FROM study"
        )
        assert connection.execute(query).fetchone() == (count, 1, ["CT"])
