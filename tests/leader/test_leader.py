"""Leaders: one at a time, another when it ends, and what the old one left is gone on with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from app.core.errors import ProviderError
from app.core.tasks import running
from app.database.connections import Database
from app.leader import Leader
from app.models import MarginCall
from app.providers.replay.source import market_time
from app.providers.types import PriceProvider, QuoteBatch
from app.stocks.service import newest_market_time
from tests.leader.drill import DAYS, accounts, check_nothing_is_lost_or_doubled, write_closes
from tests.leader.leading import leader, own_database, replaying, store


@pytest.fixture
def closes(tmp_path: Path) -> Path:
    return write_closes(tmp_path / "closes.csv")


@asynccontextmanager
async def leading(database: Database, provider: PriceProvider, *, pace: float = 0.02) -> AsyncIterator[Leader]:
    """Run a leader, which leads as soon as it can."""
    made, listener = leader(database, provider, pace=pace)
    async with running(listener.run(), made.run()):
        yield made


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 30) -> float:
    """Return when a condition holds, and after how many seconds."""
    started = asyncio.get_running_loop().time()
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - it is in the database
            await asyncio.sleep(0.02)
    return asyncio.get_running_loop().time() - started


async def _ended() -> bool:
    """Return whether the last day is there and everybody's call is met."""
    newest = await newest_market_time("replay")
    return newest == market_time(DAYS[-1]) and not await MarginCall.filter(closed_at=None).exists()


async def _reached(day: int) -> bool:
    newest = await newest_market_time("replay")
    return newest is not None and newest >= market_time(DAYS[day])


async def test_two_leaders_take_turns_and_lose_nothing(database_url: str, closes: Path) -> None:
    async with own_database(database_url) as database:
        ids = await store(accounts())
        async with leading(database, replaying(closes)) as one, leading(database, replaying(closes)) as other:
            await until(lambda: _reached(10))
            assert one.is_leading != other.is_leading

            await until(_ended)

        await check_nothing_is_lost_or_doubled(ids)


async def test_another_takes_over_where_the_connection_of_the_leader_is_killed(database_url: str, closes: Path) -> None:
    async with own_database(database_url) as database:
        ids = await store(accounts())
        admin = await asyncpg.connect(database.url)
        async with leading(database, replaying(closes)) as one, leading(database, replaying(closes)) as other:
            for day in (5, 15, 25):
                await until(lambda day=day: _reached(day))  # type: ignore[misc] # bound now
                await admin.execute(
                    "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid = $1"
                    " and database = (select oid from pg_database where datname = current_database())",
                    0x6C65_6164,
                )
                await until(_leads(one, other), seconds=5)
            await until(_ended)
        await admin.close()

        await check_nothing_is_lost_or_doubled(ids)


async def test_a_leader_that_is_stopped_in_the_middle_is_followed_by_one_that_goes_on(
    database_url: str, closes: Path
) -> None:
    async with own_database(database_url) as database:
        ids = await store(accounts())
        for day in (3, 9, 18, 24):
            async with leading(database, replaying(closes)):
                await until(lambda day=day: _reached(day))  # type: ignore[misc] # bound now
        async with leading(database, replaying(closes)):
            await until(_ended)

        await check_nothing_is_lost_or_doubled(ids)


async def test_a_source_that_fails_opens_nothing_and_is_asked_again(database_url: str, closes: Path) -> None:
    class Faulty:
        """Fails every other time."""

        def __init__(self) -> None:
            self.good = replaying(closes)
            self.calls = 0

        async def fetch(self, symbols: Sequence[str]) -> QuoteBatch:
            self.calls += 1
            if self.calls % 2:
                raise ProviderError("silent", retry_after=0.01)
            return await self.good.fetch(symbols)

        async def aclose(self) -> None:
            """Nothing to let go of."""

    async with own_database(database_url) as database:
        ids = await store(accounts())
        async with leading(database, Faulty()):
            await until(_ended)

        await check_nothing_is_lost_or_doubled(ids)


def _leads(*leaders: Leader) -> Callable[[], Awaitable[bool]]:
    async def one_of_them() -> bool:
        return any(one.is_leading for one in leaders)

    return one_of_them
