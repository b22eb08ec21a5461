"""Prices on their way into the tables: through the gate, with the splits that they bring, in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from tortoise import connections
from tortoise.transactions import in_transaction

from app.providers.base import PriceProvider, Quote, QuoteBatch, Split
from app.services import admission
from app.services import splits as splits_service
from app.services.admission import Admitted

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
#: What a source says again and again while nothing is traded; when it says so is no news.
_SAID: Final = ", ".join(f'q."{name}"' for name in _COLUMNS if name not in {"symbol", "fetched_at"})
_STORED_SAID: Final = _SAID.replace("q.", "m.")
_NAMES: Final = ", ".join(f'"{name}"' for name in _COLUMNS)
_ARRAYS: Final = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_COLUMNS.values(), start=1))
_UPDATES: Final = ", ".join(f'"{name}" = excluded."{name}"' for name in _COLUMNS if name != "symbol")
#: Symbols of which a source says nothing new.
_UNCHANGED: Final = f"""
select q.symbol from unnest({_ARRAYS}) as q({_NAMES}) join market_data m using (symbol)
where m.pending_price is null
    and ({_STORED_SAID}) is not distinct from ({_SAID})
"""  # noqa: S608 - column names of ours, no input
#: The gate has decided; the age counts here where two first quotes of a symbol meet. Whoever holds a copy of the book
#: is told which symbols it values differently now.
_STORE: Final = f"""
with quote as (
    select * from unnest({_ARRAYS}) as q({_NAMES}) order by symbol
), history as (
    insert into price_history (symbol, price, currency, "timestamp", source)
    select symbol, current_price, currency, "timestamp", source from quote
    on conflict (symbol, "timestamp") do nothing
), moved as (
    select q.symbol from quote q left join market_data m using (symbol)
    where (m.current_price, m.currency, m.quote_type) is distinct from (q.current_price, q.currency, q.quote_type)
), known as (
    insert into instrument (symbol, name, currency, quote_type, updated_at)
    select symbol, q.name, q.currency, q.quote_type, now() from quote q left join instrument i using (symbol)
    where symbol not like '%=X' and (
        i.id is null or (i.name, i.currency, i.quote_type) is distinct from
            (coalesce(q.name, i.name), q.currency, coalesce(q.quote_type, i.quote_type))
    )
    on conflict (symbol) do update set
        name = coalesce(excluded.name, instrument.name), currency = excluded.currency,
        quote_type = coalesce(excluded.quote_type, instrument.quote_type), updated_at = excluded.updated_at
), stored as (
    insert into market_data ({_NAMES}) select {_NAMES} from quote
    on conflict (symbol) do update set {_UPDATES}
    where excluded."timestamp" >= market_data."timestamp" or market_data.source = 'sample'
        or (excluded.source <> market_data.source and excluded.source <> 'sample')
    returning symbol
), change as (
    insert into book_change (xid, at, client_ids, symbols)
    select pg_current_xact_id()::text::bigint, clock_timestamp(), '[]', jsonb_agg(symbol)
    from stored join moved using (symbol)
    having count(*) > 0
    returning id
)
select pg_notify('book', '') from change
"""  # noqa: S608 - column names of ours, no input


async def store_batch(batch: QuoteBatch, *, provider: PriceProvider) -> set[str]:
    """Store a source's answer; return the symbols whose price is now the one that it gave."""
    if batch.refused:
        admission.refused(batch.refused)
    return await store_quotes(batch.quotes.values(), provider=provider)


async def store_quotes(quotes: Iterable[Quote], *, provider: PriceProvider | None = None) -> set[str]:
    """
    Store what the gate lets pass as the latest of their symbols and in the history; return those symbols.

    Where a price looks like that of a split, `provider` is asked before it is judged, outside of any transaction; the
    others do not wait for that. A split is applied to its holders in the transaction that stores the new price.
    """
    quotes = list(quotes)
    used = await _unchanged(quotes)
    admitted = await _pass_gate([quote for quote in quotes if quote.symbol not in used], splits={})
    used |= {quote.symbol for quote in admitted.used}
    if admitted.suspects:
        since = {quote.symbol: moment for quote, moment in admitted.suspects.items()}
        suspects = list(admitted.suspects)
        splits = await splits_service.ask(since, provider=provider)
        used |= {quote.symbol for quote in (await _pass_gate(suspects, splits=splits)).used}
    return used


async def _unchanged(quotes: Sequence[Quote]) -> set[str]:
    """Return the symbols whose quote is what is stored already: nothing to judge, lock or write."""
    if not quotes:
        return set()
    rows = await connections.get("default").execute_query_dict(_UNCHANGED, _columns(quotes))
    return {row["symbol"] for row in rows}


async def _pass_gate(quotes: Sequence[Quote], *, splits: Mapping[str, Sequence[Split] | None]) -> Admitted:
    """Judge quotes and store what passes, in one transaction."""
    if not quotes:
        return Admitted()
    async with in_transaction():
        admitted = await admission.admit(quotes, splits=splits)
        applied, failed = await splits_service.apply_all(admitted.splits)
        admission.refuse_splits(admitted, failed)
        if admitted.used:
            await connections.get("default").execute_query(_STORE, _columns(admitted.used))
        if applied:
            await splits_service.record(applied)
    return admitted


def _columns(quotes: Iterable[Quote]) -> list[list[object]]:
    """Return quotes as the columns of `_COLUMNS`."""
    return [list(column) for column in zip(*map(_row, quotes), strict=True)]


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
