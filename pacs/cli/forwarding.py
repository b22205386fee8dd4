"""``pacs forward`` and ``pacs mpps``: what goes on its way by itself, and what modalities say they have made.

Law: a rule holds for what is filed from then on; nothing that was filed before is sent because of it.
"""

from typing import Annotated

import typer
from rich.table import Table

from pacs.cli.opening import HOSPITAL, Data, opened_archive, settings_of
from pacs.cli.output import console
from pacs.errors import InvalidRequest
from pacs.forwarding import ForwardRule, Sends

Hospital = Annotated[str, typer.Option(help="Name of the hospital.")]

forward = typer.Typer(help="Where instances go by themselves.", no_args_is_help=True)
mpps = typer.Typer(help="What modalities say they have made.", no_args_is_help=True)


def add_commands(app: typer.Typer) -> None:
    """Add ``forward add``, ``list`` and ``remove``, ``mpps list`` and ``missing``."""
    app.add_typer(forward, name="forward")
    app.add_typer(mpps, name="mpps")


@forward.command("add")
def add(
    destination: Annotated[str, typer.Argument(help="AE title; its address is told by `pacs modality add`.")],
    data: Data = None,
    *,
    modality: Annotated[str, typer.Option(help="Only this modality, as CT.")] = "",
    calling: Annotated[str, typer.Option(help="Only what this AE title sent.")] = "",
    body_part: Annotated[str, typer.Option(help="Only this Body Part Examined.")] = "",
    hours: Annotated[str, typer.Option(help="Only what comes in these hours, as 7-19 or 19-7.")] = "0-24",
    notify: Annotated[
        bool, typer.Option("--notify", help="Send no instances, but notify when a study is available.")
    ] = False,
    commit: Annotated[
        bool, typer.Option("--commit", help="Ask it for Storage Commitment, and send again what it does not keep.")
    ] = False,
    hospital: Hospital = HOSPITAL,
) -> None:
    """Send what is filed from now on to a destination."""
    from storage.index.errands import add_forward_rule

    from_hour, until_hour = hours_of(hours)
    rule = ForwardRule(
        destination=destination,
        sends=Sends.AVAILABILITY if notify else Sends.INSTANCES,
        modality=modality,
        calling_ae_title=calling,
        body_part_examined=body_part,
        from_hour=from_hour,
        until_hour=until_hour,
        to_commit=commit,
    )
    with opened_archive(settings_of(data)) as archive:
        key = add_forward_rule(archive.index, hospital, rule)
    console.print(f"rule {key}: {rule.sends} to {destination}")


@forward.command("list")
def list_rules(data: Data = None, hospital: Hospital = HOSPITAL) -> None:
    """List the rules, and how far each destination has come."""
    from storage.index.errands import delivery_counts, forward_rules

    with opened_archive(settings_of(data)) as archive:
        with archive.index.transaction(hospital) as connection:
            rules = forward_rules(connection)
        counts = delivery_counts(archive.index, hospital)
    table = Table("rule", "destination", "sends", "modality", "calling", "body part", "hours", "commit")
    for key, rule in rules:
        hours = f"{rule.from_hour}-{rule.until_hour}"
        condition = (rule.modality, rule.calling_ae_title, rule.body_part_examined, hours)
        table.add_row(str(key), rule.destination, rule.sends, *condition, "yes" if rule.to_commit else "")
    console.print(table)
    for destination, waiting, sent, lost, committed in counts:
        console.print(f"{destination}: {sent} sent, {waiting} waiting, {lost} failed, {committed} committed")


@forward.command("remove")
def remove(
    rule: Annotated[int, typer.Argument(help="Number of the rule.")], data: Data = None, hospital: Hospital = HOSPITAL
) -> None:
    """Take a rule away; what it queued is still sent."""
    from storage.index.errands import drop_forward_rule

    with opened_archive(settings_of(data)) as archive:
        drop_forward_rule(archive.index, hospital, rule)
    console.print(f"rule {rule} is gone")


@mpps.command("list")
def list_steps(data: Data = None, hospital: Hospital = HOSPITAL) -> None:
    """List performed procedure steps, the latest first, each with what is missing of it."""
    from storage.index.performed import performed_steps

    with opened_archive(settings_of(data)) as archive:
        found = performed_steps(archive.index, hospital)
    table = Table("step", "modality", "status", "changed", "made", "missing", "complete")
    for one in found:
        changed = f"{one.changed_at:%Y-%m-%d %H:%M}"
        made = (str(one.referenced), str(one.missing), "yes" if one.arrived else "")
        table.add_row(one.sop_instance_uid, one.calling_ae_title, one.status, changed, *made)
    console.print(table)


@mpps.command("missing")
def list_missing(
    step: Annotated[str, typer.Argument(help="SOP Instance UID of the step.")],
    data: Data = None,
    hospital: Hospital = HOSPITAL,
) -> None:
    """List the instances that a step says it has made and that have not arrived."""
    from storage.index.performed import missing

    with opened_archive(settings_of(data)) as archive:
        for uid in missing(archive.index, hospital, step):
            console.print(uid)


def hours_of(text: str) -> tuple[int, int]:
    """``19-7`` as numbers; raises InvalidRequest."""
    first, _, last = text.partition("-")
    if not (first.isdecimal() and last.isdecimal()):
        raise InvalidRequest("hours are written as 7-19")
    return int(first), int(last)
