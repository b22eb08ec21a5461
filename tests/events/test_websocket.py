"""`WS /ws/{clientId}`: tokens, messages, close codes."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from tests.events.conftest import Login, Person, World

Publish = Callable[..., Awaitable[None]]


@pytest.fixture
async def person(login: Login, client_id: int) -> Person:
    return await login("client", client_id)


@pytest.mark.parametrize("by_header", [True, False])
async def test_messages_have_the_form_of_the_contract(
    world: World, person: Person, client_id: int, publish: Publish, *, by_header: bool
) -> None:
    async with _socket(world, client_id, token=person.token if by_header else None) as socket:
        if not by_header:
            await socket.send(json.dumps({"token": person.token}))
        opening = await _take(socket, "open")
        price, margin = await _take(socket, "price"), await _take(socket, "margin")
        await publish(client_id, '{"from": "ok", "to": "call"}')
        state = await _take(socket, "state")

    assert {frozenset(message) for message in (opening, price, margin, state)} == {
        frozenset({"id", "at", "kind", "clientId", "symbol", "data"})
    }
    assert (price["id"], price["symbol"], margin["id"], margin["clientId"]) == (None, "AAPL", None, client_id)
    assert state["id"] > opening["id"]
    assert (state["clientId"], state["data"]) == (client_id, {"from": "ok", "to": "call"})


async def test_it_resumes_behind_the_last_event(world: World, person: Person, client_id: int, publish: Publish) -> None:
    async with _socket(world, client_id, token=person.token) as socket:
        last = (await _take(socket, "open"))["id"]
    await publish(client_id, '{"n": 1}', '{"n": 2}')

    async with _socket(world, client_id, server=1) as socket:
        await socket.send(json.dumps({"token": person.token, "last_event_id": last}))
        first = await _take(socket, "state")
    async with _socket(world, client_id, token=person.token, query=f"?last_event_id={first['id']}") as socket:
        second = await _take(socket, "state")

    assert [first["data"], second["data"]] == [{"n": 1}, {"n": 2}]


async def test_without_a_token_it_closes_after_five_seconds(world: World, client_id: int) -> None:
    started_at = time.monotonic()
    async with _socket(world, client_id) as socket:
        code = await close_code(socket)

    assert code == 4408
    assert 4.5 < time.monotonic() - started_at < 7


@pytest.mark.parametrize("message", ["", "hello", "{}", "[]", '{"token": 1}', '{"token": "x", "more": 1}'])
async def test_another_first_message_closes_it(world: World, client_id: int, message: str) -> None:
    async with _socket(world, client_id) as socket:
        await socket.send(message)
        assert await close_code(socket) == 4400


async def test_a_bad_token_closes_it(world: World, client_id: int) -> None:
    async with _socket(world, client_id) as socket:
        await socket.send('{"token": "nonsense"}')
        assert await close_code(socket) == 4401
    async with _socket(world, client_id, token="nonsense") as socket:
        assert await close_code(socket) == 4401


async def test_a_token_in_the_url_is_refused_and_not_logged(world: World, person: Person, client_id: int) -> None:
    async with _socket(world, client_id, token=person.token, query=f"?token={person.token}") as socket:
        assert await close_code(socket) == 4400

    assert person.token not in world.servers[0].log.read_text()


async def test_of_another_client_nothing_comes(
    world: World, person: Person, admin: httpx.AsyncClient, client_id: int
) -> None:
    other = (await admin.post("/clients", json={"name": "Grace"})).json()["id"]
    for stranger in (other, 2**40):
        async with _socket(world, stranger, token=person.token) as socket:
            assert await close_code(socket) == 4404


async def test_the_desk_may_follow_every_client(world: World, login: Login, client_id: int) -> None:
    risk = await login("risk")
    async with _socket(world, client_id, token=risk.token) as socket:
        assert (await _take(socket, "margin"))["clientId"] == client_id


async def test_it_closes_within_a_second_when_the_user_is_deactivated(
    world: World, person: Person, admin: httpx.AsyncClient, client_id: int
) -> None:
    async with _socket(world, client_id, token=person.token, server=1) as socket:
        await _take(socket, "margin")
        (await admin.patch(f"/users/{person.id}", json={"is_active": False})).raise_for_status()
        ended_at = time.monotonic()
        assert await close_code(socket) == 4401

    assert time.monotonic() - ended_at < 1


async def test_more_streams_than_a_user_may_have_close_with_try_again_later(
    world: World, person: Person, client_id: int
) -> None:
    sockets = [_socket(world, client_id, token=person.token) for _ in range(6)]
    opened = [await socket.__aenter__() for socket in sockets]
    for socket in opened[:5]:
        await _take(socket, "open")

    assert await close_code(opened[5]) == 1013

    for manager in sockets:
        await manager.__aexit__(None, None, None)


@asynccontextmanager
async def _socket(
    world: World, client_id: int, *, token: str | None = None, query: str = "", server: int = 0
) -> AsyncIterator[ClientConnection]:
    url = f"{world.servers[server].url.replace('http', 'ws', 1)}/ws/{client_id}{query}"
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with connect(url, additional_headers=headers, proxy=None) as socket:
        yield socket


async def _take(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """Return the next message of a kind."""
    while True:
        message: dict[str, Any] = json.loads(await socket.recv())
        if message["kind"] == kind:
            return message


async def close_code(socket: ClientConnection) -> int:
    """Read to the end; return how it ended."""
    with suppress(ConnectionClosedError):
        async for _ in socket:
            pass
    assert socket.close_code is not None
    return socket.close_code
