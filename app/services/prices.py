"""Prices: asked from the source, stored, read back. FX quotes travel with the stocks that need them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import structlog
from tortoise import connections

from app.errors import NotFoundError, ProviderError, UnavailableError
from app.models import MarketData, Position, PriceHistory
from app.providers.base import PriceProvider, Quote
from app.symbols import fx_symbol, normalise_symbol

Origin = Literal["provider", "stored"]

#: Columns of `market_data` in the order in which `_STORE` takes them.
_COLUMNS: Final = {
    "symbol": "text",
    "current_price": "numeric",
    "currency": "text",
    "timestamp": "timestamptz",
    "fetched_at": "timestamptz",
    "source": "text",
    "name": "text",
    "quote_type": "text",
    "market_state": "text",
    "exchange": "text",
    "exchange_timezone": "text",
    "previous_close": "numeric",
}
_NAMES: Final = ", ".join(f'"{name}"' for name in _COLUMNS)
_ARRAYS: Final = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_COLUMNS.values(), start=1))
_UPDATES: Final = ", ".join(f'"{name}" = excluded."{name}"' for name in _COLUMNS if name != "symbol")
_OLD: Final = ", ".join(f'market_data."{name}"' for name in _COLUMNS)
_NEW: Final = ", ".join(f'excluded."{name}"' for name in _COLUMNS)
#: A quote older than the stored one changes nothing: answers may overtake each other. Nor does one that is the same.
#: Whoever holds a copy of the book is told which symbols changed.
_STORE: Final = f"""
with quote as (
    select * from unnest({_ARRAYS}) as q({_NAMES}) order by symbol
), history as (
    insert into price_history (symbol, price, currency, "timestamp", source)
    select symbol, current_price, currency, "timestamp", source from quote
    on conflict (symbol, "timestamp") do nothing
), known as (
    insert into instrument (symbol, name, currency, quote_type, updated_at)
    select symbol, name, currency, quote_type, now() from quote where symbol not like '%=X'
    on conflict (symbol) do update set
        name = coalesce(excluded.name, instrument.name), currency = excluded.currency,
        quote_type = coalesce(excluded.quote_type, instrument.quote_type), updated_at = excluded.updated_at
    where (instrument.name, instrument.currency, instrument.quote_type) is distinct from
        (coalesce(excluded.name, instrument.name), excluded.currency,
         coalesce(excluded.quote_type, instrument.quote_type))
), stored as (
    insert into market_data ({_NAMES}) select {_NAMES} from quote
    on conflict (symbol) do update set {_UPDATES}
    where (excluded."timestamp" >= market_data."timestamp" or market_data.source = 'sample')
        and ({_NEW}) is distinct from ({_OLD})
    returning symbol
), change as (
    insert into book_change (xid, at, client_ids, symbols)
    select pg_current_xact_id()::text::bigint, now(), '[]', jsonb_agg(symbol) from stored having count(*) > 0
    returning id
)
select pg_notify('book', '') from change
"""  # noqa: S608 - column names of ours, no input


@dataclass(frozen=True, slots=True)
class Window:
    """Part of a history: from `start` (included) to `end` (excluded), behind `after`; None = no such bound."""

    start: datetime | None = None
    end: datetime | None = None
    after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh brought; symbols in order."""

    updated: Sequence[str]
    missing: Sequence[str]


async def fetch_price(symbol: str, *, provider: PriceProvider, base_currency: str) -> tuple[MarketData, Origin]:
    """
    Ask the source for one price, store it, return it; the stored one where the source cannot answer.

    Raises:
        InvalidInputError: `symbol` is none.
        NotFoundError: the source does not know it, and nothing is stored.
        UnavailableError: the source cannot be asked, and nothing is stored.
    """
    symbol = normalise_symbol(symbol)
    outage: UnavailableError | None = None
    try:
        batch = await provider.fetch([symbol])
    except ProviderError as error:
        outage = error
    else:
        if symbol in batch.quotes:
            await store_quotes(batch.quotes.values())
            await _refresh_rates({batch.quotes[symbol].currency}, provider=provider, base_currency=base_currency)
            return await MarketData.get(symbol=symbol), "provider"
        if symbol in batch.failed:
            outage = UnavailableError("The price source does not answer.", retry_after=5)
    stored = await MarketData.get_or_none(symbol=symbol)
    if stored is not None:
        return stored, "stored"
    raise outage or NotFoundError(f"No price is known for {symbol}.")


async def refresh_held(*, provider: PriceProvider, base_currency: str) -> Refreshed:
    """
    Store the latest quote of every symbol that a client holds, and the FX rates they need.

    The source is asked before anything is written, so a slow source holds no lock.

    Raises:
        ProviderError: the source failed as a whole; nothing is stored.
    """
    held = await held_symbols()
    if not held:
        return Refreshed(updated=[], missing=[])
    batch = await provider.fetch(held)
    await store_quotes(batch.quotes.values())
    currencies = await _currencies(held)
    await _refresh_rates(currencies, provider=provider, base_currency=base_currency)
    return Refreshed(updated=sorted(batch.quotes), missing=sorted(set(held) - set(batch.quotes)))


async def held_symbols() -> list[str]:
    """Return every symbol that some client holds, in order."""
    rows = await Position.all().order_by("symbol").distinct().values_list("symbol", flat=True)
    return [str(symbol) for symbol in rows]


async def store_quotes(quotes: Iterable[Quote]) -> None:
    """Store quotes as the latest of their symbols and in the history, in one statement."""
    rows = [_row(quote) for quote in quotes]
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        await connections.get("default").execute_query(_STORE, columns)


async def list_prices(*, after: str | None, limit: int) -> list[MarketData]:
    """Return stored prices of stocks, by symbol; FX quotes are not among them."""
    query = MarketData.exclude(symbol__endswith="=X")
    if after is not None:
        query = query.filter(symbol__gt=after)
    return await query.order_by("symbol").limit(limit)


async def price_history(symbol: str, *, window: Window, limit: int) -> list[PriceHistory]:
    """
    Return the stored prices of a symbol in a window, oldest first.

    Raises:
        NotFoundError: nothing was ever stored for it.
    """
    symbol = normalise_symbol(symbol)
    bounds = {"timestamp__gte": window.start, "timestamp__lt": window.end, "timestamp__gt": window.after}
    query = PriceHistory.filter(symbol=symbol, **{key: moment for key, moment in bounds.items() if moment is not None})
    rows = await query.order_by("timestamp").limit(limit)
    if not rows and not await PriceHistory.exists(symbol=symbol):
        raise NotFoundError(f"No price is known for {symbol}.")
    return rows


async def _refresh_rates(currencies: Iterable[str], *, provider: PriceProvider, base_currency: str) -> None:
    """Store the FX quotes that these currencies need; one that cannot be had leaves its holders unpriced."""
    pairs = sorted(fx_symbol(currency, base_currency) for currency in set(currencies) if currency != base_currency)
    if not pairs:
        return
    try:
        batch = await provider.fetch(pairs)
    except ProviderError as error:
        _log.warning("fx rates not refreshed", pairs=pairs, error=str(error))
        return
    await store_quotes(batch.quotes.values())


async def _currencies(symbols: Sequence[str]) -> set[str]:
    """Return the currencies in which these symbols are quoted."""
    rows = (
        await MarketData.filter(symbol__in=list(symbols))
        .order_by("currency")
        .distinct()
        .values_list("currency", flat=True)
    )
    return {str(currency) for currency in rows}


def _row(quote: Quote) -> tuple[str | Decimal | datetime | None, ...]:
    """Return a quote as a row of `_COLUMNS`; what is longer than its column is cut."""
    return (
        quote.symbol,
        quote.price,
        quote.currency,
        quote.market_time,
        quote.fetched_at,
        quote.source,
        _cut(quote.name, 200),
        _cut(quote.quote_type, 32),
        _cut(quote.market_state, 16),
        _cut(quote.exchange, 16),
        _cut(quote.exchange_timezone, 64),
        quote.previous_close,
    )


def _cut(text: str | None, length: int) -> str | None:
    return None if text is None else text[:length]


_log = structlog.get_logger(__name__)
