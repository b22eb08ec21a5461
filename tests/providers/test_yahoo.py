"""The real yfinance, nothing patched, against the stand-in: answers, faults, fallback and limits."""

import asyncio
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from app.core.errors import ProviderError, StartupError
from app.providers.breaker import SourceThrottledError
from app.providers.cache import CachedProvider
from app.providers.registry import build_provider
from app.providers.yahoo.source import YahooProvider
from tests.providers.conftest import MakeProvider
from tests.providers.context import source_context
from tests.standin.world import Fault, Kind, World

#: Faults of the batch endpoint that another endpoint can make up for.
BATCH_BROKEN = (Fault.UNAUTHORISED, Fault.BROKEN, Fault.EMPTY, Fault.GARBAGE)


async def test_many_symbols_are_one_request(provider: YahooProvider, yahoo: World) -> None:
    yahoo.quote("AAPL", 190.5, market_time=1_795_000_000, name="Apple Inc.")
    yahoo.quote("VOD.L", 71.25, currency="GBp", previous_close=70)
    symbols = ["AAPL", "VOD.L", "M&M.NS", "^GSPC", "EURUSD=X", "0700.HK", "BRK-B"]
    for symbol in symbols[2:]:
        yahoo.quote(symbol, 7)
    yahoo.quote("MSFT", 400)  # somebody else's
    before = datetime.now(UTC)

    batch = await provider.fetch(symbols)

    assert batch.quotes.keys() == set(symbols)
    assert batch.failed == frozenset()
    assert yahoo.asked == [symbols]
    apple = batch.quotes["AAPL"]
    assert (apple.price, apple.currency, apple.name, apple.source) == (Decimal("190.5"), "USD", "Apple Inc.", "yahoo")
    assert apple.market_time == datetime.fromtimestamp(1_795_000_000, UTC)
    assert before <= apple.fetched_at <= datetime.now(UTC)
    vodafone = batch.quotes["VOD.L"]
    assert (vodafone.price, vodafone.currency) == (Decimal("0.7125"), "GBP")
    assert vodafone.previous_close == Decimal("0.7")


async def test_no_request_asks_for_more_than_fifty(provider: YahooProvider, yahoo: World) -> None:
    symbols = [f"S{n}" for n in range(120)]
    for symbol in symbols:
        yahoo.quote(symbol)

    batch = await provider.fetch([*symbols, *symbols])

    assert batch.quotes.keys() == set(symbols)
    assert sorted(map(len, yahoo.asked)) == [20, 50, 50]


async def test_unknown_symbol_is_neither_priced_nor_failed(provider: YahooProvider, yahoo: World) -> None:
    yahoo.quote("AAPL")
    yahoo.quote("MSFT")

    batch = await provider.fetch(["AAPL", "NOPE", "MSFT"])

    assert batch.quotes.keys() == {"AAPL", "MSFT"}
    assert batch.failed == frozenset()
    assert (await provider.fetch(["NOPE"])).quotes == {}


@pytest.mark.parametrize("price", [0, -5, float("nan"), None, "190.5"])
@pytest.mark.parametrize("endpoint", [Kind.QUOTE, Kind.CHART])
async def test_unusable_price_spoils_only_its_symbol(
    provider: YahooProvider, yahoo: World, price: object, endpoint: Kind
) -> None:
    yahoo.quote("BAD", price)
    yahoo.quote("AAPL")
    if endpoint is Kind.CHART:
        yahoo.fail(Fault.BROKEN, Kind.QUOTE)

    batch = await provider.fetch(["BAD", "AAPL"])

    assert batch.quotes.keys() == {"AAPL"}
    assert batch.failed == frozenset()


async def test_answer_about_a_symbol_that_was_not_asked_is_ignored(provider: YahooProvider, yahoo: World) -> None:
    yahoo.alias("AAPL", answers_as="MSFT")

    assert (await provider.fetch(["AAPL"])).quotes == {}


@pytest.mark.parametrize("fault", [None, Fault.BROKEN])
@pytest.mark.parametrize(("asked", "answered"), [("USDEUR=X", "EUR=X"), ("EUR=X", "USDEUR=X")])
async def test_dollar_pair_is_known_by_both_its_names(
    provider: YahooProvider, yahoo: World, asked: str, answered: str, fault: Fault | None
) -> None:
    yahoo.alias(asked, answers_as=answered)
    yahoo.fail(fault, Kind.QUOTE)

    assert (await provider.fetch([asked])).quotes[asked].symbol == asked


@pytest.mark.parametrize("fault", BATCH_BROKEN)
async def test_broken_batch_endpoint_is_replaced_symbol_by_symbol(
    provider: YahooProvider, yahoo: World, fault: Fault
) -> None:
    yahoo.quote("M&M.NS", 3000.25, currency="INR", exchange="NSI")
    yahoo.quote("VOD.L", 71.25, currency="GBp")
    yahoo.fail(fault, Kind.QUOTE)

    batch = await provider.fetch(["M&M.NS", "VOD.L", "NOPE"])

    assert {symbol: (quote.price, quote.currency) for symbol, quote in batch.quotes.items()} == {
        "M&M.NS": (Decimal("3000.25"), "INR"),
        "VOD.L": (Decimal("0.7125"), "GBP"),
    }
    assert batch.failed == frozenset()
    mahindra = batch.quotes["M&M.NS"]
    assert (mahindra.exchange, mahindra.quote_type, mahindra.market_state) == ("NSI", "EQUITY", "REGULAR")
    assert mahindra.previous_close == 99


async def test_batch_answered_for_one_symbol_only_is_completed(provider: YahooProvider, yahoo: World) -> None:
    for symbol in ("A", "B", "C"):
        yahoo.quote(symbol)
    yahoo.fail(Fault.FIRST_ONLY, Kind.QUOTE)

    assert (await provider.fetch(["A", "B", "C"])).quotes.keys() == {"A", "B", "C"}


async def test_prices_come_in_batches_again_once_yahoo_is_well(provider: YahooProvider, yahoo: World) -> None:
    yahoo.quote("AAPL")
    for fault in BATCH_BROKEN:
        yahoo.fail(fault, Kind.QUOTE)
        await provider.fetch(["AAPL"])
    yahoo.fail(None)
    await provider.fetch(["AAPL"])  # brings cookie and crumb up to date
    yahoo.counts.clear()

    await provider.fetch(["AAPL"])

    assert yahoo.counts == {Kind.QUOTE: 1}


async def test_throttled_source_is_left_alone(provider: YahooProvider, yahoo: World) -> None:
    yahoo.quote("AAPL")
    yahoo.fail(Fault.THROTTLED, Kind.QUOTE)

    with pytest.raises(SourceThrottledError) as caught:
        await provider.fetch(["AAPL"])
    assert caught.value.retry_after == pytest.approx(15, abs=1)
    assert yahoo.counts[Kind.CHART] == 0

    yahoo.fail(None)
    yahoo.counts.clear()
    with pytest.raises(ProviderError) as caught_again:
        await provider.fetch(["AAPL"])
    assert 1 <= caught_again.value.retry_after <= 15
    assert yahoo.counts == {}


async def test_throttled_source_is_tried_again_after_the_pause(make_provider: MakeProvider, yahoo: World) -> None:
    now = [0.0]
    provider = await make_provider(clock=lambda: now[0])
    yahoo.quote("AAPL")
    yahoo.fail(Fault.THROTTLED)
    with pytest.raises(SourceThrottledError):
        await provider.fetch(["AAPL"])
    yahoo.fail(None)

    now[0] = 16.0

    assert (await provider.fetch(["AAPL"])).quotes.keys() == {"AAPL"}


async def test_throttling_during_the_fallback_keeps_what_has_come(provider: YahooProvider, yahoo: World) -> None:
    symbols = [f"S{n}" for n in range(8)]
    for symbol in symbols:
        yahoo.quote(symbol)
    yahoo.fail(Fault.BROKEN, Kind.QUOTE)
    yahoo.fail_after(3, Fault.THROTTLED, Kind.CHART)

    batch = await provider.fetch(symbols)

    assert 1 <= len(batch.quotes) < 8
    assert batch.failed == set(symbols) - batch.quotes.keys()


@pytest.mark.parametrize("fault", [Fault.UNAUTHORISED, Fault.BROKEN, Fault.DROP, Fault.EMPTY, Fault.GARBAGE])
async def test_source_that_is_down_as_a_whole_is_an_error(provider: YahooProvider, yahoo: World, fault: Fault) -> None:
    yahoo.quote("AAPL")
    yahoo.fail(fault)

    with pytest.raises(ProviderError) as caught:
        await provider.fetch(["AAPL", "MSFT"])

    assert str(caught.value).startswith("Yahoo Finance")


async def test_third_outage_in_a_row_stops_the_asking(provider: YahooProvider, yahoo: World) -> None:
    yahoo.fail(Fault.DROP)
    for _ in range(3):
        with pytest.raises(ProviderError):
            await provider.fetch(["AAPL"])
    yahoo.fail(None)
    yahoo.counts.clear()

    with pytest.raises(ProviderError, match="asked again soon"):
        await provider.fetch(["AAPL"])

    assert yahoo.counts == {}


async def test_source_that_does_not_answer_is_given_up_in_time(make_provider: MakeProvider, yahoo: World) -> None:
    provider = await make_provider(call_seconds=0.5)
    yahoo.fail(Fault.HANG, Kind.QUOTE)
    started = time.monotonic()

    with pytest.raises(ProviderError, match="too long"):
        await provider.fetch(["AAPL"])

    assert time.monotonic() - started < 2


async def test_deadline_returns_what_has_come(make_provider: MakeProvider, yahoo: World) -> None:
    provider = await make_provider(call_seconds=5, deadline_seconds=1)
    symbols = [f"S{n}" for n in range(150)]
    for symbol in symbols:
        yahoo.quote(symbol)
    yahoo.fail_after(1, Fault.HANG, Kind.QUOTE)

    batch = await provider.fetch(symbols)

    assert len(batch.quotes) == 50
    assert len(batch.failed) == 100


async def test_hundred_callers_make_one_request(provider: YahooProvider, yahoo: World) -> None:
    cached = CachedProvider(provider, ttl_seconds=5)
    yahoo.quote("AAPL", 190.5)

    batches = await asyncio.gather(*(cached.fetch(["AAPL"]) for _ in range(100)))

    assert {batch.quotes["AAPL"].price for batch in batches} == {Decimal("190.5")}
    assert yahoo.counts == {Kind.QUOTE: 1}


def test_unknown_provider_is_refused_by_name() -> None:
    with pytest.raises(StartupError, match=r"'bloomberg'.*yahoo"):
        build_provider("bloomberg", source_context())
