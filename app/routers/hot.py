"""
The reads that make up most of the load, past the framework's routing and dependency solver, which cost more than they.

Such a route stands before the documented one of the same path, and calls the same function. It takes what is plain and
leaves everything else (another method, a query, an id that is none, no token) to that one, which knows what is wrong.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI, Response
from pydantic_core import to_json
from starlette.datastructures import State
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from app.routers import margin
from app.routers.deps import caller_of
from app.schemas.base import LARGEST_ID
from app.services.access import Caller

_BEARER: Final = b"Bearer "
#: Longer ones may be too large; the documented route says so.
_MOST_DIGITS: Final = len(str(LARGEST_ID)) - 1


@dataclass(frozen=True, slots=True)
class Plain:
    """A request that a hot route takes."""

    state: State
    client_id: int
    caller: Caller


Answer = Callable[[Plain], Awaitable[Response]]


class HotRoute(BaseRoute):
    """A GET whose path ends with a client's id."""

    def __init__(self, path: str, answer: Answer) -> None:
        """Answer the requests for `path`, as its route writes it: `/margin/{clientId}`."""
        self.path = self.path_format = path
        self._prefix = path.removesuffix("{clientId}")
        self._answer = answer

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether the request is plain, and then what it asks for."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"]:
            return Match.NONE, {}
        path: str = scope["path"]
        digits = path[len(self._prefix) :]
        if not (path.startswith(self._prefix) and digits.isascii() and digits.isdigit()):
            return Match.NONE, {}
        client_id, token = int(digits) if len(digits) <= _MOST_DIGITS else 0, _token(scope)
        if not client_id or token is None:
            return Match.NONE, {}
        return Match.FULL, {"route": self, "hot": (client_id, token)}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; errors go to the application's handlers, as everywhere."""
        client_id, token = scope["hot"]
        state: State = scope["app"].state
        caller = await caller_of(token, auth=state.auth)
        response = await self._answer(Plain(state, client_id, caller))
        await response(scope, receive, send)


def install(app: FastAPI) -> None:
    """Put the hot routes before all others; call first."""
    app.router.routes.append(HotRoute("/margin/{clientId}", _get_margin))


async def _get_margin(plain: Plain) -> Response:
    answer = await margin.get_margin(plain.client_id, plain.caller, plain.state.margin_reads)
    return Response(to_json(answer), media_type="application/json")


def _token(scope: Scope) -> str | None:
    """Return the one bearer token of a request; None: there is none, or it is not that simple."""
    found: list[bytes] = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(found) != 1 or not found[0].startswith(_BEARER):
        return None
    return found[0][len(_BEARER) :].decode("latin-1")
