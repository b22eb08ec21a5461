"""A subscriber that is cut off and comes back, also to another process, misses nothing and gets nothing twice."""

import asyncio
import json
import random
from collections.abc import AsyncIterator

import asyncpg
import httpx

from tests.events.conftest import Login, World, publish_by
from tests.events.sse import following

_EVENTS = 1200
_CUTS = 20


async def test_twenty_cuts_lose_nothing_and_double_nothing(login: Login, client_id: int, world: World) -> None:
    people = [await login("risk", server=0), await login("risk", server=1)]
    chance = random.Random(5)  # noqa: S311 - no secret
    start = await _newest(world)
    writer = asyncio.create_task(_write(world, client_id))
    got: list[tuple[int, int]] = []
    cuts, last = 0, start
    while len(got) < _EVENTS:
        patience = chance.randint(1, _EVENTS // _CUTS) if cuts < _CUTS else _EVENTS
        async for event in _some(people[cuts % 2].http, last, client_id, min(patience, _EVENTS - len(got))):
            got.append(event)
            last = event[0]
        cuts += 1
    await writer

    assert cuts > _CUTS
    assert [number for _, number in got] == list(range(_EVENTS))
    ids = [event_id for event_id, _ in got]
    assert ids == sorted(set(ids))


async def test_a_long_absence_is_made_up_for_in_order(login: Login, client_id: int, world: World) -> None:
    person = await login("risk")
    start = await _newest(world)
    await _write(world, client_id, transaction=100)

    async with following(person.http, last_event_id=start, kind="state", follow=False) as stream:
        numbers = [frame.body["data"]["n"] async for frame in stream if frame.event == "state"]

    assert numbers == list(range(_EVENTS))


async def _some(
    http: httpx.AsyncClient, last_event_id: int, client_id: int, most: int
) -> AsyncIterator[tuple[int, int]]:
    """Follow from an id; cut the connection after some events."""
    async with following(http, last_event_id=last_event_id, clientId=client_id) as stream:
        left = most
        async for frame in stream:
            assert frame.event not in {"resync", "bye"}
            if frame.event == "state":
                assert frame.id is not None
                yield int(frame.id), frame.body["data"]["n"]
                left -= 1
            if left == 0:
                return


async def _write(world: World, client_id: int, *, transaction: int = 4) -> None:
    """Publish numbered events, among those of another client."""
    connection = await asyncpg.connect(world.database_url)
    for first in range(0, _EVENTS, transaction):
        async with connection.transaction():
            numbers = range(first, first + transaction)
            await publish_by(connection, client_id, *(json.dumps({"n": number}) for number in numbers))
            if transaction < 10:
                await publish_by(connection, None, '{"other": true}')
        await asyncio.sleep(0.002)
    await connection.close()


async def _newest(world: World) -> int:
    connection = await asyncpg.connect(world.database_url)
    newest: int = await connection.fetchval("select coalesce(max(id), 0) from event")
    await connection.close()
    return newest
