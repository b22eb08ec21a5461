"""Prices: asked from the source, stored, read back. FX quotes travel with the stocks that need them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import structlog
from tortoise import connections
from tortoise.transactions import in_transaction

from app.errors import NotFoundError, ProviderError, UnavailableError
from app.models import MarketData, Position, PriceHistory
from app.providers.base import Caching, PriceProvider, Quote, QuoteBatch, Split
from app.services import admission, journal
from app.services import splits as splits_service
from app.services.admission import Admitted
from app.services.basis import REPLAY
from app.services.journal import Touches
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
#: The gate has decided; the age counts here where two first quotes of a symbol meet. What is the same changes nothing.
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
    where (excluded."timestamp" >= market_data."timestamp" or market_data.source = 'sample'
            or (excluded.source <> market_data.source and excluded.source <> 'sample'))
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
    """What a refresh brought; symbols in order. Missing: no answer, or one that is refused or waits for a second."""

    updated: Sequence[str]
    missing: Sequence[str]


async def fetch_price(symbol: str, *, provider: PriceProvider, base_currency: str) -> tuple[MarketData, Origin]:
    """
    Ask the source for one price, store it, return it.

    A price that jumps is asked for a second time at once, and used if the source stands by it. The stored one is
    returned where the source cannot answer, or where its answer is refused or not confirmed.

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
        if await _store_batch(batch, provider=provider) or await _confirmed(batch, provider=provider):
            await _refresh_rates({batch.quotes[symbol].currency}, provider=provider, base_currency=base_currency)
            return await MarketData.get(symbol=symbol), "provider"
        if symbol in batch.failed:
            outage = UnavailableError("The price source does not answer.", retry_after=5)
    stored = await MarketData.get_or_none(symbol=symbol)
    if stored is not None:
        return stored, "stored"
    raise outage or NotFoundError(f"No price is known for {symbol}.")


async def _confirmed(batch: QuoteBatch, *, provider: PriceProvider) -> bool:
    """Ask for the second answer that a quote waits for; return whether it is used now."""
    if not await MarketData.exists(symbol__in=list(batch.quotes), pending_price__not_isnull=True):
        return False
    if isinstance(provider, Caching):
        provider.forget(list(batch.quotes))
    try:
        return bool(await _store_batch(await provider.fetch(list(batch.quotes)), provider=provider))
    except ProviderError:
        return False


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
    updated = await _store_batch(batch, provider=provider)
    currencies = await _currencies(held)
    await _refresh_rates(currencies, provider=provider, base_currency=base_currency)
    return Refreshed(updated=sorted(updated), missing=sorted(set(held) - updated))


async def held_symbols() -> list[str]:
    """Return every symbol that some client holds, in order."""
    rows = await Position.all().order_by("symbol").distinct().values_list("symbol", flat=True)
    return [str(symbol) for symbol in rows]


async def held_exchanges() -> set[str | None]:
    """Return the source's codes of the exchanges on which held symbols are listed; None = not known."""
    held = MarketData.filter(symbol__in=await held_symbols())
    rows = await held.order_by("exchange").distinct().values_list("exchange", flat=True)
    return {str(exchange) if exchange else None for exchange in rows}


async def store_quotes(quotes: Iterable[Quote], *, provider: PriceProvider | None = None) -> set[str]:
    """
    Store what the gate lets pass as the latest of their symbols and in the history; return those symbols.

    Where a price looks like that of a split, `provider` is asked before it is judged, outside of any transaction; the
    others do not wait for that. A split is applied to its holders in the transaction that stores the new price.
    """
    admitted = await _pass_gate(list(quotes), splits={})
    used = {quote.symbol for quote in admitted.used}
    if admitted.suspects:
        since = {quote.symbol: moment for quote, moment in admitted.suspects.items()}
        suspects = list(admitted.suspects)
        splits = await splits_service.ask(since, provider=provider)
        used |= {quote.symbol for quote in (await _pass_gate(suspects, splits=splits)).used}
    return used


async def _pass_gate(quotes: Sequence[Quote], *, splits: Mapping[str, Sequence[Split] | None]) -> Admitted:
    """Judge quotes and store what passes, in one transaction."""
    if not quotes:
        return Admitted()
    async with in_transaction():
        admitted = await admission.admit(quotes, splits=splits)
        applied = [done for split in admitted.splits if (done := await splits_service.apply(split))]
        if admitted.used:
            columns = [list(column) for column in zip(*map(_row, admitted.used), strict=True)]
            await connections.get("default").execute_query(_STORE, columns)
        if applied:
            await journal.record(
                *(done.change for done in applied),
                actor=journal.SYSTEM,
                touches=Touches(
                    client_ids=[holder for done in applied for holder in done.holders],
                    symbols=[split.symbol for split in admitted.splits],
                ),
            )
    return admitted


async def _store_batch(batch: QuoteBatch, *, provider: PriceProvider) -> set[str]:
    """Store a source's answer; return the symbols whose price is now the one that it gave."""
    if batch.refused:
        admission.refused(batch.refused)
    return await store_quotes(batch.quotes.values(), provider=provider)


async def newest_replayed() -> datetime | None:
    """Return the newest market time of a stored price that a replay gave; None if there is none."""
    newest = await MarketData.filter(source=REPLAY).order_by("-timestamp").first()
    return newest.timestamp if newest else None


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
    await _store_batch(batch, provider=provider)


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
