"""Reads Yahoo's records strictly: a record becomes a usable quote or nothing."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Context, Decimal
from zoneinfo import ZoneInfo

from app.providers.types import Quote, Refusal, ShareSplit
from app.providers.yahoo import SPEC

Record = Mapping[str, object]

#: Currencies that Yahoo quotes in hundredths, and what they are hundredths of.
_HUNDREDTHS = {"GBp": "GBP", "ZAc": "ZAR", "ILA": "ILS"}
_CURRENCY = re.compile(r"[A-Z]{3}")
_SHORT_PAIR = re.compile(r"[A-Z]{3}=X")
_CENT = Decimal("0.01")

_PRICE_STEP = Decimal("1e-8")
_FIFTEEN_DIGITS = Context(prec=15, rounding=ROUND_HALF_UP)
#: Prices in units of 1e-8 must fit the engine's int64.
_PRICE_LIMIT = Decimal("1e10")

#: The year 2100: what says more is no time in seconds.
_LATEST_SECONDS = 4_102_444_800

#: Yahoo's clock and ours may differ by this much.
_CLOCK_TOLERANCE = timedelta(minutes=5)


def canonical_symbol(symbol: object) -> str:
    """
    Return one spelling for symbols that Yahoo takes for the same.

    It answers for `USDEUR=X` as `USDEUR=X` or `EUR=X`, now this, now that
    (https://github.com/sstrickx/yahoofinance-api/issues/172).
    """
    text = str(symbol).upper()
    return f"USD{text}" if _SHORT_PAIR.fullmatch(text) else text


def quote_from_record(record: Record, *, symbol: str, fetched_at: datetime) -> Quote | None:
    """
    Return the quote of `symbol` in one result of Yahoo's v7 quote, None if it holds no usable price.

    Usable: the record of that symbol, with a finite price above 0 and below 1e10, a currency, a market time that is
    not in the future, and a `quoteType` other than NONE, which Yahoo gives to some delisted symbols.
    """
    if canonical_symbol(record.get("symbol")) != canonical_symbol(symbol) or record.get("quoteType") == "NONE":
        return None
    currency, unit = _currency(record)
    price = _price(record.get("regularMarketPrice"), unit)
    market_time = _market_time(record.get("regularMarketTime"), fetched_at)
    if currency is None or price is None or market_time is None:
        return None
    return Quote(
        symbol=symbol,
        price=price,
        currency=currency,
        market_time=market_time,
        fetched_at=fetched_at,
        source=SPEC.name,
        name=_text(record, "shortName", 200) or _text(record, "longName", 200),
        quote_type=_text(record, "quoteType", 32),
        market_state=_text(record, "marketState", 16),
        exchange=_text(record, "exchange", 16),
        exchange_timezone=_text(record, "exchangeTimezoneName", 64),
        previous_close=_price(record.get("regularMarketPreviousClose"), unit),
    )


def refusal_of(record: Record) -> Refusal | None:
    """Return what is wrong with the price in a record; None if there is a usable one, or none at all."""
    value = record.get("regularMarketPrice")
    if isinstance(value, bool) or not isinstance(value, int | float) or record.get("quoteType") == "NONE":
        return None
    number = _number(value)
    if number is None:
        return Refusal.NOT_FINITE
    if number > 0:
        return None
    return Refusal.NEGATIVE if number < 0 else Refusal.ZERO


def splits_from_chart(chart: Record, *, symbol: str) -> list[ShareSplit]:
    """Return the splits in a v8 chart, oldest first; what is no split is left out."""
    meta, events = chart.get("meta"), chart.get("events")
    found = events.get("splits") if isinstance(events, Mapping) else None
    zone = _zone(meta if isinstance(meta, Mapping) else {})
    entries = found.values() if isinstance(found, Mapping) else ()
    splits = [_split(entry, symbol=symbol, zone=zone) for entry in entries if isinstance(entry, Mapping)]
    return sorted((split for split in splits if split is not None), key=lambda split: split.effective)


def record_from_chart(meta: Record, *, now: datetime) -> Record:
    """Return the `meta` of a v8 chart over one day in the words of a v7 record."""
    return {
        **meta,
        "quoteType": meta.get("instrumentType"),
        "exchange": meta.get("exchangeName"),
        "marketState": _market_state(meta.get("currentTradingPeriod"), now.timestamp()),
        "regularMarketPreviousClose": meta.get("chartPreviousClose"),
    }


def _currency(record: Record) -> tuple[str | None, Decimal]:
    """Return the ISO currency, None if there is none, and what one unit of a quoted price is worth in it."""
    currency = record.get("currency")
    if not isinstance(currency, str):
        return None, Decimal(1)
    if currency in _HUNDREDTHS:
        return _HUNDREDTHS[currency], _CENT
    return (currency if _CURRENCY.fullmatch(currency) else None), Decimal(1)


def _price(value: object, unit: Decimal) -> Decimal | None:
    number = _number(value)
    if number is None or number <= 0:
        return None
    # repr gives the shortest text that means this float: what Yahoo's JSON said.
    price = Decimal(repr(number)) * unit
    if price >= _PRICE_LIMIT:
        return None
    price = _FIFTEEN_DIGITS.plus(price)
    in_steps = price.quantize(_PRICE_STEP, rounding=ROUND_HALF_UP)
    price = price if price == in_steps else in_steps  # 190.5 stays 190.5
    return price if 0 < price < _PRICE_LIMIT else None


def _split(entry: Record, *, symbol: str, zone: tzinfo) -> ShareSplit | None:
    seconds = _number(entry.get("date"))
    numerator, denominator = _number(entry.get("numerator")), _number(entry.get("denominator"))
    if seconds is None or not 0 < seconds < _LATEST_SECONDS or numerator is None or denominator is None:
        return None
    if numerator <= 0 or denominator <= 0 or numerator == denominator:
        return None
    effective = datetime.fromtimestamp(seconds, UTC)
    return ShareSplit(
        symbol=symbol,
        effective=effective,
        ex_date=effective.astimezone(zone).date(),
        numerator=Decimal(repr(numerator)),
        denominator=Decimal(repr(denominator)),
    )


def _zone(meta: Record) -> tzinfo:
    """Return the time zone of a chart's exchange, UTC where it names none that we know."""
    name = meta.get("exchangeTimezoneName")
    try:
        return ZoneInfo(name) if isinstance(name, str) and name else UTC
    except (ValueError, OSError, LookupError):  # what zoneinfo raises depends on what is wrong with the name
        return UTC


def _market_time(value: object, fetched_at: datetime) -> datetime | None:
    seconds = _number(value)
    latest = fetched_at + _CLOCK_TOLERANCE
    if seconds is None or not 0 < seconds <= latest.timestamp():
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # an int beyond float
        return None
    return number if math.isfinite(number) else None


def _text(record: Record, key: str, length: int) -> str | None:
    """Return a field for showing: printable, at most `length` characters; None if absent or empty."""
    value = record.get(key)
    if not isinstance(value, str):
        return None
    return "".join(filter(str.isprintable, value)).strip()[:length] or None


def _market_state(periods: object, now: float) -> str | None:
    """Return in which of a chart's trading periods `now` (epoch seconds) lies, CLOSED outside of all."""
    if not isinstance(periods, Mapping):
        return None
    for name in ("regular", "pre", "post"):
        period = periods.get(name)
        if not isinstance(period, Mapping):
            return None
        start, end = _number(period.get("start")), _number(period.get("end"))
        if start is not None and end is not None and start <= now < end:
            return name.upper()
    return "CLOSED"
