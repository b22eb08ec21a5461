"""What goes over the wire, and in how many pieces."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from app.web.protocol import HttpProtocol

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
go_on: asyncio.Event


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a body at once, or, for a POST, with a head first and the body when told to."""
    is_slow = scope["method"] == "POST"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    if is_slow:
        await go_on.wait()
    await send({"type": "http.response.body", "body": b"body"})


@pytest.fixture
async def connection() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    global go_on  # noqa: PLW0603 - of this test's loop
    go_on = asyncio.Event()
    config = uvicorn.Config(application, lifespan="off", log_config=None)
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: HttpProtocol(config, ServerState(), {}), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    yield reader, writer
    writer.close()
    server.close()


async def test_head_and_body_come_in_one_piece(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    reader, writer = connection
    for _ in range(20):
        writer.write(GET)
        piece = await reader.read(1000)
        assert piece.startswith(b"HTTP/1.1 200")
        assert piece.endswith(b"\r\n\r\nbody")


async def test_a_head_does_not_wait_for_a_body_that_comes_later(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    reader, writer = connection
    writer.write(GET.replace(b"GET", b"POST"))

    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")

    go_on.set()
    assert await reader.readexactly(4) == b"body"


async def test_answers_to_requests_that_came_together_keep_their_order(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    reader, writer = connection
    writer.write(GET * 5)

    for _ in range(5):
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(4) == b"body"


async def test_a_connection_that_ends_with_its_answer_carries_all_of_it(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    reader, writer = connection
    writer.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    assert (await reader.read()).endswith(b"\r\n\r\nbody")
