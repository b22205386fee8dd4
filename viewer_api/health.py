"""Whether the archive lives and works, for people who run it.

Law: `/healthz` asks only this process, `/readyz` really asks the database, the object store and the spool. Neither says
anything about patients, so both work without signing in; numbers (`/metrics`) need a token.
"""

import logging
from collections.abc import Callable, Mapping

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from pacs.errors import ArchiveError
from pacs.model import Source
from pacs.transfer_syntaxes import EXPLICIT_LE
from storage.index.reading import count_packs
from storage.spool import Spool
from viewer_api.session import SignedIn

log = logging.getLogger(__name__)

router = APIRouter(tags=["Operation"])


@router.get("/healthz")
def alive() -> Response:
    """This process answers."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
def ready(request: Request) -> Response:
    """Each part the archive needs answers: 200, else 503 and which one does not."""
    state = request.app.state
    parts: Mapping[str, Callable[[], object]] = {
        "database and objects": state.archive.check,
        "spool": lambda: try_spool(state.spool),
    }
    found = {name: works(name, ask) for name, ask in parts.items()}
    return JSONResponse(found, 200 if all(found.values()) else 503)


def try_spool(spool: Spool) -> None:
    """See that the spool would take an instance; raises OutOfResources, Unavailable."""
    beginning = spool.begin(
        "default", sop_class_uid="", sop_instance_uid="", transfer_syntax_uid=EXPLICIT_LE, source=Source()
    )
    beginning.discard()


def works(name: str, ask: Callable[[], object]) -> bool:
    """Whether one part answers; why not goes to the log."""
    try:
        ask()
    except (ArchiveError, OSError) as error:
        log.warning("%s does not answer: %s", name, error)
        return False
    return True


@router.get("/metrics")
def metrics(request: Request, session: SignedIn) -> Response:
    """Numbers of this hospital in the Prometheus text format."""
    state = request.app.state
    waiting = state.spool.counts(session.hospital)
    packs, stored = count_packs(state.archive.index, session.hospital)
    rows = (
        ("pacs_packs", "gauge", "Packs in the object store.", packs),
        ("pacs_stored_bytes", "gauge", "Bytes of all packs.", stored),
        ("pacs_spool_waiting_files", "gauge", "Instances received and not yet filed.", waiting.files),
        ("pacs_spool_waiting_bytes", "gauge", "Bytes received and not yet filed.", waiting.bytes),
        ("pacs_spool_oldest_seconds", "gauge", "Age of the oldest waiting instance.", round(waiting.oldest, 3)),
        ("pacs_renderer_held_bytes", "gauge", "Decoded frames and pictures in memory.", state.renderer.held),
    )
    lines = [
        f'# HELP {name} {text}\n# TYPE {name} {kind}\n{name}{{hospital="{session.hospital}"}} {value}\n'
        for name, kind, text, value in rows
    ]
    return PlainTextResponse("".join(lines), media_type="text/plain; version=0.0.4")
