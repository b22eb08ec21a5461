"""A reader that takes nothing for too long is cut off, so that its stream costs nothing any more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from app.events import sse_response as event_response
from app.events.sse_response import EventStreamResponse
from app.exports import routes as exports
from app.exports.routes import FileResponse


@pytest.mark.parametrize("kind", ["events", "export"])
async def test_a_reader_that_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(event_response, "WRITE_SECONDS", 0.3)
    monkeypatch.setattr(exports, "WRITE_SECONDS", 0.3)
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: " + b"x" * 65_536 + b"\n\n"
        finally:
            ended.set()

    async def follow(_: Request) -> StreamingResponse:
        if kind == "events":
            return EventStreamResponse(endless())
        return FileResponse(endless(), resources=AsyncExitStack())

    application = Starlette(routes=[Route("/", follow)])
    server = uvicorn.Server(uvicorn.Config(application, port=0, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn's
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(10):
        await ended.wait()
        got = b""
        with suppress(ConnectionResetError):
            while piece := await reader.read(1 << 20):
                got = got[-5:] + piece
    writer.close()
    server.should_exit = True
    await serving

    assert not got.endswith(b"0\r\n\r\n"), "a response that was cut off does not pretend to be whole"
