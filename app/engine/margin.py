"""The margin report: equity, requirement and shortfall of every client of a book."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from os import cpu_count
from typing import Final

import numpy as np

from app.engine.arrays import Bool, Float32, Float64, Int8, Int64
from app.engine.book import Book, Instruments, Prices
from app.engine.exact import COMPLETE, FLAT_RATE, LINE_FIGURES, TOTALS, UNDECIDED
from app.engine.float_fast_path import ESTIMATE_WIDTH, fill_estimates, fill_unit_values
from app.engine.kernel import complete_rows, estimate_rows
from app.engine.rules import MarginRules, PackedRules
from app.engine.symbol_terms import CENTS_PER_UNIT, symbol_terms

PARALLEL_POSITIONS: Final = 100_000
"""Fewer positions than this are done sooner by the calling thread than handed out."""
SHARES_PER_THREAD: Final = 16
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
        exchange_code: (P,) bits of `symbol_terms.BY_*`: the rules that gave the rate.
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

    A missing price leaves exactly the rows of its holders without figures; it never counts as a price of 0.
    Cost: O(P + S + C) time, ten columns of C rows, on `threads` threads (default: one a core) where the book is large.
    The result does not depend on them.
    """
    return revalue_into(new_results(book), book, prices, instruments, rules, threads=threads)


def position_report(
    book: Book, prices: Prices, instruments: Instruments, rules: MarginRules
) -> tuple[MarginReport, PositionReport]:
    """Compute the margin report together with the figures of every position, by the same arithmetic."""
    lines = np.empty((LINE_FIGURES, len(book.quantity)), np.int64)
    status, totals, _ = new_results(book)
    report = revalue_into((status, totals, lines), book, prices, instruments, rules, threads=1)
    return report, PositionReport(*lines)


def new_results(book: Book) -> Results:
    """Return memory for a margin report: (C,) status, (TOTALS, C) money, and no figures of positions."""
    clients = len(book.client_ids)
    return np.empty(clients, np.int8), np.empty((TOTALS, clients), np.int64), np.empty((0, 0), np.int64)


def revalue_into(  # noqa: PLR0913 -- a report's inputs, its memory and a callback
    results: Results,
    book: Book,
    prices: Prices,
    instruments: Instruments,
    rules: MarginRules,
    *,
    threads: int | None,
    on_piece: Callable[[int, int], None] = lambda _first, _last: None,
) -> MarginReport:
    """
    Compute a margin report into the arrays given; a report that they held before is overwritten.

    Each piece of it is handed to `done(first, last)` by the thread that computed it, while it is still in the cache.
    """
    assert len(prices.price) == len(instruments.leverage) == len(book.symbols), "one price and one instrument a symbol"
    status, totals, lines = results
    packed = rules.packed(prices.usd_rate)
    price = usable_price(prices, packed)
    columns = (book.offsets, book.symbol_index, book.quantity, book.loan, book.client_rate, price)
    policy = (packed.numbers, packed.concentration)
    terms = cache(lambda: symbol_terms(book.symbols, price, instruments, rules, packed)[1])
    exact = cache(lambda: (unit_values(price), terms()))  # seldom needed
    estimates = None if lines.size else symbol_estimates(price, terms, packed)
    if estimates is None:
        status.fill(UNDECIDED)

    def run(first: int, last: int) -> None:
        if estimates is None or estimate_rows(
            first, last, *columns, *estimates, *policy, packed.steps_at, status, totals
        ):
            complete_rows(first, last, *columns, *exact(), *policy, status, totals, lines)
        on_piece(first, last)

    over_threads(run, book.offsets, threads)
    return MarginReport(status, *totals)


def usable_price(prices: Prices, packed: PackedRules) -> Int64:
    """Return (S,) prices that the rules can use: none, where these are in dollars and their rate is missing."""
    return prices.price if prices.usd_rate or not packed.in_dollars else np.zeros_like(prices.price)


def unit_values(price: Int64) -> Float64:
    """Return (S,) value in cents of a millionth of each symbol, for `exact`; NaN = price missing."""
    return np.where(price > 0, price * CENTS_PER_UNIT, np.nan)


def symbol_estimates(
    price: Int64, terms: Callable[[], Int64], packed: PackedRules
) -> tuple[Float64, Float32, Float64] | None:
    """
    Return what estimates read of each symbol: its unit value, rates and floors; None where nothing can be estimated.

    Their shapes are (S, 2), (S, 2, ESTIMATE_WIDTH) and (S, 2, 2). A policy of one rate needs unit values only.
    """
    symbols = len(price) if packed.numbers[FLAT_RATE] < 0 else 0
    rates, floors = np.empty((symbols, 2, ESTIMATE_WIDTH), np.float32), np.empty((symbols, 2, 2))
    if symbols and not fill_estimates(price, terms(), packed.numbers, packed.concentration, rates, floors):
        return None
    unit_value = np.empty((len(price), 2))
    fill_unit_values(price, unit_value)
    return unit_value, rates, floors


def over_threads(run: Callable[[int, int], None], offsets: Int64, threads: int | None) -> None:
    """
    Run `run(first, last)` over all clients, in pieces of about the same number of positions.

    The calling thread is one of the threads, since it takes a while until another one runs. The others live for one
    call: nothing is shared between callers, and nothing has to survive a fork.
    """
    clients, positions = len(offsets) - 1, int(offsets[-1])
    threads = 1 if positions < PARALLEL_POSITIONS else threads or cpu_count() or 1
    if threads == 1:
        run(0, clients)
        return
    cuts = np.linspace(0, positions, threads * SHARES_PER_THREAD + 1).astype(np.int64)
    edges = np.searchsorted(offsets, cuts)
    edges[-1] = clients  # who hold nothing behind the last position, too
    pieces = deque(pairwise(edges.tolist()))

    def work() -> None:
        while pieces:
            try:
                piece = pieces.popleft()
            except IndexError:  # another thread took the last
                break
            run(*piece)

    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(work) for _ in range(threads - 1)]
        work()
    for other in others:
        other.result()
