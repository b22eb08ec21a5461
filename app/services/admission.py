"""Puts the price gate between a source and the stored prices, which it reads and locks."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog
from tortoise import connections

from app.providers.base import Quote, Refusal, Split
from app.services import price_gate
from app.services.price_gate import Decision, Held, Known, Pending, Used

_KNOWN: Final = """
select symbol, current_price, currency, "timestamp", source,
       pending_price, pending_time, pending_fetched_at, pending_since
from market_data where symbol = any($1::text[]) order by symbol for update
"""
_HOLD: Final = """
update market_data m set pending_price = q.price, pending_time = q.market_time,
    pending_fetched_at = q.fetched_at, pending_since = q.since
from unnest($1::text[], $2::numeric[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[])
    as q(symbol, price, market_time, fetched_at, since)
where m.symbol = q.symbol
"""
_RELEASE: Final = """
update market_data set pending_price = null, pending_time = null, pending_fetched_at = null, pending_since = null
where symbol = any($1::text[])
"""
#: A split may explain what a second answer confirmed, once the source reports it.
_REMEMBER: Final = """
update market_data set jumped_from = current_price, jumped_at = "timestamp" where symbol = any($1::text[])
"""
#: Symbols that a log line names.
_MOST_NAMED: Final = 10

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Admitted:
    """What the gate said of some quotes."""

    used: list[Quote] = field(default_factory=list)
    #: To be applied in the transaction that stores `used`.
    splits: list[Split] = field(default_factory=list)
    #: Not decided: the source has to be asked for splits since that moment first.
    suspects: dict[Quote, datetime] = field(default_factory=dict)


async def admit(quotes: Sequence[Quote], *, splits: Mapping[str, Sequence[Split] | None]) -> Admitted:
    """
    Pass quotes through the gate; call in the transaction that stores what passes.

    Stored prices stay locked until it ends, so that answers which come in at once, on any worker, are judged one after
    the other. What waits is written; what is refused is counted.

    Args:
        quotes: one for each symbol.
        splits: what the source said of splits, by symbol, None where it could not say; a suspect that is not among
            them comes back undecided.
    """
    known = await _known([quote.symbol for quote in quotes])
    admitted = Admitted()
    decisions: dict[Quote, Decision] = {}
    limit = price_gate.jump_limit()
    for quote in quotes:
        stored = known.get(quote.symbol)
        if quote.symbol in splits or not price_gate.may_be_split(quote, stored, jump_limit=limit):
            answer = splits.get(quote.symbol, ())
            decisions[quote] = price_gate.decide(quote, stored, splits=answer, jump_limit=limit)
        elif stored is not None:
            admitted.suspects[quote] = stored.market_time
    for quote, decision in decisions.items():
        if isinstance(decision, Used):
            admitted.used.append(quote)
            admitted.splits += decision.splits
    await _keep(decisions, known)
    refused({quote.symbol: reason for quote, decision in decisions.items() if (reason := _reason(decision))})
    return admitted


def refuse_splits(admitted: Admitted, symbols: Collection[str]) -> None:
    """Do not use prices that come with a split which cannot be applied: old units have the old price."""
    admitted.used = [quote for quote in admitted.used if quote.symbol not in symbols]
    refused(dict.fromkeys(symbols, Refusal.SPLIT))


def refused(reasons: Mapping[str, Refusal]) -> None:
    """Count answers that were not used, by symbol, and say so."""
    price_gate.count(reasons.values())
    for reason in sorted(set(reasons.values()) - {Refusal.OLDER}):  # answers overtake each other every day
        symbols = sorted(symbol for symbol in reasons if reasons[symbol] is reason)
        _log.warning("prices not used", reason=reason.value, symbols=symbols[:_MOST_NAMED], count=len(symbols))


def _reason(decision: Decision) -> Refusal | None:
    match decision:
        case Used():
            return None
        case Held():
            return Refusal.JUMP
    return decision


async def _known(symbols: Iterable[str]) -> dict[str, Known]:
    """Return what is stored of symbols, and lock it, always in the same order."""
    rows = await connections.get("default").execute_query_dict(_KNOWN, [list(symbols)])
    return {row["symbol"]: _known_of(row) for row in rows}


def _known_of(row: Mapping[str, Any]) -> Known:
    pending = None
    if row["pending_price"] is not None:
        pending = Pending(
            row["pending_price"], row["pending_time"], fetched_at=row["pending_fetched_at"], since=row["pending_since"]
        )
    return Known(row["current_price"], row["currency"], row["timestamp"], row["source"], pending)


async def _keep(decisions: Mapping[Quote, Decision], known: Mapping[str, Known]) -> None:
    """Write what waits, forget what waited for symbols whose price is used, and remember what nothing explains."""
    held = [(quote.symbol, decision.pending) for quote, decision in decisions.items() if isinstance(decision, Held)]
    if held:
        rows = [(symbol, wait.price, wait.market_time, wait.fetched_at, wait.since) for symbol, wait in held]
        columns = [list(column) for column in zip(*rows, strict=True)]
        await connections.get("default").execute_query(_HOLD, columns)
    used = {quote: decision for quote, decision in decisions.items() if isinstance(decision, Used)}
    waited = {quote: known[quote.symbol] for quote in used if quote.symbol in known and known[quote.symbol].pending}
    if waited:
        await connections.get("default").execute_query(_RELEASE, [[quote.symbol for quote in waited]])
    jumped = [quote.symbol for quote, stored in waited.items() if not used[quote].splits and _jumps(quote, stored)]
    if jumped:
        await connections.get("default").execute_query(_REMEMBER, [jumped])


def _jumps(quote: Quote, stored: Known) -> bool:
    return price_gate.is_jump(quote.price, stored.price, jump_limit=price_gate.jump_limit())
