"""
The doubt test: an account at the best and at the worst of the prices that are in doubt.

Every price in doubt has a range. Long positions are worth most at its upper end, short ones at its lower; the account
is valued at both, and at steps between where the policy asks more of a position whose share or price grows, by the same
arithmetic as everywhere. Who is short at the best is short; who is short at the worst alone may be.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

import numpy as np

from app.engine.book import Book, Instruments, Prices
from app.engine.margin import MarginReport, margin_report
from app.engine.rules import MarginRules
from app.engine.units import PRICE_LIMIT, convert
from app.margin.account import Account, DoubtfulRange, PositionLine, columns
from app.stocks.doubt import STALE_FX_SHARE, STALE_SHARE, DoubtReason

#: Parts into which the way from the worst to the best is divided where its ends need not be the extremes.
_STEPS: Final = 16
#: What stands for a price of 0, which the engine does not know: worth less than a cent below 500,000 units.
_NOTHING: Final = 1
_UNPRICED_LONG_FACTOR: Final = 3


@dataclass(frozen=True, slots=True)
class PriceRange:
    """Between what one unit is worth, in account currency in 1e-8; `high` None: no upper end is known."""

    low: int
    high: int | None
    reason: DoubtReason


@dataclass(frozen=True, slots=True, eq=False)
class AccountEnds:
    """
    An account at some of the prices that it may have.

    Attributes:
        report: one row for each step from the worst (first) to the best (last).
        has_best: False where a long position has no upper end, so that nobody can say that the account is short.
        excluded: short positions of which no price was ever known, left out.
        is_exact: whether first and last row are the extremes; else the steps between are looked at as well.
    """

    report: MarginReport
    has_best: bool
    excluded: Sequence[str]
    is_exact: bool


def ranges_of(
    account: Account, *, stale: Collection[str], unanswered: Collection[str]
) -> dict[str, PriceRange | None] | None:
    """
    Return the range of each position's price that is in doubt, by symbol; None where nobody can say yet.

    Args:
        account: as stored.
        stale: held symbols whose price, or rate, is stale.
        unanswered: symbols without a price of which a source has said often enough that it has none. Any other
            unpriced symbol was not asked yet: then nothing is known of the account.
    """
    ranges: dict[str, PriceRange | None] = {}
    for line in account.held:
        if not line.account_price:
            if line.symbol not in unanswered:
                return None
            ranges[line.symbol] = unpriced_range(line.quantity, [line.cost])
        elif line.doubt or line.rate_doubt or line.symbol in stale:
            ranges[line.symbol] = _range_of(line, is_stale=line.symbol in stale)
    return ranges


def _range_of(line: PositionLine, *, is_stale: bool) -> PriceRange:
    """Return the range of a position's price: of the price and of the rate together."""
    assert line.price is not None, "it has a price"
    assert line.fx is not None, "and a rate"
    price = _widened(line.price, line.doubt, STALE_SHARE if is_stale else None)
    is_foreign = line.rate is not None
    rate = _widened(line.fx, line.rate_doubt, STALE_FX_SHARE if is_stale and is_foreign else None)
    doubt = line.doubt or line.rate_doubt
    reason = doubt.reason if doubt else DoubtReason.STALE
    low, high = convert(price[0], rate[0]), convert(price[1], rate[1])
    return PriceRange(max(low, _NOTHING), min(max(high, _NOTHING), PRICE_LIMIT - 1), reason)


def _widened(value: int, doubt: DoubtfulRange | None, share: Decimal | None) -> tuple[int, int]:
    """Return the ends of a value's range: its doubt's, and so much each way where it is stale."""
    low, high = (doubt.low, doubt.high) if doubt else (value, value)
    if share is not None:
        low, high = min(low, int(value * (1 - share))), max(high, int(value * (1 + share)))
    return low, high


def unpriced_range(quantity: int, known: Sequence[int | None]) -> PriceRange | None:
    """
    Return the range of a position without a price: of a long one from 0 to three times, of a short one to 1.5 times.

    Args:
        quantity: its sign says which side.
        known: account-currency prices in 1e-8 that were ever seen of it: the last one, traded, cost; None = not known.

    Returns:
        None for a short position of which nothing is known.
    """
    most = max((price for price in known if price), default=None)
    if quantity > 0:
        high = None if most is None else min(most * _UNPRICED_LONG_FACTOR, PRICE_LIMIT - 1)
        return PriceRange(_NOTHING, high, DoubtReason.UNPRICED)
    if most is None:
        return None
    return PriceRange(most, min(most * 3 // 2, PRICE_LIMIT - 1), DoubtReason.UNPRICED)


def at_ends(account: Account, ranges: Mapping[str, PriceRange | None], rules: MarginRules) -> AccountEnds:
    """
    Return an account at the ends of the ranges of its prices.

    Cost: one valuation of two rows, of 17 where the policy looks at shares or at steps of prices.

    Args:
        account: as stored.
        ranges: by symbol of a held position whose price is in doubt; None leaves the position out.
        rules: of the policy.
    """
    excluded = [symbol for symbol, bounds in ranges.items() if bounds is None]
    kept = replace(account, lines=tuple(line for line in account.held if line.symbol not in excluded))
    is_exact = not _may_turn(rules)
    steps = np.linspace(0.0, 1.0, 2 if is_exact else _STEPS + 1)
    has_best = all(bounds is None or bounds.high is not None for bounds in ranges.values())
    prices = np.array([_prices(line, ranges.get(line.symbol), steps) for line in kept.lines], np.int64)
    report = margin_report(*_repeated(kept, prices.reshape(len(kept.lines), len(steps))), rules, threads=1)
    return AccountEnds(report, has_best, excluded, is_exact)


def _may_turn(rules: MarginRules) -> bool:
    """Return whether value less requirement need not rise with a price: shares of a portfolio, or steps, count."""
    sides = [side for layer in (rules.exchange, rules.house) if layer for side in (layer.long, layer.short) if side]
    return rules.concentration is not None or any(side.steps for side in sides)


def _prices(line: PositionLine, bounds: PriceRange | None, steps: np.ndarray) -> list[int]:
    """Return a position's price at each step from the worst to the best."""
    if bounds is None:
        return [line.account_price] * len(steps)
    high = bounds.low if bounds.high is None else bounds.high
    worst, best = (bounds.low, high) if line.quantity > 0 else (high, bounds.low)
    inner = [worst + round((best - worst) * float(step)) for step in steps[1:-1]]
    return [max(price, _NOTHING) for price in (worst, *inner, best)]


def _repeated(account: Account, prices: np.ndarray) -> tuple[Book, Prices, Instruments]:
    """Return the account once for each column of prices, as a book whose positions have symbols of their own."""
    book, _, _, instruments = columns(account)
    positions, times = prices.shape
    repeated = Book(
        client_ids=np.arange(times, dtype=np.int64),
        offsets=np.arange(times + 1, dtype=np.int64) * positions,
        symbol_index=np.arange(times * positions, dtype=np.int32),
        quantity=np.tile(book.quantity, times),
        loan=np.repeat(book.loan, times),
        client_rate=np.repeat(book.client_rate, times),
        symbols=book.symbols * times,
    )
    kinds = Instruments(
        leverage=np.tile(instruments.leverage, times),
        marginable=np.tile(instruments.marginable, times),
        house_rate=np.tile(instruments.house_rate, times),
        is_stock=np.tile(instruments.is_stock, times),
    )
    return repeated, Prices(np.ascontiguousarray(prices.T).reshape(-1), account.usd_rate), kinds
