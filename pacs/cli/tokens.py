"""Keys to the door: bearer tokens for scripts, one-time links for people.

Law: a token is shown once, when it is made; only its digest is kept.
"""

from datetime import timedelta
from typing import Annotated

import typer

from pacs.cli.opening import HOSPITAL, Data, database, settings_of
from pacs.settings import Settings

WILDCARDS = ("", "0.0.0.0", "::")  # noqa: S104  # compared with, not bound to
LINK_LIFETIME = timedelta(hours=12)


def add_commands(app: typer.Typer) -> None:
    """Add ``token``."""
    app.command()(token)


def token(
    data: Data = None,
    *,
    subject: Annotated[str, typer.Option(help="Whom the audit shall name.")] = "script",
    days: Annotated[float, typer.Option(help="How long it is valid.")] = 30,
    link: Annotated[bool, typer.Option("--link", help="A one-time sign-in link for a browser instead.")] = False,
    may_delete: Annotated[bool, typer.Option("--may-delete", help="It may delete studies, series, instances.")] = False,
) -> None:
    """Print a bearer token for scripts, or a one-time sign-in link."""
    with database(settings_of(data)) as settings:
        if link:
            print(sign_in_address(settings))
        else:
            print(_issue(settings, "bearer", subject, timedelta(days=days), may_delete=may_delete))


def sign_in_address(settings: Settings) -> str:
    """The address of the pages with a link that signs in once."""
    key = _issue(settings, "link", "operator", LINK_LIFETIME)
    return f"http://{reachable_host(settings)}:{settings.http_port}/sign-in?link={key}"


def reachable_host(settings: Settings) -> str:
    """Where a browser on this machine finds the pages: a wildcard is where to listen, not where to go."""
    return "127.0.0.1" if settings.http_host in WILDCARDS else settings.http_host


def _issue(settings: Settings, kind: str, subject: str, lifetime: timedelta, *, may_delete: bool = False) -> str:
    from storage.access import Access
    from storage.index import Index

    with Index(settings.database_url) as index:
        return Access(index).issue(kind, HOSPITAL, subject, lifetime, may_delete=may_delete)
