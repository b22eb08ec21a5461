"""The margin report: what every client of a book has, owes and lacks."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from os import cpu_count
from typing import Final

import numpy as np

from app.engine.arrays import Bool, Float32, Float64, Int8, Int64
from app.engine.book import Book, Instruments, Prices
from app.engine.estimate import ESTIMATE_WIDTH, fill_estimates
from app.engine.kernel import revalue
from app.engine.rows import COMPLETE, LINE_FIGURES, TOTALS
from app.engine.rules import MarginRules, PackedRules
from app.engine.terms import TERM_WIDTH, fill_terms

PARALLEL_POSITIONS: Final = 100_000
"""Fewer positions than this are done sooner by the calling thread than handed out."""
SHARES_PER_THREAD: Final = 4
"""Pieces that a thread gets on average, so that none waits long for the last."""

Results = tuple[Int8, Int64, Int64]


@dataclass(frozen=True, slots=True, eq=False)
class MarginReport:
    """
    One row a client, in the order of `book.client_ids`; all money in cents.

    A client with a status other than COMPLETE has MISSING in every column of money. A layer that asks nothing of a
    client has NOT_ASKED in its column.

    Attributes:
        status: (C,) COMPLETE; UNPRICED: a price is missing; OVER_LIMIT: gross value at least 1e12, or exchange and
            house requirement together at least 2e13, too large for exact figures.
        long_market_value: (C,) at least 0.
        short_market_value: (C,) at most 0.
        portfolio_value: (C,) long + short.
        net_equity: (C,) portfolio value - loan.
        exchange_requirement: (C,) the regulator's.
        house_requirement: (C,) the firm's.
        margin_requirement: (C,) the sum over positions of the greater of the two.
        margin_excess: (C,) net equity - margin requirement; may be negative.
        margin_shortfall: (C,) max(0, -margin excess); above 0 is a margin call.
    """

    status: Int8
    long_market_value: Int64
    short_market_value: Int64
    portfolio_value: Int64
    net_equity: Int64
    exchange_requirement: Int64
    house_requirement: Int64
    margin_requirement: Int64
    margin_excess: Int64
    margin_shortfall: Int64

    @property
    def complete(self) -> Bool:
        """(C,) whether the client's figures are there."""
        return np.equal(self.status, COMPLETE)


@dataclass(frozen=True, slots=True, eq=False)
class PositionReport:
    """
    One row a position, in the order of the book; the sums of a client's rows are its row of the margin report.

    Rows of a client that is not complete are MISSING in every column.

    Attributes:
        market_value: (P,) cents, with the sign of the quantity.
        exchange_requirement: (P,) cents, or NOT_ASKED.
        house_requirement: (P,) cents, or NOT_ASKED.
        margin_requirement: (P,) cents, the greater of the two, 0 where neither asks.
        exchange_rate: (P,) share of the value that the layer asks, in 1e-4; -1 = it asks nothing.
        house_rate: (P,) likewise.
        exchange_code: (P,) bits of `terms.BY_*`: the rules that gave the rate.
        house_code: (P,) likewise.
    """

    market_value: Int64
    exchange_requirement: Int64
    house_requirement: Int64
    margin_requirement: Int64
    exchange_rate: Int64
    house_rate: Int64
    exchange_code: Int64
    house_code: Int64


def margin_report(
    book: Book, prices: Prices, instruments: Instruments, rules: MarginRules, *, threads: int | None = None
) -> MarginReport:
    """
    Compute value, equity, requirement and shortfall of every client.

    A missing price spoils exactly the rows of its holders; it never counts as a price of 0.
    Cost: O(P + S + C) time, ten columns of C rows, on `threads` threads (default: one a core) where the book is large.
    The result does not depend on them.
    """
    return revalued(new_results(book), book, prices, instruments, rules, threads=threads)


def position_report(
    book: Book, prices: Prices, instruments: Instruments, rules: MarginRules
) -> tuple[MarginReport, PositionReport]:
    """Compute the margin report together with the figures of every position, by the same arithmetic."""
    lines = np.empty((LINE_FIGURES, len(book.quantity)), np.int64)
    status, totals, _ = new_results(book)
    report = revalued((status, totals, lines), book, prices, instruments, rules, threads=1)
    return report, PositionReport(*lines)


def new_results(book: Book) -> Results:
    """Return room for a margin report: (C,) status, (TOTALS, C) money, and no figures of positions."""
    clients = len(book.client_ids)
    return np.empty(clients, np.int8), np.empty((TOTALS, clients), np.int64), np.empty((0, 0), np.int64)


def revalued(  # noqa: PLR0913 -- a report's inputs, its room and who waits for pieces of it
    results: Results,
    book: Book,
    prices: Prices,
    instruments: Instruments,
    rules: MarginRules,
    *,
    threads: int | None,
    done: Callable[[int, int], None] = lambda _first, _last: None,
) -> MarginReport:
    """
    Compute a margin report in the room that is given; a report that lay there before is overwritten.

    Each piece of it is handed to `done(first, last)` by the thread that computed it, while it is still in the cache.
    """
    columns = (book.offsets, book.symbol_index, book.quantity, book.loan, book.client_rate)
    packed = rules.packed(prices.usd_rate)
    price, unit, terms = symbol_terms(book, prices, instruments, rules)
    rates, floors = estimates(price, terms, packed, exact=results[2].size > 0)
    inputs = (*columns, price, unit, terms, rates, floors, packed.numbers, packed.concentration)

    def run(first: int, last: int) -> None:
        revalue(first, last, *inputs, *results)
        done(first, last)

    over_threads(run, book.offsets, threads)
    status, totals, _ = results
    return MarginReport(status, *totals)


def symbol_terms(
    book: Book, prices: Prices, instruments: Instruments, rules: MarginRules
) -> tuple[Int64, Float64, Int64]:
    """Return (S,) prices that the rules can use, (S,) cents per millionth and (S, 2, TERM_WIDTH) terms."""
    symbols = len(book.symbols)
    assert len(prices.price) == len(instruments.leverage) == symbols, "one price and one instrument a symbol"
    packed = rules.packed(prices.usd_rate)
    price = prices.price if prices.usd_rate or not packed.in_dollars else np.zeros(symbols, np.int64)
    unit, terms = np.empty(symbols), np.empty((symbols, 2, TERM_WIDTH), np.int64)
    own_long, own_short = own_rates(book.symbols, instruments.house_rate, rules)
    kinds = (instruments.leverage, instruments.marginable, own_long, own_short, instruments.is_stock)
    fill_terms(packed.layers, price, *kinds, unit, terms)
    return price, unit, terms


def estimates(price: Int64, terms: Int64, packed: PackedRules, *, exact: bool) -> tuple[Float32, Float64]:
    """Return (S, 2, ESTIMATE_WIDTH) rates and (S, 2, 2) floors for estimates; both empty where nothing is estimated."""
    symbols = 0 if exact else len(price)
    rates, floors = np.empty((symbols, 2, ESTIMATE_WIDTH), np.float32), np.empty((symbols, 2, 2))
    if symbols and not fill_estimates(price, terms, packed.numbers, packed.concentration, rates, floors):
        return rates[:0], floors[:0]
    return rates, floors


def own_rates(symbols: tuple[str, ...], house_rate: Int64, rules: MarginRules) -> tuple[Int64, Int64]:
    """Return (S,) rates of long and short positions: the greater of the desk's and the policy's own."""
    if not rules.symbol_rates:
        return house_rate, house_rate
    asks = rules.house is not None and rules.house.own_rates
    own_long = house_rate.copy() if asks else np.full_like(house_rate, -1)
    own_short = own_long.copy()
    named = {rate.symbol: rate for rate in rules.symbol_rates}
    for s, symbol in enumerate(symbols):
        if rate := named.get(symbol):
            own_long[s], own_short[s] = max(own_long[s], rate.long), max(own_short[s], rate.short)
    return own_long, own_short


def over_threads(run: Callable[[int, int], None], offsets: Int64, threads: int | None) -> None:
    """
    Run `run(first, last)` over all clients, in pieces of about the same number of positions.

    The threads live for one call: nothing is shared between callers, and nothing has to survive a fork.
    """
    clients, positions = len(offsets) - 1, int(offsets[-1])
    threads = 1 if positions < PARALLEL_POSITIONS else threads or cpu_count() or 1
    if threads == 1:
        run(0, clients)
        return
    cuts = np.linspace(0, positions, threads * SHARES_PER_THREAD + 1).astype(np.int64)
    edges = np.searchsorted(offsets, cuts)
    edges[0], edges[-1] = 0, clients
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(run, int(first), int(last)) for first, last in pairwise(edges)]:
            done.result()
