"""The stream of one client over a WebSocket."""

import asyncio
from contextlib import aclosing, suppress
from typing import Annotated, Final

from fastapi import APIRouter, Depends, WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from app.auth.deps import AuthDep
from app.auth.service import Auth
from app.auth.sessions import open_session
from app.clients import service as clients_service
from app.core.errors import AppError, AuthenticationError, InvalidInputError, NotFoundError, RetryableError
from app.events.routes import StreamsDep, get_after, get_kinds, refuse_token_in_url
from app.events.schemas import SubscribeIn
from app.events.sse_response import PING_SECONDS, WRITE_SECONDS, last_frame
from app.events.types import Ending, EventKind, Filter, Stream, Streams, SubscriptionRequest, visible_client
from app.events.wire import as_json
from app.web.deps import ClientId

router = APIRouter()

_TOKEN_SECONDS: Final = 5.0
_NO_TOKEN_IN_TIME: Final = 4408
_TRY_AGAIN_LATER: Final = 1013
_REFUSALS: Final[dict[type[AppError], int]] = {
    InvalidInputError: 4400,
    AuthenticationError: 4401,
    NotFoundError: 4404,
    RetryableError: _TRY_AGAIN_LATER,
}
_ENDINGS: Final = {
    Ending.SIGNED_OUT: 4401,
    Ending.SHUTDOWN: 1012,
    Ending.SLOW: _TRY_AGAIN_LATER,
    Ending.UNAVAILABLE: _TRY_AGAIN_LATER,
}


@router.websocket("/ws/{clientId}")
async def follow_client(
    websocket: WebSocket,
    client_id: ClientId,
    auth: AuthDep,
    streams: StreamsDep,
    kinds: Annotated[frozenset[EventKind], Depends(get_kinds)],
    after: Annotated[int | None, Depends(get_after)],
) -> None:
    """Send a client's events as JSON messages; see `follow_events` for what they are and for close codes."""
    query = websocket.scope["query_string"]
    websocket.scope["query_string"] = b""  # the server logs it, and a caller may have put a token there
    await websocket.accept()
    websocket.scope["query_string"] = query
    try:
        refuse_token_in_url(websocket)
        first = await _first_message(websocket)
        after = after if first.last_event_id is None else first.last_event_id
        request = await _request(first.token, Filter(kinds=kinds, client_id=client_id), after, auth)
        await _serve(websocket, request, streams)
    except TimeoutError:
        await _close(websocket, _NO_TOKEN_IN_TIME, "No token came in time.")
    except AppError as error:
        code = next(_REFUSALS[kind] for kind in type(error).__mro__ if kind in _REFUSALS)
        await _close(websocket, code, str(error))
    except WebSocketDisconnect:
        pass  # it left


async def _first_message(websocket: WebSocket) -> SubscribeIn:
    """
    Return the token and where to resume, from the header or else from the first message.

    Raises:
        TimeoutError: no message came.
        InvalidInputError: another message came.
    """
    scheme, _, token = websocket.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() == "bearer":
            return SubscribeIn(token=token)
        async with asyncio.timeout(_TOKEN_SECONDS):
            message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"])
        return SubscribeIn.model_validate_json(message.get("text") or "")
    except ValidationError as error:
        raise InvalidInputError('Send {"token": ...} as the first message.') from error


async def _request(token: str, wanted: Filter, after: int | None, auth: Auth) -> SubscriptionRequest:
    """
    Return the request of a session that may make it.

    Raises:
        AuthenticationError: a token that is not valid (any more).
        NotFoundError: a client that does not exist, or that the caller may not see.
    """
    session = await open_session(token, auth=auth)
    visible_client(session.caller, wanted.client_id)
    assert wanted.client_id is not None, "the path names it"
    await clients_service.get_client(wanted.client_id, caller=session.caller)
    return SubscriptionRequest(session=session, filter=wanted, after=after)


async def _serve(websocket: WebSocket, request: SubscriptionRequest, streams: Streams) -> None:
    """
    Send events until the stream ends or the subscriber leaves.

    Raises:
        RetryableError: too many streams.
    """
    async with streams.open(request) as stream:
        sender = asyncio.create_task(_send(websocket, stream))
        leaver = asyncio.create_task(_until_left(websocket))
        try:
            await asyncio.wait({sender, leaver}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaver.cancel()
            sender.cancel()
            await asyncio.wait({sender, leaver})
        if not sender.cancelled():
            sender.result()


async def _send(websocket: WebSocket, stream: Stream) -> None:
    """Send events to the stream's end, and close with the id to resume from; give up a reader that takes nothing."""
    with suppress(TimeoutError):
        async with aclosing(stream.batches(patience_seconds=PING_SECONDS)) as batches:
            async for batch in batches:
                for event in batch:
                    async with asyncio.timeout(WRITE_SECONDS):
                        await websocket.send_text(as_json(event))
        last = last_frame(stream)
        reason = f"{last.data['reason']}; last_event_id={stream.position}"
        await _close(websocket, _ENDINGS[Ending(last.data["reason"])], reason)


async def _until_left(websocket: WebSocket) -> None:
    """Return when the subscriber leaves; what it says is of no interest."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    """Close, if it is still open; a reason may have 123 bytes."""
    with suppress(TimeoutError, WebSocketDisconnect):
        async with asyncio.timeout(WRITE_SECONDS):
            await websocket.close(code, reason.encode()[:120].decode(errors="ignore"))
