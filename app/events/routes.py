"""The stream as server-sent events."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query
from fastapi.requests import HTTPConnection
from pydantic import WithJsonSchema

from app.auth.deps import SessionDep
from app.clients import service as clients_service
from app.core.errors import InvalidInputError
from app.events.schemas import SSE_EXAMPLE, SSE_SCHEMA, KindIn
from app.events.sse_response import EventStreamResponse, frames
from app.events.types import EventKind, Filter, Stream, Streams, SubscriptionRequest, visible_client
from app.web.fields import LARGEST_ID
from app.web.problems import problems


async def get_streams(connection: HTTPConnection) -> Streams:
    """Return what feeds this process's streams."""
    streams: Streams = connection.app.state.streams
    return streams


StreamsDep = Annotated[Streams, Depends(get_streams)]
router = APIRouter(tags=["events"])
#: Query parameters by which others hand over tokens; URLs end up in logs and histories.
TOKEN_PARAMETERS: Final = frozenset({"token", "access_token", "authorization", "jwt", "bearer"})
_DOCUMENTED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Server-sent events, for as long as you stay.",
        "content": {
            "text/event-stream": {"schema": SSE_SCHEMA, "example": SSE_EXAMPLE},
        },
    }
}


def get_after(
    last_event_id: Annotated[
        int | None, Query(ge=0, le=LARGEST_ID, description="Resume behind this event, as `Last-Event-ID` does.")
    ] = None,
    header: Annotated[
        int | None,
        Header(alias="Last-Event-ID", ge=0, le=LARGEST_ID, description="Resume behind this event."),
        WithJsonSchema({"type": "integer", "minimum": 0, "maximum": LARGEST_ID}),  # a header cannot be null
    ] = None,
) -> int | None:
    """Return behind which event to resume; the header is the newer one where both are sent."""
    return last_event_id if header is None else header


def get_kinds(
    kind: Annotated[list[KindIn] | None, Query(max_length=4, description="Only these kinds.")] = None,
) -> frozenset[EventKind]:
    """Return the kinds that are wanted."""
    return frozenset(EventKind) if kind is None else frozenset(map(EventKind, kind))


def refuse_token_in_url(connection: HTTPConnection) -> None:
    """
    Return if no token is in the URL.

    Raises:
        InvalidInputError: one is.
    """
    if not TOKEN_PARAMETERS.isdisjoint(connection.query_params):
        raise InvalidInputError("A token does not belong into a URL: send it as `Authorization: Bearer ...`.")


async def get_request(
    session: SessionDep,
    kinds: Annotated[frozenset[EventKind], Depends(get_kinds)],
    after: Annotated[int | None, Depends(get_after)],
    client_id: Annotated[
        int | None, Query(alias="clientId", ge=1, le=LARGEST_ID, description="Only this client.")
    ] = None,
    *,
    follow: Annotated[bool, Query(description="False: what is there already, then the end.")] = True,
) -> SubscriptionRequest:
    """
    Return what a subscriber asks for.

    Raises:
        NotFoundError: a client that does not exist, or that the caller may not see.
    """
    own = visible_client(session.caller, client_id)
    if own is not None:
        await clients_service.get_client(own, caller=session.caller)
    return SubscriptionRequest(session=session, filter=Filter(kinds=kinds, client_id=own), after=after, follow=follow)


async def get_stream(
    request: Annotated[SubscriptionRequest, Depends(get_request)], streams: StreamsDep
) -> AsyncIterator[Stream]:
    """Give a stream until the response has ended."""
    async with streams.open(request) as stream:
        yield stream


@router.get(
    "/events",
    operation_id="follow_events",
    summary="Follow what happens",
    response_class=EventStreamResponse,
    status_code=200,  # FastAPI reads it from the class, which fixes it
    responses=_DOCUMENTED | problems(401, 404, 422, 429, 503),
    dependencies=[Depends(refuse_token_in_url)],
)
async def follow_events(stream: Annotated[Stream, Depends(get_stream)]) -> EventStreamResponse:
    """
    Follow events as they happen; a user of role `client` gets those of its own client.

    `event:` is the kind. `state` (a client moves between ok, warning, call, incomplete) and `margin_call` have an `id:`
    in the order in which they happened and are kept for 30 days: a connection that sends `Last-Event-ID` gets every one
    behind it, none twice. `price` (what a unit is worth in account currency) and `margin` are the latest figures, at
    most four a second, without id; a connection begins with those of the client and what it holds, or, of every client,
    with the most urgent 200 and 500 prices, and gets no more than that at a time.

    `resync` is the first event where `Last-Event-ID` is older than what is kept, or is not of this database: it has the
    states and open margin calls of now. `bye` is the last one, with a reason: `slow_reader`, `signed_out` (also when
    the token expires), `shutdown`, `unavailable`, `complete`. Resume from its `id:`.

    The same comes over a WebSocket at `/ws/{clientId}`, each event a JSON message: send the token as a header, or
    within 5 s as the first message `{"token": ..., "last_event_id": ...}`. Its first message is `open`, whose id is
    where the stream begins. Close codes: 4400 malformed, 4401 not authenticated (any more), 4404 no such client, 4408
    no token in time, 1012 the service stops, 1013 too many streams, or a slow reader: resume from the id that the
    reason names.
    """
    return EventStreamResponse(frames(stream))
