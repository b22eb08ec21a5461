"""
How a shortfall was met: its relief since the call opened, taken apart by what brought it.

The client's account is changed step by step from what it was to what it is, and the excess computed after each step by
the one margin arithmetic: first today's rules, then today's prices, then securities that came in or went out, then
trades, then cash. What a step adds to the excess is the relief by that manner.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

from app.database import sql
from app.engine.margin import margin_report
from app.engine.rules import MarginRules
from app.engine.units import MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE, convert, nearest
from app.margin.account import Account, PositionLine, columns, load_accounts
from app.margin_calls.shortfalls import excesses
from app.margin_calls.types import Call
from app.models import CallType

#: What gave less than this share of the relief is not named.
_LEAST_SHARE: Final = Decimal("0.01")

_SINCE: Final = """
select m.id, m.snapshot,
       (select coalesce(jsonb_agg(jsonb_build_object('at', a.at, 'symbol', a.entity_id, 'trade', a.after -> 'trade')
                                  order by a.id), '[]')
        from audit_entry a
        where a.client_id = m.client_id and a.id > m.audit_id and a.entity = 'position' and a.action = 'trade'
       ) as trades
from margin_call m where m.id = any($1::bigint[])
"""
_SPLITS: Final = """
select symbol, numerator, denominator, applied_at from split
where symbol = any($1::text[]) and applied_at > $2 order by symbol, ex_date
"""


class Manner(StrEnum):
    """What met a call."""

    RULE_CHANGE = "rule_change"
    APPRECIATION = "appreciation"
    SECURITIES = "securities"
    SALE = "sale"
    DEPOSIT = "deposit"


#: What the client or the desk did, unlike what the market or the firm did.
ACTS: Final = frozenset({Manner.SECURITIES, Manner.SALE, Manner.DEPOSIT})


@dataclass(frozen=True, slots=True)
class AttributedTrade:
    """A trade since the call opened: millionths in today's shares, and what the loan grew by, in cents."""

    symbol: str
    quantity: int
    cost: int


@dataclass(frozen=True, slots=True)
class Opening:
    """The account on which the call was opened: loan in cents, and by symbol millionths and account price in 1e-8."""

    loan: int
    held: Mapping[str, tuple[int, int]]


async def manners(
    calls: Mapping[int, tuple[Call, Account]], *, rules: MarginRules, base_currency: str
) -> dict[int, list[Manner]]:
    """
    Return what relieved each call since it opened, the most effective first, by the call's id.

    `calls` come with their clients' accounts as they are now. Cost: two statements, another for each client that sold
    something out, and less than a millisecond of arithmetic for each call.
    """
    if not calls:
        return {}
    rows = await sql.rows(_SINCE, list(calls))
    since = [_Since(row["id"], json.loads(row["snapshot"]), json.loads(row["trades"])) for row in rows]
    splits = await _splits(set().union(*(one.symbols for one in since)), since=min(one.at for one in since))
    found = {}
    for one in since:
        call, account = calls[one.call_id]
        account = await _with_lines(account, one.symbols, base_currency=base_currency)
        trades = [_trade(trade, splits) for trade in one.trades]
        found[call.id] = ranked(attribute_relief(call, _opening(one.snapshot, splits), trades, account, rules))
    return found


@dataclass(frozen=True, slots=True)
class _Since:
    """What a call opened on, and the trades since."""

    call_id: int
    snapshot: Mapping[str, Any]
    trades: Sequence[Mapping[str, Any]]

    @property
    def at(self) -> datetime:
        """When the snapshot was taken."""
        return datetime.fromisoformat(self.snapshot["timestamp"])

    @property
    def symbols(self) -> set[str]:
        """What was held then, or traded since."""
        held = {position["symbol"] for position in self.snapshot["positions"]}
        return held | {trade["symbol"] for trade in self.trades}


async def _with_lines(account: Account, symbols: set[str], *, base_currency: str) -> Account:
    """Return the account with a line for each of these symbols, also for those that are held no more."""
    missing = symbols - {line.symbol for line in account.lines}
    if not missing:
        return account
    further = sorted(missing)
    loaded = await load_accounts([account.client_id], base_currency=base_currency, further=further)
    return loaded[account.client_id]


def ranked(relief_by: Mapping[Manner, int]) -> list[Manner]:
    """Return the manners that count, the most effective first."""
    total = sum(cents for cents in relief_by.values() if cents > 0)
    counted = [manner for manner, cents in relief_by.items() if cents > 0 and cents >= _LEAST_SHARE * total]
    return sorted(counted, key=lambda manner: -relief_by[manner])


def attribute_relief(
    call: Call, opening: Opening, trades: Sequence[AttributedTrade], account: Account, rules: MarginRules
) -> dict[Manner, int]:
    """
    Return what each manner added to the excess since the call opened, in cents; below 0 it took away.

    Args:
        call: its `amount` is the shortfall on `opening`.
        opening: what the account was.
        trades: what was traded since.
        account: what the account is, with a line for every symbol of `opening` and `trades`.
        rules: today's.
    """
    traded: dict[str, int] = {}
    for trade in trades:
        traded[trade.symbol] = traded.get(trade.symbol, 0) + trade.quantity
    spent = sum(trade.cost for trade in trades)
    before = {line.symbol: opening.held.get(line.symbol, (0, 0)) for line in account.lines}
    held = {symbol: quantity for symbol, (quantity, _) in before.items()}
    brought = {line.symbol: line.quantity - traded.get(line.symbol, 0) for line in account.lines}
    stages = [
        replace(account, loan=opening.loan, lines=tuple(_at(line, *before[line.symbol]) for line in account.lines)),
        _holding(account, held, loan=opening.loan),
        _holding(account, brought, loan=opening.loan),
        replace(account, loan=opening.loan + spent),
        account,
    ]
    excess = [-int(call.amount * MONEY_SCALE), *(_excess(stage, call.type, rules) for stage in stages)]
    return {manner: after - earlier for manner, (earlier, after) in zip(Manner, pairwise(excess), strict=True)}


def _excess(account: Account, kind: CallType, rules: MarginRules) -> int:
    """Return net equity less what this kind of call requires; an account without figures has none."""
    book, prices, _, instruments = columns(account)
    report = margin_report(book, prices, instruments, rules, threads=1)
    found = int(excesses(report)[kind][0])
    return found if abs(found) < 1 << 62 else int(report.net_equity[0]) if report.complete[0] else 0


def _holding(account: Account, held: Mapping[str, int], *, loan: int) -> Account:
    """Return the account with other quantities."""
    lines = tuple(replace(line, quantity=held[line.symbol]) for line in account.lines)
    return replace(account, loan=loan, lines=lines)


def _at(line: PositionLine, quantity: int, price: int) -> PositionLine:
    """Return the line with another quantity, at another price in account currency; 0 = today's."""
    return replace(line, quantity=quantity) if not price else replace(line, quantity=quantity, price=price, fx=_ONE)


_ONE: Final = PRICE_SCALE


@dataclass(frozen=True, slots=True)
class _SplitFactor:
    """Shares that one became, and since when."""

    symbol: str
    factor: Decimal
    applied_at: datetime


async def _splits(symbols: set[str], *, since: datetime) -> list[_SplitFactor]:
    rows = await sql.rows(_SPLITS, sorted(symbols), since)
    return [_SplitFactor(row["symbol"], row["numerator"] / row["denominator"], row["applied_at"]) for row in rows]


def _factor(splits: Sequence[_SplitFactor], symbol: str, since: datetime) -> Decimal:
    """Return how many of today's shares one share of that time became."""
    factor = Decimal(1)
    for split in splits:
        if split.symbol == symbol and split.applied_at > since:
            factor *= split.factor
    return factor


def _opening(snapshot: Mapping[str, Any], splits: Sequence[_SplitFactor]) -> Opening:
    """Return the account of a snapshot, in today's shares."""
    since = datetime.fromisoformat(snapshot["timestamp"])
    held = {}
    for position in snapshot["positions"]:
        factor = _factor(splits, position["symbol"], since)
        quantity = nearest(Decimal(position["quantity"]) * factor, QUANTITY_SCALE)
        price = convert(nearest(Decimal(position["price"]), PRICE_SCALE), nearest(Decimal(position["fx"]), PRICE_SCALE))
        held[position["symbol"]] = (quantity, nearest(Decimal(price) / factor, 1))
    return Opening(nearest(Decimal(snapshot["loan_amount"]), MONEY_SCALE), held)


def _trade(row: Mapping[str, Any], splits: Sequence[_SplitFactor]) -> AttributedTrade:
    """Return a trade of the audit trail, in today's shares."""
    quantity, price, fx = (Decimal(row["trade"][name]) for name in ("quantity", "price", "fx"))
    factor = _factor(splits, row["symbol"], datetime.fromisoformat(row["at"]))
    cost = nearest(quantity * price * fx, MONEY_SCALE)
    return AttributedTrade(row["symbol"], nearest(quantity * factor, QUANTITY_SCALE), cost)
