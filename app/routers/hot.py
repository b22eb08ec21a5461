"""
The reads that make up most of the load, past the framework's routing and dependencies, which cost more than they do.

What is plain is taken here, and given to the function of the documented route. Everything else (another method, a
query, a body, an id that is none, no token) goes on to that route, which knows what is wrong with it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request, Response
from pydantic_core import to_json
from starlette.types import ASGIApp, Receive, Scope, Send

from app.routers import margin
from app.routers.deps import caller_of
from app.schemas.base import LARGEST_ID
from app.services.access import Caller

_BEARER: Final = b"Bearer "
#: Longer ones may be too large; the documented route says so.
_MOST_DIGITS: Final = len(str(LARGEST_ID)) - 1
#: A request with one of these is not plain.
_SPECIAL: Final = frozenset({b"content-length", b"transfer-encoding", b"if-none-match", b"if-match"})


@dataclass(frozen=True, slots=True)
class HotRoute:
    """A GET whose path ends with a client's id; `path` is that of the documented route."""

    path: str
    answer: Callable[[int, Caller, Any], Awaitable[Response]]


async def _get_margin(client_id: int, caller: Caller, state: Any) -> Response:  # noqa: ANN401 - Starlette's
    answer = await margin.get_margin(client_id, caller, state.margin_reads)
    return Response(to_json(answer), media_type="application/json")


#: By what stands before the id.
ROUTES: Final[Mapping[str, HotRoute]] = {"/margin": HotRoute("/margin/{clientId}", _get_margin)}


class HotReads:
    """ASGI middleware that answers plain requests for the hot routes; it stands inside of `RequestContext`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        prefix, _, digits = scope["path"].rpartition("/") if scope["type"] == "http" else ("", "", "")
        route, client_id = ROUTES.get(prefix), _client_id(digits)
        token = _token(scope) if route and client_id else None
        if route is None or token is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route  # for the metrics, by its path
        try:
            state = scope["app"].state
            caller = await caller_of(token, auth=state.auth)
            response = await route.answer(client_id, caller, state)
        except Exception as error:
            handlers = scope["app"].exception_handlers
            handler = next((handlers[kind] for kind in type(error).__mro__ if kind in handlers), None)
            if handler is None:
                raise
            response = await handler(Request(scope), error)
        await response(scope, receive, send)


def _client_id(digits: str) -> int:
    """Return an id that is surely one, else 0."""
    return int(digits) if len(digits) <= _MOST_DIGITS and digits.isascii() and digits.isdigit() else 0


def _token(scope: Scope) -> str | None:
    """Return the bearer token of a plain request; None: there is none, or it is not that simple."""
    if scope["method"] != "GET" or scope["query_string"]:
        return None
    tokens: list[bytes] = []
    for name, value in scope["headers"]:
        if name == b"authorization":
            tokens.append(value)
        elif name in _SPECIAL:
            return None
    if len(tokens) != 1 or not tokens[0].startswith(_BEARER):
        return None
    return tokens[0][len(_BEARER) :].decode("latin-1")
