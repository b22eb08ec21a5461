"""Ids are given in the order of commits: a reader that goes on from the last id that it saw misses nothing."""

import asyncio
import random

import asyncpg

from tests.events.conftest import publish_by


async def test_a_later_commit_never_has_an_earlier_id(events_database: str) -> None:
    seen: list[int] = []
    done = asyncio.Event()

    async def write(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - no secret
        connection = await asyncpg.connect(events_database)
        for _ in range(40):
            async with connection.transaction():
                await publish_by(connection, None, *['{"test": "order"}'] * chance.randint(1, 3))
                await asyncio.sleep(chance.random() * 0.003)  # others would get later ids and commit first
        await connection.close()

    async def read() -> None:
        connection = await asyncpg.connect(events_database)
        while True:
            last_round = done.is_set()
            rows = await connection.fetch("select id from event where id > $1 order by id", seen[-1] if seen else 0)
            seen.extend(row["id"] for row in rows)
            if last_round:
                break
        await connection.close()

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write(seed) for seed in range(6)))
    done.set()
    await reader

    connection = await asyncpg.connect(events_database)
    stored = [row["id"] for row in await connection.fetch("select id from event order by id")]
    await connection.close()
    assert len(stored) >= 6 * 40
    assert seen == stored[-len(seen) :]
    assert stored[: len(stored) - len(seen)] == []
