"""kill -9 of any process at any moment of a load: what was acknowledged is there once."""

import contextlib
import gc
import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE

from tests.acceptance.conftest import RunningArchive
from tests.acceptance.test_whole_way import stored_instances

pytestmark = [
    pytest.mark.acceptance,
    # pynetdicom as requestor leaves the sockets of killed peers to the garbage collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]

KILLS = 20
SEED = 20190214


class Modality(threading.Thread):
    """A modality that never gives up: sends until told to stop, and notes only what was answered with success."""

    def __init__(self, archive: RunningArchive, instances: Iterator[Dataset], stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.archive, self.instances, self.stop = archive, instances, stop
        self.acknowledged: list[str] = []

    def run(self) -> None:
        """Associate, send, and associate again whenever the association is lost."""
        while not self.stop.is_set():
            with contextlib.suppress(OSError, RuntimeError, ValueError):
                self.send_until_lost()
            time.sleep(0.1)

    def send_until_lost(self) -> None:
        """One association's worth of C-STOREs."""
        entity = AE("MODALITY")
        entity.add_requested_context("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1")
        entity.dimse_timeout = entity.acse_timeout = entity.network_timeout = 10
        association = entity.associate("127.0.0.1", self.archive.dicom_port, ae_title="PACS")
        try:
            while association.is_established and not self.stop.is_set():
                instance = next(self.instances)
                if association.send_c_store(instance).get("Status") == 0:
                    self.acknowledged.append(str(instance.SOPInstanceUID))
        finally:
            if association.is_established:
                association.release()
            else:
                association.abort()


def endless_instances(template: Path) -> Iterator[Dataset]:
    """The same small CT under ever new SOP Instance UIDs, a new series every twenty."""
    lock = threading.Lock()
    counter = itertools.count()

    def produce() -> Iterator[Dataset]:
        while True:
            with lock:
                number = next(counter)
            instance = pydicom.dcmread(template)
            instance.PatientID = f"KILL{number // 60}"
            instance.StudyInstanceUID = f"1.2.826.0.1.3680043.10.999.{number // 60}"
            instance.SeriesInstanceUID = f"{instance.StudyInstanceUID}.{number // 20}"
            instance.SOPInstanceUID = instance.file_meta.MediaStorageSOPInstanceUID = generate_uid()
            instance.InstanceNumber = number
            yield instance

    return produce()


class Locked:
    """One iterator shared by several threads."""

    def __init__(self, inner: Iterator[Dataset]) -> None:
        self.inner, self.lock = inner, threading.Lock()

    def __iter__(self) -> "Locked":
        return self

    def __next__(self) -> Dataset:
        with self.lock:
            return next(self.inner)


def test_twenty_random_kills_lose_nothing_and_double_nothing(
    archive: RunningArchive, pydicom_file: Callable[[str], Path]
) -> None:
    """After twenty random kills, of the supervisor too, every acknowledged instance is there exactly once."""
    dice = random.Random(SEED)  # noqa: S311  # reproducible dice, no secret
    archive.start()
    stop = threading.Event()
    instances = Locked(endless_instances(pydicom_file("CT_small.dcm")))
    modalities = [Modality(archive, instances, stop) for _ in range(4)]
    for modality in modalities:
        modality.start()
    killed: list[str] = []
    for number in range(KILLS):
        time.sleep(dice.uniform(0.3, 1.2))
        if number % 7 == 6:
            killed.append("supervisor")
            archive.stop(signal.SIGKILL)
            archive.start()
            continue
        victims = sorted(archive.children().items())
        pid, name = dice.choice(victims)
        killed.append(name)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    stop.set()
    for modality in modalities:
        modality.join(60)
    gc.collect()  # here, where the mark above forgives pynetdicom its open sockets, and not in a later test
    acknowledged = {uid for modality in modalities for uid in modality.acknowledged}
    assert len(acknowledged) > 50, killed
    with archive.client() as http:
        archive.wait_for(lambda: acknowledged <= stored_instances(http).keys(), 120)
        counted = sum(
            item["00201208"]["Value"][0] for item in http.get("/dicom-web/studies", params={"limit": 1000}).json()
        )
        assert counted == len(stored_instances(http))
    assert archive.stop() == 0
    archive.start()
    archive.run("verify")
    spool = [p for p in (archive.data / "spool").rglob("*.dcm") if ".incoming" not in p.parts]
    assert spool == [], "the spool is drained"
    assert [p for p in (archive.data / "quarantine").rglob("*") if p.is_file()] == []
    assert archive.stop() == 0
