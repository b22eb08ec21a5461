"""Classifies stored prices by what they are worth as evidence: the basis, by source, age and trading hours."""

import asyncio
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from app.models import MarketData
from app.providers.registry import spec_of
from app.stocks.types import SourceExchange

Basis = Literal["live", "delayed", "close", "estimate", "stale", "unpriced"]

LIVE_SECONDS: Final = 60
DELAYED_SECONDS: Final = 20 * 60
#: Calendar of an exchange that its source does not name: prices age soonest under it.
_ANY_WEEKDAY: Final = "24/5"


@dataclass(frozen=True, slots=True)
class PriceProvenance:
    """Where a price comes from: what its basis depends on."""

    source: str
    market_time: datetime
    exchange: str | None


async def bases(prices: Sequence[PriceProvenance], *, now: datetime, stale_seconds: int) -> list[Basis]:
    """
    Return the basis of each price at `now`.

    Exchange calendars load on first need, about a second, in a thread.
    """
    known = [basis for price in prices if (basis := _without_calendar(price, now=now)) is not None]
    if len(known) == len(prices):
        return known
    return await asyncio.to_thread(
        lambda: [price_basis(price, now=now, stale_seconds=stale_seconds) for price in prices]
    )


def price_basis(price: PriceProvenance, *, now: datetime, stale_seconds: int) -> Basis:
    """Return the basis of one price at `now`."""
    known = _without_calendar(price, now=now)
    if known is not None:
        return known
    opens, closes = _sessions(_calendar(price.source, price.exchange))
    if _open_seconds(opens, closes, price.market_time, now) > stale_seconds:
        return "stale"
    return "delayed" if _same_session(opens, closes, price.market_time, now) else "close"


def _without_calendar(price: PriceProvenance, *, now: datetime) -> Basis | None:
    """Return the basis where source and age alone say it."""
    prices_are = spec_of(price.source).prices_are
    if prices_are != "market":
        return prices_are
    age = (now - price.market_time).total_seconds()
    if age <= LIVE_SECONDS:
        return "live"
    return "delayed" if age <= DELAYED_SECONDS else None


async def seconds_until_open(exchanges: Collection[SourceExchange], *, now: datetime) -> float:
    """
    Return in how many seconds the first of these exchanges opens; 0 where one is open.

    One that closed so shortly ago that prices still come in counts as open.

    Calendars load on first need, seconds, in a thread.
    """
    calendars = {_calendar(exchange.source, exchange.code) for exchange in exchanges}
    return await asyncio.to_thread(lambda: min((_until_open(calendar, now) for calendar in calendars), default=0.0))


def _calendar(source: str, exchange: str | None) -> str:
    """Return the name of the calendar of an exchange, by the code that a source gives it."""
    return spec_of(source).calendars.get(exchange or "", _ANY_WEEKDAY)


def _until_open(calendar: str, now: datetime) -> float:
    opens, closes = _sessions(calendar)
    session = int(np.searchsorted(closes, _nanos(now) - DELAYED_SECONDS * 10**9))
    return max(0.0, float(opens[session] - _nanos(now)) / 1e9) if session < len(opens) else 0.0


@lru_cache(maxsize=64)
def _sessions(name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return when each session of a calendar opens and closes, in nanoseconds since 1970, UTC."""
    import exchange_calendars  # noqa: PLC0415 - imports pandas: a second, only where a price has aged

    start = datetime.now(UTC).replace(tzinfo=None).date().replace(month=1, day=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses what pandas 3 deprecates
        calendar = exchange_calendars.get_calendar(name, start=start.replace(year=start.year - 2).isoformat())
    return calendar.opens_nanos, calendar.closes_nanos


def _open_seconds(opens: NDArray[np.int64], closes: NDArray[np.int64], start: datetime, end: datetime) -> float:
    """Return how many seconds the exchange was open between two moments."""
    overlap = np.minimum(closes, _nanos(end)) - np.maximum(opens, _nanos(start))
    return float(overlap[overlap > 0].sum()) / 1e9


def _same_session(opens: NDArray[np.int64], closes: NDArray[np.int64], start: datetime, end: datetime) -> bool:
    """Return whether the exchange is open at `end`, in the session in which `start` lies."""
    session = int(np.searchsorted(opens, _nanos(end), side="right")) - 1
    return session >= 0 and bool(closes[session] > _nanos(end)) and bool(opens[session] <= _nanos(start))


def _nanos(moment: datetime) -> int:
    return int(moment.timestamp() * 1e9)


async def basis_now(price: MarketData, *, stale_seconds: int) -> Basis:
    """Return the basis of a stored price at this moment."""
    provenance = PriceProvenance(price.source, price.timestamp, price.exchange)
    return (await bases([provenance], now=datetime.now(UTC), stale_seconds=stale_seconds))[0]
