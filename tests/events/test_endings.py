"""How streams end: with the session, with the service, with a reader that does not keep up."""

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from websockets.asyncio.client import connect

from app.auth.access_tokens import TokenSigner
from tests.contract.tokens import claims_of
from tests.events.conftest import Login, Person, World, publish_by
from tests.events.sse import Frame, following, take
from tests.events.test_websocket import close_code
from tests.server import SECRET, running_server


async def _deactivate(person: Person, admin: httpx.AsyncClient) -> None:
    (await admin.patch(f"/users/{person.id}", json={"is_active": False})).raise_for_status()


async def _log_out(person: Person, admin: httpx.AsyncClient) -> None:
    (await person.http.post("/auth/logout")).raise_for_status()


@pytest.mark.parametrize("end", [_deactivate, _log_out])
@pytest.mark.parametrize("server", [0, 1])
async def test_a_stream_ends_within_a_second_of_its_session(
    admin: httpx.AsyncClient,
    client_id: int,
    login: Login,
    end: Callable[[Person, httpx.AsyncClient], Awaitable[None]],
    server: int,
) -> None:
    person = await login("client", client_id, server=server)
    async with following(person.http) as stream:
        await take(stream, "margin")
        await end(person, admin)
        ended_at = time.monotonic()
        bye = await take(stream, "bye")
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    assert time.monotonic() - ended_at < 1
    assert bye.body["data"]["reason"] == "signed_out"


async def test_a_stream_ends_when_its_token_expires(admin: httpx.AsyncClient, world: World) -> None:
    signer = TokenSigner(SECRET, seconds=900)
    claims = claims_of(admin.headers["authorization"].removeprefix("Bearer "))
    token = signer.sign({**claims, "exp": int(time.time()) + 2})
    url, headers = world.servers[0].url, {"Authorization": f"Bearer {token}"}

    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=10) as http, following(http) as stream:
        bye = await take(stream, "bye")

    assert bye.body["data"]["reason"] == "signed_out"
    assert claims["exp"] > time.time() + 60


async def test_a_slow_reader_is_ended_and_resumes_without_a_gap(
    admin: httpx.AsyncClient, client_id: int, world: World, connection: asyncpg.Connection
) -> None:
    filler = "x" * 4000
    with closing(
        _open_socket(world, admin.headers["authorization"], f"/events?clientId={client_id}&kind=state")
    ) as slow:
        await asyncio.sleep(0.5)
        start = await connection.fetchval("select coalesce(max(id), 0) from event")
        for first in range(0, 4000, 50):  # 16 MB, more than sockets and queue hold
            data = (json.dumps({"n": number, "filler": filler}) for number in range(first, first + 50))
            await publish_by(connection, client_id, *data)
        got = await asyncio.to_thread(_read_to_the_end, slow)

    assert got[-1].event == "bye"
    assert got[-1].body["data"]["reason"] == "slow_reader"
    seen = [frame.body["data"]["n"] for frame in got if frame.event == "state"]
    assert 0 < len(seen) < 4000
    assert got[-1].id == [frame.id for frame in got if frame.event == "state"][-1]
    async with following(
        admin, last_event_id=int(got[-1].id or start), clientId=client_id, kind="state", follow=False
    ) as rest:
        seen += [frame.body["data"]["n"] async for frame in rest if frame.event == "state"]
    assert seen == list(range(4000))


async def test_a_service_that_is_told_to_stop_ends_its_streams_and_stops_at_once(
    admin: httpx.AsyncClient, client_id: int, world: World, tmp_path: Path
) -> None:
    environment = {"DATABASE_URL": world.database_url, "RISK_MONITOR": "false", "RISK_WORKERS": "2"}
    headers = dict(admin.headers)
    with running_server(tmp_path, environment, seconds=180) as server:
        async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=10) as http:
            async with (
                following(http, clientId=client_id) as first,
                following(http, clientId=client_id) as second,
                connect(
                    f"{server.url.replace('http', 'ws')}/ws/{client_id}",
                    additional_headers={"Authorization": headers["authorization"]},
                ) as third,
            ):
                await take(first, "margin")
                await take(second, "margin")
                await third.recv()
                told_at = time.monotonic()
                server.process.terminate()
                byes = [await take(stream, "bye") for stream in (first, second)]
                code = await close_code(third)
            await asyncio.to_thread(server.process.wait, 10)

    assert time.monotonic() - told_at < 5
    assert [bye.body["data"]["reason"] for bye in byes] == ["shutdown", "shutdown"]
    assert code == 1012


def _open_socket(world: World, authorization: str, path: str) -> socket.socket:
    """Ask for a stream, on a socket that holds little."""
    address = urlsplit(world.servers[0].url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(20)
    assert address.hostname is not None
    connection.connect((address.hostname, address.port or 80))
    request = f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: {authorization}\r\n\r\n"
    connection.sendall(request.encode())
    return connection


def _read_to_the_end(connection: socket.socket) -> list[Frame]:
    """Return the frames of a response in chunks."""
    raw = b""
    while not raw.endswith(b"\r\n0\r\n\r\n"):
        piece = connection.recv(1 << 20)
        assert piece, "the response was cut off"
        raw += piece
    _, _, rest = raw.partition(b"\r\n\r\n")
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return [_frame(block) for block in body.decode().split("\n\n") if block]


def _frame(block: str) -> Frame:
    fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
    return Frame(event=fields.get("event", ""), id=fields.get("id"), data=fields.get("data", ""))
