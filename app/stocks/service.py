"""Refreshes, reads and forgets stored prices; FX quotes are refreshed with the stocks that need them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal

import structlog
from tortoise.transactions import in_transaction

from app.audit import recorder
from app.audit.recorder import Change, Touches
from app.auth.types import Caller
from app.core.errors import ConflictError, NotFoundError, ProviderError, UnavailableError
from app.core.symbols import fx_symbol, is_fx_symbol, normalise_symbol
from app.corporate_actions import held_price
from app.database import sql
from app.database.sql import Connection, Row
from app.models import MarketData, PriceHistory
from app.providers.registry import REPLAYED_NAMES
from app.providers.types import Caching, QuoteBatch
from app.stocks import doubt_store, intake
from app.stocks.doubt import DoubtReason
from app.stocks.held_symbols import held_symbols
from app.stocks.types import PriceFeed

Origin = Literal["provider", "stored"]
#: $1 the last symbol of the page before, $2 rows.
_PRICES: Final = """
select symbol, "timestamp", current_price from market_data
where symbol not like '%=X' and symbol > $1 order by symbol limit $2
"""


_log = structlog.get_logger(__name__)


_DOUBTS: Final = "select symbol, doubt_reason, doubt_low, doubt_high from market_data where doubt_reason is not null"
_QUOTED_IN: Final = """
select symbol, currency from market_data where currency = any($1::text[]) and symbol not like '%=X'
"""


@dataclass(frozen=True, slots=True)
class Window:
    """Part of a history: from `start` (included) to `end` (excluded), behind `after`; None = no such bound."""

    start: datetime | None = None
    end: datetime | None = None
    after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Symbols of a refresh, in order. Missing: no answer, or one that is refused or waits for a second."""

    updated: Sequence[str]
    missing: Sequence[str]
    #: Those that the source was asked about and gave no usable price for.
    absent: frozenset[str] = frozenset()


async def fetch_price(symbol: str, *, feed: PriceFeed) -> tuple[MarketData, Origin]:
    """
    Ask the source for one price, store it, return it.

    A price that jumps is asked for a second time at once, and used if the second answer confirms it. The stored one is
    returned where the source cannot answer, or where its answer is refused or not confirmed.

    Raises:
        InvalidInputError: `symbol` is none.
        NotFoundError: the source does not know it, and nothing is stored.
        UnavailableError: the source cannot be asked, and nothing is stored.
    """
    symbol = normalise_symbol(symbol)
    outage: UnavailableError | None = None
    try:
        batch = await feed.provider.fetch([symbol])
    except ProviderError as error:
        outage = error
    else:
        if await intake.store_batch(batch, feed=feed) or await _confirmed(batch, feed=feed):
            await _refresh_rates({batch.quotes[symbol].currency}, feed=feed)
            return await MarketData.get(symbol=symbol), "provider"
        if symbol in batch.failed:
            outage = UnavailableError("The price source does not answer.", retry_after=5)
    stored = await MarketData.get_or_none(symbol=symbol)
    if stored is not None:
        return stored, "stored"
    raise outage or NotFoundError(f"No price is known for {symbol}.")


async def _confirmed(batch: QuoteBatch, *, feed: PriceFeed) -> bool:
    """Ask for the second answer that a quote waits for; return whether it is used now."""
    if not await MarketData.exists(symbol__in=list(batch.quotes), pending_price__not_isnull=True):
        return False
    if isinstance(feed.provider, Caching):
        feed.provider.forget(list(batch.quotes))
    try:
        return bool(await intake.store_batch(await feed.provider.fetch(list(batch.quotes)), feed=feed))
    except ProviderError:
        return False


async def refresh_held(feed: PriceFeed) -> Refreshed:
    """
    Store the latest quote of every symbol that a client holds, and the FX rates they need.

    The source is asked before anything is written, so a slow source holds no lock.

    Raises:
        ProviderError: the source failed as a whole; nothing is stored.
    """
    held = await held_symbols()
    if not held:
        return Refreshed(updated=[], missing=[])
    batch = await feed.provider.fetch(held)
    currencies = {quote.currency for quote in batch.quotes.values()} | await _currencies(held)
    rates = await _ask_rates(currencies, feed=feed)
    updated = await intake.store_batch(batch, feed=feed)
    if rates is not None:
        await intake.store_batch(rates, feed=feed)
    absent = (
        set(held) - batch.quotes.keys() - batch.failed if batch.quotes or len(held) == len(batch.refused) else set()
    )
    await doubt_store.count_absent(absent, refused=batch.refused, feed=feed)
    return Refreshed(updated=sorted(updated), missing=sorted(set(held) - updated), absent=frozenset(absent))


async def forget_price(symbol: str, *, caller: Caller) -> None:
    """
    Forget the stored price of a symbol, so that the source's next answer counts as the first one.

    The desk's way out where the stored price is wrong, or the listing changed its currency. Until that answer comes,
    its holders are incomplete; the history stays.

    Raises:
        InvalidInputError: `symbol` is none.
        NotFoundError: nothing is stored.
    """
    symbol = normalise_symbol(symbol)
    async with in_transaction():
        stored = await MarketData.select_for_update().get_or_none(symbol=symbol)
        if stored is None:
            raise NotFoundError(f"No price is known for {symbol}.")
        await stored.delete()
        before = {"price": stored.current_price, "currency": stored.currency, "timestamp": stored.timestamp}
        change = Change(action="forget_price", entity="instrument", entity_id=symbol, before=before)
        await recorder.record(change, actor=caller.username, touches=Touches(symbols=[symbol]))


async def accept_price(symbol: str, *, reason: str, caller: Caller) -> MarketData:
    """
    Believe what is held back, or what is in doubt, of a symbol; the desk's word ends the doubt.

    Raises:
        InvalidInputError: `symbol` is none.
        NotFoundError: nothing is stored.
        ConflictError: nothing is held back or in doubt, or a corporate action has to be decided first.
    """
    symbol = normalise_symbol(symbol)
    async with in_transaction():
        stored = await MarketData.select_for_update().get_or_none(symbol=symbol)
        if stored is None:
            raise NotFoundError(f"No price is known for {symbol}.")
        if stored.pending_price is None and stored.doubt_reason is None:
            raise ConflictError(f"The price of {symbol} is not in doubt.")
        if DoubtReason.SPLIT in {stored.pending_reason, stored.doubt_reason}:
            raise ConflictError(f"A corporate action of {symbol} waits: decide it at /corporate-actions.")
        before = {"price": stored.current_price, "currency": stored.currency, "timestamp": stored.timestamp}
        await held_price.settle(symbol)
        await stored.refresh_from_db()
        after = {"price": stored.current_price, "currency": stored.currency, "reason": reason}
        change = Change(action="accept_price", entity="instrument", entity_id=symbol, before=before, after=after)
        await recorder.record(change, actor=caller.username, touches=Touches(symbols=[symbol]))
    return stored


async def newest_market_time(*sources: str) -> datetime | None:
    """Return the newest market time of a stored price of one of these sources; None if there is none."""
    newest = await MarketData.filter(source__in=sources).order_by("-timestamp").first()
    return newest.timestamp if newest else None


async def list_prices(connection: Connection, *, after: str | None, limit: int) -> Sequence[Row]:
    """Return symbol, timestamp and current_price of stored stocks, by symbol; FX quotes are not among them."""
    return await connection.fetch(_PRICES, after or "", limit)


@dataclass(frozen=True, slots=True)
class PriceDoubt:
    """What is in doubt about a stock: its price's reason and range, and its exchange rate's."""

    price: tuple[str, Decimal, Decimal] | None
    rate: tuple[str, Decimal, Decimal] | None


async def doubts_now() -> dict[str, PriceDoubt]:
    """Return what is in doubt about the prices of stocks, by symbol; a rate in doubt counts for each of its stocks."""
    rows = await sql.rows(_DOUBTS)
    own = {row["symbol"]: (row["doubt_reason"], row["doubt_low"], row["doubt_high"]) for row in rows}
    rates = {symbol[:3]: doubt for symbol, doubt in own.items() if is_fx_symbol(symbol)}
    foreign = await sql.rows(_QUOTED_IN, list(rates)) if rates else []
    found = {symbol: PriceDoubt(doubt, None) for symbol, doubt in own.items() if not is_fx_symbol(symbol)}
    for row in foreign:
        known = found.get(row["symbol"])
        found[row["symbol"]] = PriceDoubt(known.price if known else None, rates[row["currency"]])
    return found


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


async def _refresh_rates(currencies: Iterable[str], *, feed: PriceFeed) -> None:
    """Store the FX quotes that these currencies need; one that cannot be had leaves its holders unpriced."""
    batch = await _ask_rates(currencies, feed=feed)
    if batch is not None:
        await intake.store_batch(batch, feed=feed)


async def _ask_rates(currencies: Iterable[str], *, feed: PriceFeed) -> QuoteBatch | None:
    """Return the FX quotes that these currencies need; None where none is needed, or the source cannot be asked."""
    foreign = set(currencies) - {feed.base_currency}
    pairs = sorted(fx_symbol(currency, feed.base_currency) for currency in foreign)
    if not pairs:
        return None
    try:
        return await feed.provider.fetch(pairs)
    except ProviderError as error:
        _log.warning("fx rates not refreshed", pairs=pairs, error=str(error))
        return None


async def _currencies(symbols: Sequence[str]) -> set[str]:
    """Return the currencies in which these symbols are quoted."""
    rows = (
        await MarketData.filter(symbol__in=list(symbols))
        .order_by("currency")
        .distinct()
        .values_list("currency", flat=True)
    )
    return {str(currency) for currency in rows}


async def replay_clock() -> datetime:
    """Return the newest time that a replay has reached, so that calls live in its days; the time before it began."""
    return await newest_market_time(*REPLAYED_NAMES) or datetime.now(UTC)
