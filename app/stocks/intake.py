"""Stores prices: judged by the gate, with the splits that they bring, in one transaction."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import structlog
from tortoise.transactions import in_transaction

from app.audit import recorder
from app.core import metrics
from app.corporate_actions import service as corporate_actions_service
from app.database import sql
from app.providers.registry import PLACEHOLDER_NAMES
from app.providers.types import Quote, QuoteBatch, Refusal, ShareSplit
from app.stocks import doubt_store, gate
from app.stocks.doubt import DoubtReason
from app.stocks.types import PendingPrice, PriceFeed, StoredPrice, Verdicts

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
#: What a source repeats while nothing is traded; the time of its answer is not part of it.
_STATED: Final = ", ".join(f'q."{name}"' for name in _COLUMNS if name not in {"symbol", "fetched_at"})
_STORED_STATED: Final = _STATED.replace("q.", "m.")
_NAMES: Final = ", ".join(f'"{name}"' for name in _COLUMNS)
_ARRAYS: Final = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_COLUMNS.values(), start=1))
#: Behind the columns: names of sources whose prices give way to every other source's.
_PLACEHOLDERS: Final = f"${len(_COLUMNS) + 1}::text[]"
_UPDATES: Final = ", ".join(f'"{name}" = excluded."{name}"' for name in _COLUMNS if name != "symbol")
#: Symbols whose quote repeats what is stored.
_UNCHANGED: Final = f"""
select q.symbol from unnest({_ARRAYS}) as q({_NAMES}) join market_data m using (symbol)
where m.pending_price is null and m.absent_count = 0
    and ({_STORED_STATED}) is not distinct from ({_STATED})
"""  # noqa: S608 - column names of ours, no input
#: The gate has decided; the age counts here where two first quotes of a symbol meet. `book_change` lists the symbols
#: whose value changed, for every resident book.
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
    on conflict (symbol) do update set {_UPDATES}, absent_count = 0, absent_since = null
    where excluded."timestamp" >= market_data."timestamp" or market_data.source = any({_PLACEHOLDERS})
        or (excluded.source <> market_data.source and excluded.source <> all({_PLACEHOLDERS}))
    returning symbol
), change as (
    insert into book_change (xid, at, client_ids, symbols)
    select pg_current_xact_id()::text::bigint, clock_timestamp(), '[]', jsonb_agg(symbol order by symbol)
    from stored join moved using (symbol)
    having count(*) > 0
    returning id
)
select pg_notify('book', '') from change
"""  # noqa: S608 - column names of ours, no input
_LOCK_STORED: Final = """
select m.symbol, current_price, m.currency, "timestamp", source, m.name, m.quote_type, previous_close,
       pending_price, pending_time, pending_fetched_at, pending_since, pending_reason, pending_currency,
       doubt_reason, doubt_low, doubt_high, doubt_since, doubt_undoubted, doubt_answers, doubt_no_split,
       coalesce((select leverage from instrument i where i.symbol = m.symbol), 1) as leverage,
       doubt_reason is not null and exists (
           select from position p join margin_call c on c.client_id = p.client_id
           where p.symbol = m.symbol and c.closed_at is null and c.state <> 'unconfirmed'
       ) as has_calls
from market_data m where m.symbol = any($1::text[]) order by m.symbol for update of m
"""
_HOLD: Final = """
update market_data m set pending_price = q.price, pending_time = q.market_time,
    pending_fetched_at = q.fetched_at, pending_since = q.since, pending_reason = q.reason,
    pending_currency = q.currency
from unnest($1::text[], $2::numeric[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[])
    as q(symbol, price, market_time, fetched_at, since, reason, currency)
where m.symbol = q.symbol
"""
_RELEASE: Final = """
update market_data set pending_price = null, pending_time = null, pending_fetched_at = null, pending_since = null,
    pending_reason = null, pending_currency = null
where symbol = any($1::text[])
"""
#: A split may explain what a second answer confirmed, once the source reports it.
_REMEMBER: Final = """
update market_data set jumped_from = current_price, jumped_at = "timestamp" where symbol = any($1::text[])
"""
#: Symbols that a log line names.
_MOST_NAMED: Final = 10

_log = structlog.get_logger(__name__)


async def store_batch(batch: QuoteBatch, *, feed: PriceFeed) -> set[str]:
    """Store a source's answer; return the symbols whose price is now the one that it gave."""
    report(batch.refused)
    return await store_quotes(batch.quotes.values(), feed=feed)


async def store_quotes(quotes: Iterable[Quote], *, feed: PriceFeed) -> set[str]:
    """
    Store the quotes that the gate accepts, as the latest and in the history; return their symbols.

    Where a price looks like that of a split, the source is asked before it is judged, outside of any transaction; the
    others do not wait for that. A split is applied to its holders in the transaction that stores the new price.
    """
    quotes = list(quotes)
    unchanged = await _unchanged(quotes)
    changed = [quote for quote in quotes if quote.symbol not in unchanged]
    used, suspects = await _admit(changed, splits={}, limits=feed)
    if suspects:
        since = {quote.symbol: moment for quote, moment in suspects.items()}
        splits = await corporate_actions_service.ask(since, provider=feed.provider)
        late, _ = await _admit(list(suspects), splits=splits, limits=feed)
        used |= late
    return unchanged | used


async def _unchanged(quotes: Sequence[Quote]) -> set[str]:
    """Return the symbols whose quote repeats what is stored: nothing to judge, lock or write."""
    if not quotes:
        return set()
    rows = await sql.rows(_UNCHANGED, *_columns(quotes))
    return {row["symbol"] for row in rows}


async def _admit(
    quotes: Sequence[Quote], *, splits: Mapping[str, Sequence[ShareSplit] | None], limits: PriceFeed
) -> tuple[set[str], Mapping[Quote, datetime]]:
    """
    Judge quotes and store what passes, in one transaction; return the symbols used, and what is not decided.

    Stored prices stay locked until it ends, so that answers which come in at once, on any worker, are judged one after
    the other. A price that comes with a split which cannot be applied is not used: old units have the old price.
    """
    if not quotes:
        return set(), {}
    async with in_transaction():
        verdicts = gate.judge(quotes, await _locked(quotes), splits=splits, limits=limits)
        applied = await corporate_actions_service.apply_all(verdicts.splits)
        used = [quote for quote in verdicts.used if quote.symbol not in applied.failed]
        await _write(verdicts, used)
        if applied.changes:
            await recorder.record(*applied.changes, actor=recorder.SYSTEM, touches=applied.touches)
    report({**verdicts.refused, **dict.fromkeys(applied.failed, Refusal.SPLIT)})
    return {quote.symbol for quote in used}, verdicts.suspects


async def _locked(quotes: Iterable[Quote]) -> dict[str, StoredPrice]:
    """Return what is stored of the quotes' symbols, and lock it, always in the same order."""
    symbols = [quote.symbol for quote in quotes]
    rows = await sql.rows(_LOCK_STORED, symbols)
    return {row["symbol"]: _stored_of(row) for row in rows}


def _stored_of(row: Mapping[str, Any]) -> StoredPrice:
    pending = None
    if row["pending_price"] is not None:
        pending = PendingPrice(
            row["pending_price"],
            row["pending_time"],
            fetched_at=row["pending_fetched_at"],
            since=row["pending_since"],
            reason=DoubtReason(row["pending_reason"] or DoubtReason.JUMP),
            currency=row["pending_currency"],
        )
    return StoredPrice(
        row["current_price"],
        row["currency"],
        row["timestamp"],
        row["source"],
        pending,
        name=row["name"],
        kind=row["quote_type"],
        previous_close=row["previous_close"],
        doubt=doubt_store.doubt_of(row),
        leverage=row["leverage"],
        has_calls=row["has_calls"],
    )


async def _write(verdicts: Verdicts, used: Sequence[Quote]) -> None:
    """Write pending prices, delete those that are settled, remember unexplained jumps, and store what is used."""
    if verdicts.held:
        rows = [
            (symbol, wait.price, wait.market_time, wait.fetched_at, wait.since, wait.reason.value, wait.currency)
            for symbol, wait in verdicts.held.items()
        ]
        await sql.run(_HOLD, *(list(column) for column in zip(*rows, strict=True)))
    if verdicts.released:
        await sql.run(_RELEASE, list(verdicts.released))
    if verdicts.jumped:
        await sql.run(_REMEMBER, list(verdicts.jumped))
    if used:
        await sql.run(_STORE, *_columns(used), list(PLACEHOLDER_NAMES))
    if verdicts.doubts:
        await doubt_store.write_doubts(verdicts.doubts)
    await corporate_actions_service.add_pending(verdicts.actions)


def report(reasons: Mapping[str, Refusal]) -> None:
    """Count prices that are not used by reason, and log them."""
    for reason, times in Counter(reasons.values()).items():
        metrics.count_refused(reason, times)
    for reason in sorted(set(reasons.values()) - {Refusal.OLDER}):  # answers overtake each other every day
        symbols = sorted(symbol for symbol in reasons if reasons[symbol] is reason)
        _log.warning("prices not used", reason=reason.value, symbols=symbols[:_MOST_NAMED], count=len(symbols))


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


for _refusal in Refusal:
    metrics.count_refused(_refusal, 0)  # 0 says more than nothing
