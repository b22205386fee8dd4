"""``pacs modality query`` and ``fetch``: what the archives that were there before have, and bringing it here.

Law: fetched is what this archive has, not what the other one says it sent: the command ends well only when nothing is
missing.
"""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from pacs.cli.opening import HOSPITAL, Data, database, settings_of
from pacs.cli.output import console, progress
from pacs.errors import InvalidRequest, NotAllowed, NotFound, Unavailable
from pacs.modalities import Destination, Right
from pacs.settings import Settings

if TYPE_CHECKING:
    from dicom_scp.outgoing import Outgoing
    from dicom_scp.querying import FoundStudy, StudyKeys
    from storage.index import Index

Title = Annotated[str, typer.Argument(help="Its AE title; its address is told by `pacs modality add`.")]
PatientID = Annotated[str, typer.Option(help="Patient ID.")]
PatientName = Annotated[str, typer.Option(help="As NGUYEN^VAN*.")]
StudyDate = Annotated[str, typer.Option(help="As 20240131, 20240101-20241231 or 20240101-.")]
OfModality = Annotated[str, typer.Option("--modality", help="As CT.")]
AccessionNumber = Annotated[str, typer.Option(help="Accession Number.")]
Hospital = Annotated[str, typer.Option(help="Name of the hospital.")]

_LOOK = 0.5  # seconds between looks at what arrived


def add_commands(group: typer.Typer) -> None:
    """Add ``query`` and ``fetch``."""
    group.command("query")(query)
    group.command("fetch")(fetch)


def query(
    ae_title: Title,
    data: Data = None,
    *,
    patient_id: PatientID = "",
    patient_name: PatientName = "",
    study_date: StudyDate = "",
    modality: OfModality = "",
    accession_number: AccessionNumber = "",
    hospital: Hospital = HOSPITAL,
) -> None:
    """List the studies that another archive has (C-FIND)."""
    from dicom_scp import querying
    from pacs.cli.dimse import outgoing_of

    keys = _keys(patient_id, patient_name, study_date, modality, accession_number)
    settings = settings_of(data)
    with database(settings) as ready:
        peer = _peer(ready, hospital, ae_title)
    table = Table("study", "patient ID", "name", "date", "modalities", "accession", "description", "instances")
    table.columns[0].no_wrap = True  # to be copied
    for one in querying.studies(outgoing_of(settings), peer, keys):
        table.add_row(*map(Text, _row(one)))
    console.print(table)
    console.print(f"{table.row_count} studies at {ae_title}")


def fetch(
    ae_title: Title,
    data: Data = None,
    *,
    study: Annotated[list[str] | None, typer.Option(help="Study Instance UID; may be repeated.")] = None,
    patient_id: PatientID = "",
    patient_name: PatientName = "",
    study_date: StudyDate = "",
    modality: OfModality = "",
    accession_number: AccessionNumber = "",
    silence: Annotated[float, typer.Option(help="Seconds to wait for an answer, and for an arrival.")] = 600,
    hospital: Hospital = HOSPITAL,
) -> None:
    """Have another archive send us studies (C-MOVE), and see that all of them arrive; `pacs serve` must be running."""
    from dicom_scp import querying
    from pacs.cli.dimse import outgoing_of
    from storage.index import Index

    keys = _keys(patient_id, patient_name, study_date, modality, accession_number)
    if not study and keys == querying.StudyKeys():
        raise InvalidRequest("say which: --study, or one of the keys of `pacs modality query`")
    wanted = [querying.StudyKeys(study_instance_uid=uid) for uid in study] if study else [keys]
    settings = settings_of(data)
    outgoing = outgoing_of(settings, silence=silence)
    with database(settings) as ready, Index(ready.database_url) as index:
        peer = _peer(ready, hospital, ae_title)
        if Right.STORE not in peer.modality.rights:
            raise NotAllowed(f"{ae_title} may not store here: pacs modality add {ae_title} … --may store,destination")
        found = [one for some in wanted for one in querying.studies(outgoing, peer, some)]
        if not found:
            raise NotFound(f"no such study at {ae_title}")
        short = [one for one in found if not _fetched(outgoing, peer, one, _count_of(index, hospital, one), silence)]
    if short:
        raise Unavailable(f"{len(short)} of {len(found)} studies are not complete; fetch them again")


def _peer(settings: Settings, hospital: str, ae_title: str) -> Destination:
    from storage.index import Index
    from storage.index.registry import roster

    with Index(settings.database_url) as index:
        return roster(index).reach(hospital, ae_title)


def _keys(*values: str) -> "StudyKeys":
    from dicom_scp.querying import StudyKeys

    patient_id, patient_name, study_date, modality, accession_number = values
    return StudyKeys(
        patient_id=patient_id,
        patient_name=patient_name,
        study_date=study_date,
        modality=modality,
        accession_number=accession_number,
    )


def _row(one: "FoundStudy") -> Iterable[str]:
    yield from (one.study_instance_uid, one.patient_id, one.patient_name, one.study_date, one.modalities)
    yield from (one.accession_number, one.study_description, "" if one.instances is None else str(one.instances))


def _fetched(
    outgoing: "Outgoing", peer: Destination, study: "FoundStudy", count: Callable[[], int], silence: float
) -> bool:
    """Fetch one study and tell of it; whether it is complete."""
    from dicom_scp import querying

    uid, completed, failed, is_broken = study.study_instance_uid, 0, 0, False
    with progress() as bar:
        task = bar.add_task(uid, total=study.instances)
        try:
            for moved in querying.fetch(outgoing, peer, uid):
                completed, failed = moved.completed + moved.warning, moved.failed
                bar.update(task, completed=completed + failed)
        except Unavailable as error:  # the next study may well come
            is_broken = True
            console.print(f"{uid}: {error}", soft_wrap=True)
    told = completed if study.instances is None else study.instances
    counts = completed or failed or is_broken  # some never send counters
    have = _arrived(count, min(told, completed) if counts else told, silence)
    console.print(f"{uid}: {completed} sent, {failed} failed; here are {have} of {told}", soft_wrap=True)
    return have >= told and not failed and not is_broken


def _arrived(count: Callable[[], int], wanted: int, silence: float) -> int:
    """How many instances of a study are filed, once they are all, or none has come for a while."""
    have, since = count(), time.monotonic()
    while have < wanted and time.monotonic() - since < silence:
        time.sleep(_LOOK)
        before, have = have, count()
        if have != before:
            since = time.monotonic()
    return have


def _count_of(index: "Index", hospital: str, study: "FoundStudy") -> Callable[[], int]:
    from storage.index.reading import count_instances

    return lambda: count_instances(index, hospital, study.study_instance_uid)
