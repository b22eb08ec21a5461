"""How much a request may send, which ones have no deadline, and how long a reader may take nothing."""

import asyncio
from typing import Final

from fastapi import Request
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web import problems as errors

_IMPORTS: Final = "/imports"


def is_import(scope: Scope) -> bool:
    """Return whether a request brings a file."""
    return bool(scope["path"] == _IMPORTS and scope["method"] == "POST")


def has_deadline(scope: Scope) -> bool:
    """Return whether a request must be answered in time; streams last, and bound themselves."""
    return not (scope["path"].startswith(("/events", "/exports/")) or is_import(scope))


class BodyLimit:
    """ASGI middleware: a limit for bodies, and another one for files to import."""

    def __init__(self, app: ASGIApp, *, body_bytes: int, import_bytes: int) -> None:
        self._ordinary = RequestBodyLimitMiddleware(app, max_body_size=body_bytes)
        self._imports = RequestBodyLimitMiddleware(app, max_body_size=import_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request within its limit."""
        limited = self._imports if scope["type"] == "http" and is_import(scope) else self._ordinary
        if scope["type"] == "http" and content_length(scope) > limited.max_body_size:
            response = errors.body_too_large(Request(scope), limited.max_body_size)
            await response(scope, receive, send)
            return
        await limited(scope, receive, send)


def content_length(scope: Scope) -> int:
    """Return what the client says it will send; chunked bodies are counted as they come."""
    text = dict(scope["headers"]).get(b"content-length", b"0")
    return int(text) if text.isdigit() else 0


def in_time(send: Send, *, seconds: float) -> Send:
    """Return `send` with a time for each message; a reader that takes nothing for so long is a TimeoutError."""

    async def send_in_time(message: Message) -> None:
        async with asyncio.timeout(seconds):
            await send(message)

    return send_in_time
