"""Around every request: an id, a deadline, one log line, one count."""

import asyncio
import re
import time
from typing import Final
from uuid import uuid4

import structlog
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import logs, metrics
from app.routers import errors

_GIVEN_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
#: Streams last and may be large; they bound themselves.
_STREAMS: Final = ("/events", "/imports", "/exports")


class RequestContext:
    """
    ASGI middleware: `X-Request-ID` in and out and in every log line, a deadline, a body limit, an answer to a bug.

    It stands outside the framework's own error handling, so whatever gets past that still ends as a problem document.
    """

    def __init__(self, app: ASGIApp, *, seconds: float, max_body_bytes: int) -> None:
        self._app = app
        self._seconds = seconds
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        status = 0
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._serve(scope, receive, send_with_id)
        except Exception as error:
            if status:  # too late for another answer
                raise
            response = errors.last_resort(Request(scope), error)
            await response(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            metrics.count_request(scope["method"], _route(scope), status, seconds)
            ms = round(seconds * 1000, 1)
            logs.log_request(method=scope["method"], path=scope["path"], status=status, ms=ms)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, within its limits."""
        if scope["path"].startswith(_STREAMS):
            await self._app(scope, receive, send)
            return
        if _content_length(scope) > self._max_body_bytes:
            response = errors.body_too_large(Request(scope), self._max_body_bytes)
            await response(scope, receive, send)
            return
        async with asyncio.timeout(self._seconds):
            await self._app(scope, receive, send)


def _route(scope: Scope) -> str:
    """Return the template of the route that a request found, never its path, which may hold ids."""
    return getattr(scope.get("route"), "path", None) or "none"


def _content_length(scope: Scope) -> int:
    """Return what the client says it will send; chunked bodies are counted by the framework."""
    text = dict(scope["headers"]).get(b"content-length", b"0")
    return int(text) if text.isdigit() else 0


def _request_id(scope: Scope) -> str:
    """Return the caller's own id where it is a harmless one, else a new one."""
    given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return given if _GIVEN_ID.fullmatch(given) else uuid4().hex
