"""Stress: the same report at shocked prices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numba import types

from app.engine.arrays import INT8, INT64, Int8, Int64
from app.engine.book import Book, Instruments, Prices
from app.engine.exact import COMPLETE, EQUITY, SHORTFALL
from app.engine.exact_sum import HALF_BITS, LOW, join_sum
from app.engine.jit import kernel
from app.engine.margin import MarginReport, margin_report, new_results, revalue_into
from app.engine.rules import MarginRules
from app.engine.units import PRICE_LIMIT, RATE_SCALE

BOOK_SUMS: Final = 6


@dataclass(frozen=True, slots=True, eq=False)
class Rung:
    """The report at one shock, a fraction of today's price in 1e-4 (-2,000: a fall of 20 %)."""

    shock: int
    report: MarginReport


@dataclass(frozen=True, slots=True)
class BookRung:
    """
    Figures of the whole book at one shock.

    Attributes:
        shock: a fraction of today's price in 1e-4.
        calls: clients with a shortfall.
        margin_shortfall: their shortfalls together, in cents.
        unsecured_loss: what selling everything would leave unpaid, client by client, in cents.
        incomplete: clients without figures; they are in none of the others.
    """

    shock: int
    calls: int
    margin_shortfall: int
    unsecured_loss: int
    incomplete: int


def shocked(prices: Prices, shock: int, *, symbol: int | None = None) -> Prices:
    """
    Return all prices, or that of one symbol, moved by a fraction in 1e-4, each rounded half up to 1e-8.

    Dollars keep their rate. A missing price stays missing; no price falls to 0 (that would be a missing one) or rises
    beyond what the engine can count: it stops at the nearest price there is. `shock` > -10,000.
    """
    assert shock > -RATE_SCALE, "a price stays above 0"
    moved = _moved(prices.price, RATE_SCALE + shock)
    if symbol is None:
        return Prices(moved, prices.usd_rate)
    price = prices.price.copy()
    price[symbol] = moved[symbol]
    return Prices(price, prices.usd_rate)


def ladder(  # noqa: PLR0913 -- a report's inputs and the shocks
    book: Book,
    prices: Prices,
    instruments: Instruments,
    rules: MarginRules,
    shocks: Sequence[int],
    *,
    symbol: int | None = None,
    threads: int | None = None,
) -> Iterator[Rung]:
    """Yield the report at each shock, in their order: one revaluation and one report in memory at a time."""
    for shock in shocks:
        moved = shocked(prices, shock, symbol=symbol)
        yield Rung(shock, margin_report(book, moved, instruments, rules, threads=threads))


def book_ladder(  # noqa: PLR0913 -- a report's inputs and the shocks
    book: Book,
    prices: Prices,
    instruments: Instruments,
    rules: MarginRules,
    shocks: Sequence[int],
    *,
    symbol: int | None = None,
    threads: int | None = None,
) -> list[BookRung]:
    """Return what each shock does to the whole book: a revaluation each, in the same memory."""
    rungs, results = [], new_results(book)
    for shock in shocks:
        moved = shocked(prices, shock, symbol=symbol)
        pieces: list[tuple[int, ...]] = []
        status, totals, _ = results
        add = partial(_add_piece, status, totals[EQUITY], totals[SHORTFALL], pieces)
        revalue_into(results, book, moved, instruments, rules, threads=threads, on_piece=add)
        calls, incomplete, short_high, short_low, loss_high, loss_low = map(sum, zip(*pieces, strict=True))
        rungs.append(BookRung(shock, calls, join_sum(short_high, short_low), join_sum(loss_high, loss_low), incomplete))
    return rungs


def _add_piece(
    status: Int8, equity: Int64, shortfall: Int64, pieces: list[tuple[int, ...]], first: int, last: int
) -> None:
    """Append what these clients add up to."""
    pieces.append(add_up(status[first:last], equity[first:last], shortfall[first:last]))


@kernel(types.UniTuple(types.int64, BOOK_SUMS), INT8, INT64, INT64)  # type: ignore[no-untyped-call] # numba has no types
def add_up(status: Int8, equity: Int64, shortfall: Int64) -> tuple[int, ...]:
    """Return calls, incomplete clients, and the upper and lower 32 bits of shortfalls and of unsecured losses."""
    calls = incomplete = short_high = short_low = loss_high = loss_low = 0
    for c in range(len(status)):  # without a branch, so that it is done for several clients at a time
        complete = status[c] == COMPLETE
        lacking = shortfall[c] if complete else 0
        incomplete += not complete
        calls += lacking > 0
        short_high += lacking >> HALF_BITS
        short_low += lacking & LOW
        owing = -min(equity[c], 0) if complete else 0
        loss_high += owing >> HALF_BITS
        loss_low += owing & LOW
    return calls, incomplete, short_high, short_low, loss_high, loss_low


def unsecured_loss(report: MarginReport) -> Int64:
    """Return (C,) what selling everything would leave unpaid: max(0, -net equity), in cents; 0 where incomplete."""
    return np.where(report.complete, np.maximum(0, -np.where(report.complete, report.net_equity, 0)), 0)


def _moved(price: Int64, factor: int) -> Int64:
    """Return price x factor / 10,000, split so that no product leaves 64 bits."""
    quotient, part = np.divmod(price, RATE_SCALE)
    ceiling = PRICE_LIMIT // factor + 1  # from here on, quotient x factor exceeds the largest price
    moved = np.minimum(quotient, ceiling) * factor + (part * factor + RATE_SCALE // 2) // RATE_SCALE
    return np.where(price == 0, 0, np.clip(moved, 1, PRICE_LIMIT))
