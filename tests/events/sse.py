"""Reading server-sent events, as the HTML standard says it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass(slots=True)
class Frame:
    """One block of the stream."""

    event: str = ""
    id: str | None = None
    data: str = ""
    comments: list[str] = field(default_factory=list)

    @property
    def body(self) -> dict[str, Any]:
        """Return its data."""
        body: dict[str, Any] = json.loads(self.data)
        return body


async def frames(response: httpx.Response) -> AsyncIterator[Frame]:
    """Yield blocks until the stream ends."""
    frame, empty = Frame(), True
    async for line in response.aiter_lines():
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if not empty:
                yield frame
            frame, empty = Frame(), True
            continue
        empty = False
        if not name:
            frame.comments.append(value)
        elif name == "data":
            frame.data += value
        elif name == "event":
            frame.event = value
        elif name == "id":
            frame.id = value


@asynccontextmanager
async def following(
    http: httpx.AsyncClient, *, last_event_id: int | None = None, **params: str | int | bool | list[str]
) -> AsyncIterator[AsyncIterator[Frame]]:
    """Open a stream; give its frames."""
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    async with http.stream("GET", "/events", params=params, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield frames(response)


async def take(stream: AsyncIterator[Frame], event: str) -> Frame:
    """Return the next frame of a kind."""
    async for frame in stream:
        if frame.event == event:
            return frame
    raise AssertionError(f"the stream ended without {event}")
