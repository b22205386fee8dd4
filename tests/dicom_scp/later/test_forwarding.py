"""Forwarding over real associations: by rules, once each, through outages, and announced when a study is quiet."""

import io
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage  # type: ignore[attr-defined]  # made at import

from dicom_scp.announcements import INSTANCE_AVAILABILITY, Announcements
from dicom_scp.outgoing import Outgoing
from pacs.forwarding import ForwardRule, Sends
from storage.index.errands import add_forward_rule, delivery_counts, drop_forward_rule, forward_rules
from tests.dicom_scp.later.conftest import HOSPITAL, Whole

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # pynetdicom's, when refused


class Destination:
    """A storage SCP that counts, and may refuse."""

    def __init__(self) -> None:
        self.received: list[Dataset] = []
        self.told: list[Dataset] = []
        self.associations = 0
        self.status = 0x0000

    def store(self, event: Any) -> int:
        """C-STORE."""
        if self.status == 0x0000:
            self.received.append(event.dataset)
        return self.status

    def create(self, event: Any) -> tuple[int, Dataset]:
        """N-CREATE."""
        self.told.append(event.attribute_list)
        return 0x0000, Dataset()

    def established(self, _: Any) -> None:
        """One more association."""
        self.associations += 1

    @contextmanager
    def listening(self, port: int = 0) -> Iterator[int]:
        """Listen; the port."""
        entity = AE("DEST")
        entity.add_supported_context(CTImageStorage)
        entity.add_supported_context(INSTANCE_AVAILABILITY)
        handlers: Any = [
            (evt.EVT_C_STORE, self.store),
            (evt.EVT_N_CREATE, self.create),
            (evt.EVT_ESTABLISHED, self.established),
        ]
        server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
        assert server is not None
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def state(whole: Whole, title: str) -> tuple[int, int, int]:
    """Instances that wait for a destination, that it acknowledged, and that failed."""
    counts = {
        name: (waiting, sent, lost) for name, waiting, sent, lost, _ in delivery_counts(whole.archive.index, HOSPITAL)
    }
    return counts.get(title, (0, 0, 0))


@contextmanager
def rule(whole: Whole, **given: Any) -> Iterator[None]:
    """A forward rule for as long as a test needs it."""
    key = add_forward_rule(whole.archive.index, HOSPITAL, ForwardRule(**given))
    yield
    drop_forward_rule(whole.archive.index, HOSPITAL, key)


def test_only_what_a_rule_names_is_forwarded_and_over_one_association(dispatching: Whole) -> None:
    """Of many instances those of one modality and sender go to the destination, together, each once, marked as sent."""
    destination = Destination()
    with destination.listening() as port, rule(dispatching, destination="ONE", modality="CT", calling_ae_title="CT7"):
        dispatching.know("ONE", port)
        dispatching.stop_dispatcher()
        wanted = {dispatching.received(calling="CT7")[1] for _ in range(5)}
        dispatching.received(calling="CT8")
        dispatching.received(calling="CT7", Modality="OT")
        dispatching.drain()
        dispatching.start_dispatcher()
        dispatching.wait(lambda: state(dispatching, "ONE") == (0, 5, 0))
    assert sorted(one.SOPInstanceUID for one in destination.received) == sorted(wanted)
    assert destination.associations == 1
    assert forward_rules_of(dispatching) == []


def forward_rules_of(whole: Whole) -> list[Any]:
    with whole.archive.index.transaction(HOSPITAL) as connection:
        return forward_rules(connection)


def test_a_destination_that_is_down_at_first_gets_everything_later(dispatching: Whole, tmp_path: Path) -> None:
    """DCMTK's storescp starts after the instances were filed and the dispatcher restarted; pixels arrive unchanged."""
    storescp = shutil.which("storescp")
    assert storescp, "apt-get install dcmtk"
    probe = Destination()
    with probe.listening() as port:
        dispatching.know("LATE", port)
    with rule(dispatching, destination="LATE"):
        uids = {dispatching.filed()[1] for _ in range(2)}
        dispatching.wait(lambda: dispatching.rows("SELECT FROM errand WHERE destination = 'LATE' AND failures > 1"))
        assert state(dispatching, "LATE") == (2, 0, 0)
        dispatching.stop_dispatcher()
        dispatching.start_dispatcher()
        with subprocess.Popen([storescp, "+xa", "-od", str(tmp_path), str(port)]) as process:
            dispatching.wait(lambda: state(dispatching, "LATE") == (0, 2, 0))
            process.terminate()
    received = [pydicom.dcmread(path) for path in tmp_path.iterdir()]
    assert {one.SOPInstanceUID for one in received} == uids
    template = pydicom.dcmread(io.BytesIO(dispatching.template))
    assert all(one.PixelData == template.PixelData for one in received)


def test_a_hanging_destination_holds_nobody_up(dispatching: Whole) -> None:
    """While one destination accepts the connection and says nothing, another gets its instances."""
    import socket  # noqa: PLC0415  # only here

    destination = Destination()
    with socket.create_server(("127.0.0.1", 0)) as silent, destination.listening() as port:
        dispatching.know("HANGS", silent.getsockname()[1])
        dispatching.know("WORKS", port)
        with rule(dispatching, destination="HANGS"), rule(dispatching, destination="WORKS"):
            dispatching.filed()
        dispatching.wait(lambda: state(dispatching, "WORKS") == (0, 1, 0))
        assert state(dispatching, "HANGS")[1] == 0


def test_what_a_destination_refuses_is_given_up_after_some_tries_and_shown(dispatching: Whole) -> None:
    """A destination that answers with a failure is not asked for ever; the reason is kept."""
    destination = Destination()
    destination.status = 0xA900
    with destination.listening() as port, rule(dispatching, destination="REFUSES"):
        dispatching.know("REFUSES", port)
        dispatching.filed()
        dispatching.wait(lambda: state(dispatching, "REFUSES") == (0, 0, 1), limit=40)
    assert dispatching.rows("SELECT DISTINCT reason FROM delivery WHERE destination = 'REFUSES'") == [("status A900",)]


def test_a_study_is_announced_when_it_is_quiet(dispatching: Whole) -> None:
    """A destination that asked is told, once, of all instances of a study and where to get them; then nothing waits."""
    destination = Destination()
    study = generate_uid()
    with destination.listening() as port, rule(dispatching, destination="RIS", sends=Sends.AVAILABILITY):
        dispatching.know("RIS", port)
        uids = {dispatching.filed(StudyInstanceUID=study)[1] for _ in range(2)}
        errand = Announcements(dispatching.archive, dispatching.registry, Outgoing())
        seconds = errand.run(HOSPITAL, "RIS")
        assert seconds is not None
        assert 50 < seconds <= 60
        assert not destination.told
        with dispatching.archive.index.transaction(HOSPITAL) as connection:
            connection.execute("UPDATE availability SET due_at = now()")
        time.sleep(0.01)
        assert errand.run(HOSPITAL, "RIS") is None
    (told,) = destination.told
    assert told.StudyInstanceUID == study
    references = [item for series in told.ReferencedSeriesSequence for item in series.ReferencedSOPSequence]
    assert {item.ReferencedSOPInstanceUID for item in references} == uids
    assert {(item.InstanceAvailability, item.RetrieveAETitle) for item in references} == {("ONLINE", "PACS")}
    assert errand.waiting(HOSPITAL) == []
