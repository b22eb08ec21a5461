"""What the source makes of real answers of Yahoo's, recorded in February 2025 (see the data's README)."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.providers.yahoo.source import YahooProvider
from tests.standin.world import Fault, Kind, World

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "yahoo"
pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no recordings under {RECORDINGS}")

#: Without a price: a dead fund, three with `quoteType` NONE, one that Yahoo does not know.
UNPRICED = {"ADH", "BRKS", "SI", "SIMP", "SIX"}


def recorded(kind: str) -> list[str]:
    return sorted(path.stem for path in (RECORDINGS / kind).glob("*.json"))


def read(kind: str, stem: str) -> Any:  # noqa: ANN401 (JSON)
    """Read a recording with its numbers as they are written."""
    return json.loads((RECORDINGS / kind / f"{stem}.json").read_text(), parse_float=Decimal, parse_int=Decimal)


@pytest.fixture(autouse=True)
def recordings(provider: YahooProvider, yahoo: World) -> None:
    yahoo.play_recordings(RECORDINGS)


@pytest.mark.parametrize("symbol", recorded("quote"))
async def test_recorded_quote_gives_its_price_or_none(provider: YahooProvider, symbol: str) -> None:
    batch = await provider.fetch([symbol])

    assert batch.failed == frozenset()
    if symbol in UNPRICED:
        assert batch.quotes == {}
        return
    record = read("quote", symbol)["quoteResponse"]["result"][0]
    quote = batch.quotes[symbol]
    assert quote.price == record["regularMarketPrice"].quantize(Decimal("1e-8"))
    assert quote.currency == record["currency"]
    assert quote.market_time == datetime.fromtimestamp(int(record["regularMarketTime"]), UTC)
    assert quote.quote_type == record["quoteType"]


async def test_all_recorded_quotes_come_in_one_request(provider: YahooProvider, yahoo: World) -> None:
    symbols = recorded("quote")

    batch = await provider.fetch(symbols)

    assert set(symbols) - batch.quotes.keys() == UNPRICED
    assert yahoo.asked == [symbols]


@pytest.mark.parametrize("stem", recorded("chart"))
async def test_recorded_chart_gives_its_price_when_batches_are_broken(
    provider: YahooProvider, yahoo: World, stem: str
) -> None:
    meta = read("chart", stem)["chart"]["result"][0]["meta"]
    yahoo.play_chart(meta["symbol"], RECORDINGS / "chart" / f"{stem}.json")
    yahoo.fail(Fault.BROKEN, Kind.QUOTE)

    quote = (await provider.fetch([meta["symbol"]])).quotes[meta["symbol"]]

    assert quote.price == meta["regularMarketPrice"].quantize(Decimal("1e-8"))
    assert (quote.currency, quote.quote_type) == (meta["currency"], meta["instrumentType"])
    assert quote.market_time == datetime.fromtimestamp(int(meta["regularMarketTime"]), UTC)
