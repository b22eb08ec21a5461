"""A response that never has to end: pings, a deadline for each write, a last event that says where to resume."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Send

from app.events.types import BYE, Stream, StreamEvent
from app.events.wire import as_ping, as_sse
from app.web.limits import in_time

PING_SECONDS: Final = 15.0
#: A reader that takes nothing for so long is cut off; it resumes from the last id that it saw.
WRITE_SECONDS: Final = 30.0

_log = structlog.get_logger(__name__)


class EventStreamResponse(StreamingResponse):
    """
    Server-sent events.

    FastAPI's own `EventSourceResponse` encodes each event for each subscriber and writes them one by one; here an event
    is encoded once for all subscribers, and waiting events are written together.
    """

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[bytes]) -> None:
        super().__init__(content, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def stream_response(self, send: Send) -> None:
        """Send what comes, unless the reader takes nothing any more."""
        try:
            await super().stream_response(in_time(send, seconds=WRITE_SECONDS))
        except TimeoutError:
            _log.info("stream cut off: its reader takes nothing")


async def frames(stream: Stream) -> AsyncIterator[bytes]:
    """Yield an open stream as server-sent events, to its end."""
    async with aclosing(stream.batches(patience_seconds=PING_SECONDS)) as batches:
        async for batch in batches:
            yield b"".join(map(as_sse, batch)) or as_ping(stream.position)
    yield as_sse(last_frame(stream))


def last_frame(stream: Stream) -> StreamEvent:
    """Return the last event of a stream."""
    assert stream.ending is not None, "it ended by itself"
    data = {"reason": stream.ending.value, "last_event_id": stream.position}
    return StreamEvent(kind=BYE, at=datetime.now(UTC), id=stream.position, data=data)
