"""A name for each request, in its answer and in every log line that it causes.

Law: a proxy in front may have named the request already (X-Request-ID); its name is kept when it is harmless, so that
one search finds the request in both logs. Names are chance, they say nothing about who asked for what.
"""

import logging
import re
from contextvars import ContextVar
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"
HARMLESS = re.compile(r"[A-Za-z0-9._-]{1,64}")  # nothing that could end a log line or make one up

_current: ContextVar[str] = ContextVar("request_id", default="")


class RequestIds:
    """ASGI middleware, outermost; threads that work for the request inherit its name with their context."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Name the request and its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = name_of(Headers(scope=scope).get(HEADER, ""))

        async def send_with_name(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = name
            await send(message)

        token = _current.set(name)
        try:
            await self._app(scope, receive, send_with_name)
        finally:
            _current.reset(token)


def name_of(sent: str) -> str:
    """The name that was sent, when it is harmless, else a new one."""
    return sent if HARMLESS.fullmatch(sent) else uuid4().hex


class NamingFormatter(logging.Formatter):
    """Adds the name of the request to the first line of what is logged for it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the name is logging's
        """The line, then the name in brackets."""
        line, name = super().formatMessage(record), _current.get()
        return f"{line} [{name}]" if name else line
