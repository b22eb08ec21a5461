"""
The reads that make up most of the load, past the framework's routing and dependencies, which cost more than they do.

A plain request is passed to the function of the documented route. Everything else (another method, a
query, a body, an id that is none, no token) goes on to that route, which knows what is wrong with it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from fastapi import Request, Response
from pydantic_core import to_json
from starlette.types import ASGIApp, Receive, Scope, Send

from app.auth.deps import caller_of
from app.auth.types import Caller
from app.margin import routes as margin
from app.positions import routes as positions
from app.stocks import routes as stocks
from app.web.etags import ConditionalGet
from app.web.fields import LARGEST_ID

_BEARER: Final = b"Bearer "
#: Longer ones may be too large; the documented route says so.
_MOST_DIGITS: Final = len(str(LARGEST_ID)) - 1
#: A request with one of these is not plain.
_SPECIAL: Final = frozenset({b"content-length", b"transfer-encoding", b"if-none-match", b"if-match"})


@dataclass(frozen=True, slots=True)
class FastRoute:
    """A GET that is answered here; `path` is that of the documented route."""

    path: str
    answer: Callable[[Request, Caller, int], Awaitable[Response]]


async def _get_margin(request: Request, caller: Caller, client_id: int) -> Response:
    answer = await margin.get_margin(client_id, caller, request.app.state.margin_loader)
    return Response(to_json(answer), media_type="application/json")


async def _list_positions(request: Request, caller: Caller, client_id: int) -> Response:
    return await positions.list_positions(client_id, caller, ConditionalGet(None), request.app.state.position_loader)


async def _list_stocks(request: Request, caller: Caller, _: int) -> Response:
    return await stocks.list_stocks(request, caller, ConditionalGet(None), request.app.state.stock_page_loader)


#: By the path in front of a client's id.
BY_CLIENT: Final[Mapping[str, FastRoute]] = {
    "/margin": FastRoute("/margin/{clientId}", _get_margin),
    "/positions": FastRoute("/positions/{clientId}", _list_positions),
}
#: By their path.
BY_PATH: Final[Mapping[str, FastRoute]] = {"/stocks": FastRoute("/stocks", _list_stocks)}


class FastPath:
    """ASGI middleware that answers plain requests for the fast routes, inside of `RequestContext`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = _find(scope["path"]) if scope["type"] == "http" else None
        token = _token(scope) if found else None
        if found is None or token is None:
            await self._app(scope, receive, send)
            return
        route, client_id = found
        scope["route"] = route  # for the metrics, by its path
        request = Request(scope)
        try:
            caller = await caller_of(token, auth=request.app.state.auth)
            response = await route.answer(request, caller, client_id)
        except Exception as error:
            handlers = request.app.exception_handlers
            handler = next((handlers[kind] for kind in type(error).__mro__ if kind in handlers), None)
            if handler is None:
                raise
            response = await handler(request, error)
        await response(scope, receive, send)


def _find(path: str) -> tuple[FastRoute, int] | None:
    """Return the fast route of a path and the id at its end, 0 where it has none; None: there is no such route."""
    prefix, _, digits = path.rpartition("/")
    if route := BY_CLIENT.get(prefix):
        is_id = len(digits) <= _MOST_DIGITS and digits.isascii() and digits.isdigit()
        return (route, int(digits)) if is_id and int(digits) else None
    return (BY_PATH[path], 0) if path in BY_PATH else None


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
