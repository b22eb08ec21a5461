"""Stream events as bytes; each is encoded once for all its subscribers."""

from functools import lru_cache
from typing import Final

from fastapi.sse import format_sse_event

from app.events.schemas import EventOut
from app.events.types import OPEN, StreamEvent

#: Browsers connect again this soon after a stream ends.
_RETRY_MS: Final = 1000


@lru_cache(maxsize=4096)
def as_json(event: StreamEvent) -> str:
    """Return an event as a message."""
    return EventOut.model_validate(event).model_dump_json(by_alias=True)


@lru_cache(maxsize=4096)
def as_sse(event: StreamEvent) -> bytes:
    """Return an event as a frame of `text/event-stream`; the first one is its id alone."""
    if event.kind == OPEN:
        return format_sse_event(data_str=None, id=str(event.id), retry=_RETRY_MS, comment="open")
    event_id = None if event.id is None else str(event.id)
    return format_sse_event(data_str=as_json(event), event=event.kind, id=event_id)


def as_ping(position: int) -> bytes:
    """Return a frame that shows that the stream lives, and says from where to resume."""
    return format_sse_event(data_str=None, id=str(position), comment="ping")
