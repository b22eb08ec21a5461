"""Around every request: an id, a deadline, one log line, one count."""

import asyncio
import re
import time
from typing import Final
from uuid import uuid4

import structlog
from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core import metrics
from app.core.access_log import requests
from app.web import problems as errors
from app.web.limits import has_deadline

_GIVEN_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class RequestContext:
    """
    ASGI middleware: `X-Request-ID` in and out and in every log line, a deadline, an answer to a bug.

    It wraps the framework's own error handling, so an exception that gets past that still ends as a problem document.
    """

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

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
            requests.write(scope["method"], scope["path"], status, ms)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, within its time."""
        async with asyncio.timeout(self._seconds if has_deadline(scope) else None):
            await self._app(scope, receive, send)


def _route(scope: Scope) -> str:
    """Return the template of the route that a request found, never its path, which may hold ids."""
    return getattr(scope.get("route"), "path", None) or "none"


def _request_id(scope: Scope) -> str:
    """Return the caller's own id where it is a harmless one, else a new one."""
    given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return given if _GIVEN_ID.fullmatch(given) else uuid4().hex
