"""Kept answers and shared requests, over a source that answers when the test lets it."""

import asyncio
import gc
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from app.core.errors import ProviderError
from app.providers.cache import CachedProvider
from app.providers.types import Quote, QuoteBatch

TTL = 5.0
NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


class Source:
    """A source that knows every symbol but those in `unknown`, and records what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.unknown: set[str] = set()
        self.failed: set[str] = set()
        self.error: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.closed = False

    async def fetch(self, symbols: Sequence[str]) -> QuoteBatch:
        self.asked.append(list(symbols))
        await self.open.wait()
        if self.error is not None:
            raise self.error
        answered = [symbol for symbol in symbols if symbol not in self.unknown | self.failed]
        return QuoteBatch({symbol: make_quote(symbol) for symbol in answered}, frozenset(symbols) & self.failed)

    async def aclose(self) -> None:
        self.closed = True


def make_quote(symbol: str) -> Quote:
    return Quote(symbol, Decimal("190.5"), "USD", NOW, NOW, "replay")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def source() -> Source:
    return Source()


@pytest.fixture
async def cached(source: Source, clock: Clock) -> AsyncIterator[CachedProvider]:
    provider = CachedProvider(source, ttl_seconds=TTL, max_symbols=3, clock=clock)
    yield provider
    await provider.aclose()


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_hundred_callers_at_once_make_one_request(cached: CachedProvider, source: Source) -> None:
    batches = await asyncio.gather(*(cached.fetch(["AAPL"]) for _ in range(100)))

    assert source.asked == [["AAPL"]]
    assert all(batch.quotes["AAPL"].price == Decimal("190.5") for batch in batches)


async def test_answer_serves_until_its_time_is_up(cached: CachedProvider, source: Source, clock: Clock) -> None:
    await cached.fetch(["AAPL"])
    clock.now += TTL - 0.01
    await cached.fetch(["AAPL"])
    assert len(source.asked) == 1

    clock.now += 0.01
    await cached.fetch(["AAPL"])
    assert len(source.asked) == 2


async def test_unknown_symbol_is_remembered_too(cached: CachedProvider, source: Source) -> None:
    source.unknown = {"NOPE"}

    for _ in range(2):
        assert await cached.fetch(["NOPE"]) == QuoteBatch({}, frozenset())

    assert source.asked == [["NOPE"]]


async def test_only_symbols_that_nobody_asks_for_yet_are_asked(cached: CachedProvider, source: Source) -> None:
    await cached.fetch(["A"])
    source.open.clear()
    first = asyncio.create_task(cached.fetch(["B", "C"]))
    await settle()
    second = asyncio.create_task(cached.fetch(["A", "C", "D", "D"]))
    await settle()
    source.open.set()

    assert (await first).quotes.keys() == {"B", "C"}
    assert (await second).quotes.keys() == {"A", "C", "D"}
    assert source.asked == [["A"], ["B", "C"], ["D"]]


async def test_caller_that_goes_away_does_not_cancel_the_others(cached: CachedProvider, source: Source) -> None:
    source.open.clear()
    impatient = asyncio.create_task(cached.fetch(["AAPL"]))
    patient = asyncio.create_task(cached.fetch(["AAPL"]))
    await settle()

    impatient.cancel()
    await settle()
    source.open.set()

    assert (await patient).quotes.keys() == {"AAPL"}
    assert impatient.cancelled()
    assert len(source.asked) == 1


async def test_answer_is_kept_even_if_every_caller_has_gone(cached: CachedProvider, source: Source) -> None:
    source.open.clear()
    caller = asyncio.create_task(cached.fetch(["AAPL"]))
    await settle()
    caller.cancel()
    source.open.set()
    await settle()

    await cached.fetch(["AAPL"])

    assert len(source.asked) == 1


async def test_failure_that_nobody_waits_for_is_no_noise(cached: CachedProvider, source: Source) -> None:
    complaints: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    source.error = ProviderError("down")
    source.open.clear()
    caller = asyncio.create_task(cached.fetch(["AAPL"]))
    await settle()
    caller.cancel()
    source.open.set()
    await settle()

    del caller
    gc.collect()  # a task tells of an exception that nobody looked at when it is collected

    loop.set_exception_handler(None)
    assert complaints == []


async def test_failure_reaches_every_waiter_and_is_not_kept(cached: CachedProvider, source: Source) -> None:
    source.error = ProviderError("down", retry_after=7)
    outcomes = await asyncio.gather(*(cached.fetch(["AAPL"]) for _ in range(3)), return_exceptions=True)
    assert [getattr(outcome, "retry_after", None) for outcome in outcomes] == [7, 7, 7]

    source.error = None
    assert (await cached.fetch(["AAPL"])).quotes.keys() == {"AAPL"}
    assert len(source.asked) == 2


async def test_kept_answers_are_given_while_the_source_is_down(cached: CachedProvider, source: Source) -> None:
    await cached.fetch(["A"])
    source.error = ProviderError("down")

    batch = await cached.fetch(["A", "B"])

    assert batch.quotes.keys() == {"A"}
    assert batch.failed == {"B"}


async def test_symbol_that_failed_alone_is_asked_again(cached: CachedProvider, source: Source) -> None:
    source.failed = {"B"}
    batch = await cached.fetch(["A", "B"])
    assert batch.quotes.keys() == {"A"}
    assert batch.failed == {"B"}

    source.failed = set()
    assert (await cached.fetch(["A", "B"])).failed == frozenset()
    assert source.asked == [["A", "B"], ["B"]]


async def test_fault_of_our_own_is_not_taken_for_an_outage(cached: CachedProvider, source: Source) -> None:
    source.error = ZeroDivisionError("bug")

    with pytest.raises(ZeroDivisionError):
        await cached.fetch(["AAPL"])


async def test_oldest_answers_make_room(cached: CachedProvider, source: Source) -> None:
    for symbol in ("A", "B", "C", "D", "B", "A"):  # three fit
        await cached.fetch([symbol])

    assert source.asked == [["A"], ["B"], ["C"], ["D"], ["A"]]


async def test_zero_ttl_keeps_nothing_but_still_shares(source: Source) -> None:
    cached = CachedProvider(source, ttl_seconds=0)

    await asyncio.gather(cached.fetch(["AAPL"]), cached.fetch(["AAPL"]))
    await cached.fetch(["AAPL"])

    assert len(source.asked) == 2


async def test_no_symbols_ask_for_nothing(cached: CachedProvider, source: Source) -> None:
    assert await cached.fetch([]) == QuoteBatch({}, frozenset())
    assert source.asked == []


async def test_closing_frees_who_waits(source: Source) -> None:
    cached = CachedProvider(source, ttl_seconds=TTL)
    source.open.clear()
    waiting = asyncio.create_task(cached.fetch(["AAPL"]))
    await settle()

    await cached.aclose()

    with pytest.raises(ProviderError):
        await waiting
    assert source.closed
