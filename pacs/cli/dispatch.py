"""What ``pacs dispatch`` runs: which jobs there are, and what each of them calls.

Law: plain lists; jobs are run by `storage.jobs`, and do what their rooms say.
"""

import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pacs.forwarding import Sends
from pacs.settings import Settings

if TYPE_CHECKING:
    from storage.archive import Archive
    from storage.jobs import Dispatcher, Errand
    from storage.registry import Registry

log = logging.getLogger(__name__)

EVERY_10_SECONDS = "* * * * * */10"
NIGHTLY = "17 18 * * *"  # UTC: 01:17 in Viet Nam


def dispatcher(
    archive: "Archive",
    registry: "Registry",
    settings: Settings,
    stop: threading.Event,
    *,
    grace: float = 60.0,
    first_delay: float = 5.0,
) -> "Dispatcher":
    """Everything that happens later on this archive.

    ``grace``: seconds that Storage Commitment waits for an instance nobody has seen; ``first_delay``: until a
    destination that failed is tried again.
    """
    from pacs.cli.opening import opened_spool
    from storage.commitments import Commitments
    from storage.index import commitments as rows
    from storage.index.jobs import drop_stalled
    from storage.jobs import Dispatcher, Errands
    from storage.jobs.dispatcher import STALLED

    errands = Errands(archive.index, _kinds(archive, registry, settings, stop), first_delay=first_delay)
    commitments = Commitments(archive, opened_spool(settings), grace=grace)

    def wake() -> None:
        """Schedule whatever rows wait for: its job may be lost with a dispatcher that died."""
        drop_stalled(archive.index, seconds=STALLED)
        for hospital in hospital_names(archive):
            errands.wake(hospital)
            for key in rows.undecided_requests(archive.index, hospital):
                with archive.index.transaction(hospital) as connection:
                    rows.schedule(connection, hospital, key, hurry=False)

    def tidy() -> None:
        """Join small packs, drop the bytes of what was deleted, remove what nothing references."""
        for hospital in hospital_names(archive):
            done = archive.compact(
                hospital, grace=settings.delete_grace, quiet=settings.compact_quiet, pack_bytes=settings.pack_bytes
            )
            removed = archive.sweep(hospital)
            log.info("%s: %d packs joined, %d objects removed", hospital, len(done.replaced), len(removed))

    return Dispatcher(
        archive.index,
        {"errand": errands.run, "commitment": commitments.decide},
        {EVERY_10_SECONDS: wake, NIGHTLY: tidy},
    )


def hospital_names(archive: "Archive") -> list[str]:
    """Every hospital."""
    from storage.index.registry import hospitals

    return [one.hospital for one in hospitals(archive.index)]


def _kinds(
    archive: "Archive", registry: "Registry", settings: Settings, stop: threading.Event
) -> "Mapping[str, Errand]":
    from dicom_scp.announcements import Announcements
    from dicom_scp.commitment_requests import CommitmentRequests
    from dicom_scp.forwarding import Forwarding
    from dicom_scp.reports import Reports
    from pacs.cli.dimse import outgoing_of, tls_of
    from storage.index.commitments import REPORT
    from storage.index.confirmations import CONFIRM

    outgoing = outgoing_of(settings)
    return {
        Sends.INSTANCES: Forwarding(archive, registry, tls_of(settings), stop=stop.is_set),
        Sends.AVAILABILITY: Announcements(archive, registry, outgoing),
        REPORT: Reports(archive.index, registry, outgoing),
        CONFIRM: CommitmentRequests(archive.index, registry, outgoing, stop=stop.is_set),
    }
