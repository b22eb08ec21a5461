"""A replay into the database: every row once, whoever goes on with it."""

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from httpx import AsyncClient

from app.models import MarketData, PriceHistory
from app.providers.registry import build_provider
from app.providers.replay.source import market_time
from app.providers.types import PriceProvider, Refusal
from app.stocks import service as stocks_service
from app.stocks.types import PriceFeed
from tests.fakes import FakeProvider
from tests.operations.pages import refused
from tests.providers.context import source_context

DAYS = tuple(date(2020, 3, number) for number in range(2, 8))
AAPL = ("298.8", "289.3", "302.7", "292.9", "289.0", "266.2")
RRC = ("2.9", "2.7", "2.7", "1.2", "1.25", "1.3")  # falls by more than half on the fourth day, and stays there


@pytest.fixture
async def holder(risk: AsyncClient) -> int:
    client_id: int = (await risk.post("/clients", json={"name": "Ada"})).json()["id"]
    for symbol in ("AAPL", "RRC"):
        await risk.put(f"/positions/{client_id}/{symbol}", json={"quantity": 1, "cost_basis": 1})
    return client_id


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "closes.csv"
    rows = (f"{day},{apple},{range_}" for day, apple, range_ in zip(DAYS, AAPL, RRC, strict=True))
    path.write_text("Date,AAPL,RRC\n" + "\n".join(rows))
    return path


def start(file: Path) -> PriceProvider:
    """Start a process's replay, at a row for each poll."""
    context = source_context(stocks_service.newest_market_time, replay_file=file, replay_pace=1000)
    return build_provider("replay", context)


async def poll(process: PriceProvider) -> list[str]:
    await asyncio.sleep(0.002)
    return list((await stocks_service.refresh_held(PriceFeed(process, "USD"))).updated)


async def days_of(symbol: str) -> list[datetime]:
    return [row.timestamp for row in await PriceHistory.filter(symbol=symbol).order_by("timestamp")]


async def test_every_row_is_stored_once_though_the_process_changes(holder: int, file: Path) -> None:
    for process in (start(file), start(file), start(file)):
        for _ in range(3):  # a new process gives the row that it finds once more
            await poll(process)

    assert await days_of("AAPL") == [market_time(day) for day in DAYS]


async def test_a_fall_that_stays_is_used_a_row_later(holder: int, file: Path) -> None:
    process = start(file)
    before = refused(Refusal.JUMP)

    updated = [await poll(process) for _ in DAYS]

    assert updated == [["AAPL", "RRC"]] * 3 + [["AAPL"]] + [["AAPL", "RRC"]] * 2
    assert refused(Refusal.JUMP) == before + 1
    assert market_time(DAYS[3]) not in await days_of("RRC")


async def test_a_fall_that_waits_is_confirmed_by_the_process_that_takes_over(holder: int, file: Path) -> None:
    killed = start(file)
    for _ in DAYS[:4]:
        await poll(killed)

    successor = start(file)
    updated = await poll(successor)

    assert updated == ["AAPL", "RRC"]
    assert (await MarketData.get(symbol="RRC")).timestamp == market_time(DAYS[3])


async def test_a_replay_replaces_what_another_source_stored(
    risk: AsyncClient, provider: FakeProvider, holder: int, file: Path
) -> None:
    provider.give("AAPL", "175.50", at=datetime(2026, 11, 20, 21, tzinfo=UTC))
    await risk.get("/stocks/AAPL")

    await poll(start(file))

    stored = await MarketData.get(symbol="AAPL")
    assert (stored.source, stored.timestamp) == ("replay", market_time(DAYS[0]))
