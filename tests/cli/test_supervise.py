import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dicom_scp.listener import bind_listener
from pacs.cli.lifeline import Interruption
from pacs.cli.supervise import Part, Supervisor

LIVING = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('{name} stops'))); "
LIVING += "print('{name} lives', flush=True); time.sleep(60)"


def until(true: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


class Said(list[str]):
    """Lines as the supervisor forwards them."""

    def __call__(self, name: str, line: str) -> None:
        self.append(f"{name}: {line}")


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def supervisor(said: Said) -> Iterator[Supervisor]:
    supervisor = Supervisor(environment=dict(os.environ), say=said)
    yield supervisor
    supervisor.kill()


def part(name: str, stage: int = 0, program: str = LIVING, patience: float = 10) -> Part:
    return Part(name=name, command=(sys.executable, "-c", program.format(name=name)), stage=stage, patience=patience)


def test_a_part_that_is_killed_is_started_again(supervisor: Supervisor, said: Said) -> None:
    """A part that dies, even by kill -9, is back within seconds and the operator is told."""
    supervisor.keep([part("receive")])
    first = supervisor.pids()["receive"]
    until(lambda: "receive: receive lives" in said)
    os.kill(first, signal.SIGKILL)

    def back() -> bool:
        supervisor.look()
        return supervisor.pids().get("receive", first) != first

    until(back, 3)
    assert any("was ended by SIGKILL; starting it again" in line for line in said)


def test_a_part_that_keeps_dying_is_started_less_and_less_often(supervisor: Supervisor, said: Said) -> None:
    """A part that cannot start is not started in a tight loop: the delay doubles."""
    supervisor.keep([part("web", program="raise SystemExit(3)")])
    until(lambda: supervisor.look() or sum("ended with code 3" in line for line in said) >= 3)  # type: ignore[func-returns-value]  # looked at for its effect
    delays = [line.rsplit(" in ", 1)[1] for line in said]
    assert delays[:3] == ["0.2 s", "0.4 s", "0.8 s"]


def test_parts_stop_stage_by_stage(supervisor: Supervisor, said: Said) -> None:
    """Asked to stop, the supervisor ends receivers before workers before the web, and waits for each."""
    supervisor.keep([part("web", 2), part("ingest", 1), part("receive", 0)])
    until(lambda: sum(line.endswith("lives") for line in said) == 3)
    supervisor.stop()
    assert [line for line in said if line.endswith("stops")] == [
        "receive: receive stops",
        "ingest: ingest stops",
        "web: web stops",
    ]
    assert supervisor.pids() == {}


def test_a_part_that_does_not_stop_is_killed(supervisor: Supervisor, said: Said) -> None:
    """A part that ignores SIGTERM cannot keep the archive from stopping."""
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); "
    deaf += "time.sleep(60)"
    supervisor.keep([part("ingest", program=deaf, patience=0.3)])
    until(lambda: "ingest: deaf" in said)
    pid = supervisor.pids()["ingest"]
    supervisor.stop()
    assert gone(pid)


def test_the_first_interruption_stops_in_order(supervisor: Supervisor, said: Said) -> None:
    """The loop ends when it is asked to, leaving no process."""
    interruption = Interruption()
    supervisor.keep([part("receive"), part("web", 1)])
    until(lambda: len(said) == 2)
    threading.Timer(0.2, interruption._heard, (signal.SIGTERM, None)).start()
    supervisor.run(interruption)
    assert [line for line in said if line.endswith("stops")] == ["receive: receive stops", "web: web stops"]


def test_the_second_interruption_is_not_patient() -> None:
    """A second Ctrl-C breaks out of waiting."""
    interruption = Interruption()
    interruption._heard(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        interruption._heard(signal.SIGINT, None)


def test_parts_share_one_listening_socket(supervisor: Supervisor, said: Said) -> None:
    """Two parts accept from the same port on descriptor 3, as systemd would hand it over."""
    accepting = "import os, socket; s = socket.socket(fileno=3); print(os.environ['LISTEN_FDS'], s.getsockname()[1], "
    accepting += "flush=True); s.accept()"
    with bind_listener("127.0.0.1", 0) as listener:
        command = (sys.executable, "-c", accepting)
        supervisor.keep([Part(name=f"receive {n}", command=command, stage=0, listeners=[listener]) for n in (1, 2)])
        port = listener.getsockname()[1]
        until(lambda: {f"receive 1: 1 {port}", f"receive 2: 1 {port}"} <= set(said))


def test_a_part_has_its_listening_sockets_in_order(supervisor: Supervisor, said: Said) -> None:
    """The first is on descriptor 3, the second on 4, wherever they stand in the supervisor."""
    telling = "import os, socket; print(os.environ['LISTEN_FDS'], "
    telling += "*(socket.socket(fileno=n).getsockname()[1] for n in (3, 4)), flush=True); input()"
    with bind_listener("127.0.0.1", 0) as one, bind_listener("127.0.0.1", 0) as other:
        for listeners in ([one, other], [other, one]):
            ports = [listener.getsockname()[1] for listener in listeners]
            command = (sys.executable, "-c", telling)
            supervisor.keep([Part(name=f"part {ports[0]}", command=command, stage=0, listeners=listeners)])
            until(lambda: f"part {ports[0]}: 2 {ports[0]} {ports[1]}" in said)  # noqa: B023  # waited for at once


def test_nothing_survives_the_supervisor(tmp_path: Path) -> None:
    """Parts die with a supervisor that was killed by kill -9."""
    child = "import os, time; from pacs.cli.lifeline import die_with_parent; die_with_parent(dict(os.environ)); "
    child += f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    program = "import os, sys, time; from pacs.cli.supervise import Part, Supervisor; "
    program += "s = Supervisor(environment=dict(os.environ), say=print); "
    program += f"s.keep([Part(name='web', command=(sys.executable, '-c', {child!r}), stage=0)]); time.sleep(60)"
    supervisor = os.posix_spawn(sys.executable, [sys.executable, "-c", program], os.environ)
    pid_file = tmp_path / "pid"
    until(lambda: pid_file.exists() and pid_file.read_text() != "")
    os.kill(supervisor, signal.SIGKILL)
    os.waitpid(supervisor, 0)
    until(lambda: gone(int(pid_file.read_text())), 5)
