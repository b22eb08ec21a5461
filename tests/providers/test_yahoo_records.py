"""Which of Yahoo's records hold a price, and which price."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.providers.types import Quote
from app.providers.yahoo.records import quote_from_record, record_from_chart

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)  # a Friday
GOOD: dict[str, Any] = {
    "symbol": "AAPL",
    "regularMarketPrice": 190.5,
    "regularMarketTime": int(NOW.timestamp()) - 5,
    "currency": "USD",
    "quoteType": "EQUITY",
    "marketState": "REGULAR",
    "exchange": "NMS",
    "exchangeTimezoneName": "America/New_York",
    "regularMarketPreviousClose": 189,
    "shortName": "Apple Inc.",
}


def read(**changes: object) -> Quote | None:
    """Read the good record with some fields changed."""
    return quote_from_record({**GOOD, **changes}, symbol="AAPL", fetched_at=NOW)


def test_good_record_becomes_a_quote_field_by_field() -> None:
    assert read() == Quote(
        symbol="AAPL",
        price=Decimal("190.5"),
        currency="USD",
        market_time=NOW - timedelta(seconds=5),
        fetched_at=NOW,
        source="yahoo",
        name="Apple Inc.",
        quote_type="EQUITY",
        market_state="REGULAR",
        exchange="NMS",
        exchange_timezone="America/New_York",
        previous_close=Decimal(189),
    )


@pytest.mark.parametrize(
    "price",
    [None, 0, -1.5, -1e30, float("nan"), float("inf"), "190.5", True, [190.5], {"raw": 190.5}, 1e10, 10**400, 4e-9],
)
def test_price_that_is_missing_not_finite_not_positive_or_absurd_is_no_price(price: object) -> None:
    assert read(regularMarketPrice=price) is None


@pytest.mark.parametrize("currency", [None, "", "usd", "USDT", "US", 840])
def test_price_without_a_currency_is_no_price(currency: object) -> None:
    assert read(currency=currency) is None


@pytest.mark.parametrize("seconds", [None, 0, -1, float("nan"), "1763650800", True, 1e30])
def test_price_without_a_market_time_is_no_price(seconds: object) -> None:
    assert read(regularMarketTime=seconds) is None


def test_market_time_may_be_ahead_by_a_clock_error_and_no_more() -> None:
    now = NOW.timestamp()

    assert read(regularMarketTime=now + 299) is not None
    assert read(regularMarketTime=now + 301) is None


def test_delisted_and_foreign_records_are_no_price() -> None:
    assert read(quoteType="NONE") is None
    assert read(symbol="MSFT") is None
    assert read(symbol=None) is None


def test_symbol_is_compared_without_case() -> None:
    quote = read(symbol="aapl")

    assert quote is not None
    assert quote.symbol == "AAPL"


@pytest.mark.parametrize(("quoted", "currency"), [("GBp", "GBP"), ("ZAc", "ZAR"), ("ILA", "ILS")])
def test_hundredths_become_whole_units(quoted: str, currency: str) -> None:
    quote = read(currency=quoted, regularMarketPrice=7123.5, regularMarketPreviousClose=7000)

    assert quote is not None
    assert (quote.price, quote.currency, quote.previous_close) == (Decimal("71.235"), currency, Decimal(70))


def test_pounds_are_not_pence() -> None:
    quote = read(currency="GBP", regularMarketPrice=71.235)

    assert quote is not None
    assert (quote.price, quote.currency) == (Decimal("71.235"), "GBP")


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (0.1, "0.1"),  # not 0.1000000000000000055...
        (0.076522574, "0.07652257"),
        (0.000000005, "0.00000001"),  # half away from zero
        (1234567.123456789, "1234567.12345679"),
        (12345678.12345678, "12345678.1234568"),  # 15 significant digits
        (9999999999.0, "9999999999"),
    ],
)
def test_price_has_at_most_eight_decimals_and_fifteen_digits(price: float, expected: str) -> None:
    quote = read(regularMarketPrice=price)

    assert quote is not None
    assert quote.price == Decimal(expected)


@settings(deadline=None)  # a busy machine is no fault
@given(st.floats(min_value=1e-8, max_value=9.999e9))
def test_stored_price_is_exact_as_a_json_number(price: float) -> None:
    quote = read(regularMarketPrice=price)

    assert quote is not None
    assert Decimal(repr(float(quote.price))) == quote.price
    assert abs(quote.price - Decimal(price)) <= max(Decimal("5.0001e-9"), Decimal(price) * Decimal("5.0001e-15"))


@pytest.mark.parametrize("previous_close", [None, 0, -1, "189"])
def test_odd_previous_close_is_left_out(previous_close: object) -> None:
    quote = read(regularMarketPreviousClose=previous_close)

    assert quote is not None
    assert quote.previous_close is None


def test_texts_are_cleaned_and_bounded() -> None:
    quote = read(shortName=" A\x00p\np " + "x" * 300, exchange=7, marketState="")

    assert quote is not None
    assert quote.name == "App " + "x" * 196
    assert quote.exchange is None
    assert quote.market_state is None


JUNK: st.SearchStrategy[object] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "NONE", "USD", "190.5", "\x00"])
    | st.just([])
    | st.just({})
)


@settings(deadline=None)  # a busy machine is no fault
@given(st.dictionaries(st.sampled_from(sorted(GOOD)), JUNK))
def test_no_record_makes_the_reader_fail(changes: dict[str, Any]) -> None:
    quote = read(**changes)

    assert quote is None or quote.price > 0


@pytest.mark.parametrize(
    ("minutes", "state"), [(-600, "CLOSED"), (-60, "PRE"), (0, "REGULAR"), (390, "POST"), (630, "CLOSED")]
)
def test_chart_tells_the_market_state_by_its_trading_periods(minutes: int, state: str) -> None:
    opens = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
    period = {
        name: {
            "start": (opens + timedelta(minutes=start)).timestamp(),
            "end": (opens + timedelta(minutes=end)).timestamp(),
        }
        for name, start, end in (("pre", -330, 0), ("regular", 0, 390), ("post", 390, 630))
    }
    meta = json.loads('{"symbol": "AAPL", "instrumentType": "ETF", "exchangeName": "PCX", "chartPreviousClose": 5}')

    record = record_from_chart({**meta, "currentTradingPeriod": period}, now=opens + timedelta(minutes=minutes))

    assert record["marketState"] == state
    assert (record["quoteType"], record["exchange"], record["regularMarketPreviousClose"]) == ("ETF", "PCX", 5)


@pytest.mark.parametrize("periods", [None, [], {}, {"regular": None}, {"regular": {}, "pre": 3}])
def test_chart_without_trading_periods_has_no_market_state(periods: object) -> None:
    assert record_from_chart({"currentTradingPeriod": periods}, now=NOW)["marketState"] is None
