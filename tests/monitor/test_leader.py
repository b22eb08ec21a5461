"""Leaders: one at a time, another when it ends, and what the old one left is gone on with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from app.db import Database
from app.errors import ProviderError
from app.models import AuditEntry, Event, MarginCall, MarginCallEvent
from app.monitor.leader import Leader
from app.monitor.tasks import running
from app.providers.base import PriceProvider, QuoteBatch
from app.providers.replay import market_time
from app.services import audit
from app.services.business_days import day_of
from app.services.prices import newest_replayed
from tests.monitor.leading import Account, leader, own_database, replaying, store

_DAYS = [date(2020, 2, 3) + timedelta(days=day) for day in range(41)]
#: Falls by 1 % a day, and rises again from the twentieth on.
_CLOSES = [Decimal(100 - min(day, 40 - day)) for day in range(41)]


@pytest.fixture
def closes(tmp_path: Path) -> Path:
    """Return a file of forty-one days to replay."""
    file = tmp_path / "closes.csv"
    lines = [f"{day},{close}\n" for day, close in zip(_DAYS, _CLOSES, strict=True)]
    file.write_text("Date,AAPL\n" + "".join(lines))
    return file


def _accounts() -> list[Account]:
    """Return clients who hold 100 and fall short below 99.5, 98.5 and so on, to 80.5."""
    held = {"AAPL": Decimal(100)}
    return [Account(Decimal(75) * (Decimal(99 - step) + Decimal("0.5")), held) for step in range(19)]


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
    newest = await newest_replayed()
    return newest == market_time(_DAYS[-1]) and not await MarginCall.filter(closed_at=None).exists()


async def _reached(day: int) -> bool:
    newest = await newest_replayed()
    return newest is not None and newest >= market_time(_DAYS[day])


async def _check_nothing_is_lost_or_doubled(ids: list[int]) -> None:
    """Every client was called on the day on which it fell short and met it on the day on which it did not."""
    opened = {event.client_id: day_of(event.at) for event in await MarginCallEvent.filter(to_state="open")}
    met = {event.client_id: day_of(event.at) for event in await MarginCallEvent.filter(to_state="met")}
    assert await MarginCall.all().count() == len(ids)
    steps = [event.to_state for event in await MarginCallEvent.exclude(to_state="past_due")]
    assert len(steps) == 2 * len(ids)
    assert opened == {id_: _DAYS[step + 1] for step, id_ in enumerate(ids)}
    assert met == {id_: _DAYS[40 - step] for step, id_ in enumerate(ids)}
    told = [event.data["state"] for event in await Event.filter(kind="margin_call")]
    assert len([state for state in told if state != "past_due"]) == 2 * len(ids)
    assert await AuditEntry.filter(entity="margin_call", action__in=["open", "meet"]).count() == 2 * len(ids)
    assert (await audit.verify(after=None, limit=10_000, known=None)).intact


async def test_two_leaders_take_turns_and_lose_nothing(database_url: str, closes: Path) -> None:
    async with own_database(database_url) as database:
        ids = await store(_accounts())
        async with leading(database, replaying(closes)) as one, leading(database, replaying(closes)) as other:
            await until(lambda: _reached(10))
            assert one.is_leading != other.is_leading

            await until(_ended)

        await _check_nothing_is_lost_or_doubled(ids)


async def test_another_takes_over_where_the_connection_of_the_leader_is_killed(database_url: str, closes: Path) -> None:
    async with own_database(database_url) as database:
        ids = await store(_accounts())
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

        await _check_nothing_is_lost_or_doubled(ids)


async def test_a_leader_that_is_stopped_in_the_middle_is_followed_by_one_that_goes_on(
    database_url: str, closes: Path
) -> None:
    async with own_database(database_url) as database:
        ids = await store(_accounts())
        for day in (3, 9, 18, 24):
            async with leading(database, replaying(closes)):
                await until(lambda day=day: _reached(day))  # type: ignore[misc] # bound now
        async with leading(database, replaying(closes)):
            await until(_ended)

        await _check_nothing_is_lost_or_doubled(ids)


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
        ids = await store(_accounts())
        async with leading(database, Faulty()):
            await until(_ended)

        await _check_nothing_is_lost_or_doubled(ids)


def _leads(*leaders: Leader) -> Callable[[], Awaitable[bool]]:
    async def one_of_them() -> bool:
        return any(one.is_leading for one in leaders)

    return one_of_them
