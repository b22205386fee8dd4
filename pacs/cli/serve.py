"""The commands that run: everything at once, or one part alone.

Law: ``serve`` does nothing that the parts alone could not do in production; it starts them on embedded defaults and
keeps them alive.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from http.client import HTTPConnection, HTTPException

import typer

from dicom_scp.listener import bind_listener, inherited_listener, inherited_listeners
from pacs.cli.lifeline import PARENT, Interruption, data_folder_lock
from pacs.cli.opening import Data, database, opened_spool, settings_of, start_logging
from pacs.cli.output import announce, forward
from pacs.cli.supervise import LOOK, Part, Supervisor, pacs_command
from pacs.cli.tokens import reachable_host, sign_in_address
from pacs.settings import Settings

# The order of stopping: no new instances, then file those here, then what follows from it, then the pages
RECEIVERS, WORKERS, DISPATCH, WEB = range(4)


def add_commands(app: typer.Typer) -> None:
    """Add ``serve``, ``receive``, ``ingest``, ``dispatch`` and ``web``."""
    for command in (serve, receive, ingest, dispatch, web):
        app.command()(command)


def serve(data: Data = None) -> None:
    """Start everything: PostgreSQL, receivers, ingest workers, the dispatcher and the pages."""
    from pacs.cli.dimse import dicom_listeners
    from pacs.cli.engine import kept_database
    from storage.index import migrate

    settings = settings_of(data)
    interruption = Interruption().listen()
    with (
        data_folder_lock(settings.data),
        dicom_listeners(settings) as dicom,
        bind_listener(settings.http_host, settings.http_port) as pages,
        kept_database(settings, forward) as (ready, keeper),
    ):
        migrate(ready.database_url, ae_title=ready.ae_title)
        opened_spool(ready).sweep_incoming()
        bound = replace(ready, dicom_port=dicom[0].getsockname()[1], http_port=pages.getsockname()[1])
        supervisor = Supervisor(environment={**os.environ, **bound.environment()}, say=forward)
        supervisor.keep([*_receivers(bound, dicom), *_workers(bound), _dispatch(), _web(pages)])
        threading.Thread(target=_announce_when_ready, args=(bound,), daemon=True).start()
        supervisor.run(interruption, also=keeper.look if keeper else lambda: None)
    forward("serve", "stopped")


def receive(data: Data = None) -> None:
    """Receive instances and answer queries over DIMSE; several processes share the port when PACS_RECEIVERS says so."""
    settings = settings_of(data)
    from pacs.cli.dimse import dicom_listeners, limits_of, places_of, tls_of

    given = inherited_listeners(os.environ, at_most=2)
    if not given and settings.receivers > 1:
        with dicom_listeners(settings) as listeners:
            _supervise(settings, lambda ready: _receivers(ready, listeners))
        return
    from dicom_scp.receiver import run_receiver
    from pacs.cli.services import services
    from storage.archive import open_archive
    from storage.registry import Registry

    start_logging()
    stop = _stop_event()
    with (
        nullcontext(given) if given else dicom_listeners(settings) as (listener, *secure),
        database(settings) as ready,
        open_archive(ready) as archive,
        Registry(archive.index, trust_local=ready.trust_local) as registry,
    ):
        tls = tls_of(ready)
        run_receiver(
            listener,
            opened_spool(ready),
            registry.admit,
            stop,
            services=services(archive, registry, tls, ready),
            secured=(secure[0], tls) if secure and tls else None,
            limits=limits_of(ready),
            places=places_of(ready),
        )


def ingest(data: Data = None) -> None:
    """Compress, prove, pack and file what lies in the spool; PACS_WORKERS processes."""
    settings = settings_of(data)
    if PARENT not in os.environ and settings.workers > 1:
        _supervise(settings, _workers)
        return
    from storage.archive import open_archive
    from storage.ingest import Worker

    start_logging()
    stop = _stop_event()
    with database(settings) as ready, open_archive(ready) as archive:
        Worker(opened_spool(ready), archive, ready).run(stop)


def dispatch(data: Data = None) -> None:
    """Do what happens later: forward, commit, notify, tidy up at night; one on each machine is enough."""
    from pacs.cli.dispatch import dispatcher
    from storage.archive import open_archive
    from storage.registry import Registry

    settings = settings_of(data)
    start_logging()
    stop = _stop_event()
    with (
        database(settings) as ready,
        open_archive(ready) as archive,
        Registry(archive.index, trust_local=ready.trust_local) as registry,
    ):
        dispatcher(archive, registry, ready, stop).run(stop)


def web(data: Data = None) -> None:
    """Serve the pages, DICOMweb and the tiles."""
    import uvicorn

    from storage.access import Access
    from storage.archive import open_archive
    from viewer_api.app import create_app
    from viewer_api.request_ids import NamingFormatter

    settings = settings_of(data)
    start_logging(NamingFormatter)
    given = inherited_listener(os.environ)
    with (
        given or bind_listener(settings.http_host, settings.http_port) as listener,
        database(settings) as ready,
        open_archive(ready) as archive,
    ):
        app = create_app(ready, archive, opened_spool(ready), Access(archive.index))
        # no access log: a URL may hold a patient's name as a search term
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=10)
        with suppress(KeyboardInterrupt):  # uvicorn finishes its requests, then raises the signal again
            uvicorn.Server(config).run(sockets=[listener])


def _receivers(settings: Settings, listeners: Sequence[socket.socket]) -> list[Part]:
    return _numbered("receive", settings.receivers, RECEIVERS, listeners)


def _workers(settings: Settings) -> list[Part]:
    return _numbered("ingest", settings.workers, WORKERS)


def _dispatch() -> Part:
    return Part(name="dispatch", command=pacs_command("dispatch"), stage=DISPATCH)


def _web(listener: socket.socket) -> Part:
    return Part(name="web", command=pacs_command("web"), stage=WEB, listeners=[listener])


def _numbered(command: str, count: int, stage: int, listeners: Sequence[socket.socket] = ()) -> list[Part]:
    return [
        Part(name=f"{command} {number}", command=pacs_command(command), stage=stage, listeners=listeners)
        for number in range(1, count + 1)
    ]


def _supervise(settings: Settings, parts: Callable[[Settings], list[Part]]) -> None:
    """Run several processes of one kind on a database that answers."""
    interruption = Interruption().listen()
    with database(settings) as ready:
        supervisor = Supervisor(environment={**os.environ, **ready.environment()}, say=forward)
        supervisor.keep(parts(ready))
        supervisor.run(interruption)


def _stop_event() -> threading.Event:
    """An event that the first Ctrl-C or SIGTERM sets; from a thread, as a signal handler must not touch its lock."""
    interruption, stop = Interruption().listen(), threading.Event()

    def pass_on() -> None:
        while not interruption.asked:
            time.sleep(LOOK)
        stop.set()

    threading.Thread(target=pass_on, daemon=True).start()
    return stop


def _announce_when_ready(settings: Settings) -> None:
    while not _web_answers(reachable_host(settings), settings.http_port):
        time.sleep(LOOK)
    tls = f", TLS {settings.dicom_tls_port}" if settings.dicom_tls_certificate else ""
    command = sys.argv[0]  # as it was called: a fresh clone has no pacs on PATH
    rows = {
        "Pages": sign_in_address(settings),
        "Again": f"{command} token --link --data {settings.data}",
        "Samples": f"{command} demo",
        "DICOM": f"port {settings.dicom_port}{tls}, AE title {settings.ae_title}",
        "Stop": "Ctrl-C",
    }
    announce("The archive is ready; the link signs in once.", rows)


def _web_answers(host: str, port: int) -> bool:
    connection = HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
