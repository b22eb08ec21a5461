"""How far clients are from a call, or in a call from its end, under parallel and single-name shocks."""

from dataclasses import dataclass

import numpy as np

from app.engine.arrays import Float64, Int64
from app.engine.book import Book, Instruments, Prices
from app.engine.boundary_search import NOWHERE
from app.engine.margin import margin_report, over_threads, usable_price
from app.engine.parallel_shock import RESULTS, TODAY, fill_distances
from app.engine.quotes import Quotes
from app.engine.rules import MarginRules
from app.engine.single_name_shock import RESULTS as TRIGGERS
from app.engine.single_name_shock import fill_triggers
from app.engine.symbol_terms import symbol_terms

MarketColumns = tuple[Int64, Int64, Int64, Int64, Int64, Int64]


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """
    One row a client: the nearest boundary each way under a parallel shock.

    Out of a call the boundary is where shortfall begins, in a call where it ends. Shocked prices are as in
    `stress.shocked`: price x (1 - drop) or price x (1 + rise), each rounded half up to 1e-8 and never below that.
    Distances are counted in steps of 1e-8 of today's prices, and each is the first step, counted from today, at which
    `margin_report` of the shocked prices has the other state: at the step before it, and at every nearer one, the state
    is today's. (The figures are cents, so within a few of them around the boundary the state may change more than
    once; the first change is the one reported. For the one exception see `boundary_search.search_for`.)

    Attributes:
        drop: (C,) fraction in (0, 1], a multiple of 1e-8; NaN = there is none, or the client is not complete.
        rise: (C,) fraction in (0, 10], likewise; not beyond the limits of exact figures.
        drop_value: (C,) cents, the portfolio value there; MISSING where there is no drop.
        rise_value: (C,) likewise.
    """

    drop: Float64
    rise: Float64
    drop_value: Int64
    rise_value: Int64


@dataclass(frozen=True, slots=True, eq=False)
class Triggers:
    """
    One row a position: the nearest boundary each way under a single-name shock of this position.

    Prices are in the stock's currency, in 1e-8, and 0 where this position alone cannot open (or end) the call. Each is
    the first, counted from today's in steps of 1e-8, at which `margin_report` has the other state.

    Attributes:
        down: (P,) below today's price.
        up: (P,) above it; not beyond the limits of exact figures.
    """

    down: Int64
    up: Int64


def distances(
    book: Book, prices: Prices, instruments: Instruments, rules: MarginRules, *, threads: int | None = None
) -> Distances:
    """
    Compute every client's distance to its nearest boundaries.

    Cost: 80 to 220 revaluations of a client under rates alone, more under concentration, on `threads` threads (default:
    one a core) where the book is large. The result does not depend on them.
    """
    excess = margin_report(book, prices, instruments, rules, threads=threads).margin_excess
    columns = (book.offsets, book.symbol_index, book.quantity, book.loan, book.client_rate, excess)
    inputs = (*columns, *_market(book, prices, instruments, rules))
    results = np.empty((RESULTS, len(book.client_ids)), np.int64)
    over_threads(lambda first, last: fill_distances(first, last, *inputs, results), book.offsets, threads)
    drop, rise, drop_value, rise_value = results
    return Distances(_fractions(drop), _fractions(rise), drop_value, rise_value)


def triggers(book: Book, prices: Prices, quotes: Quotes, instruments: Instruments, rules: MarginRules) -> Triggers:
    """
    Compute every position's triggers, on the calling thread.

    `quotes` are the same prices in the stocks' currencies. Cost: some microseconds a position.
    """
    excess = margin_report(book, prices, instruments, rules, threads=1).margin_excess
    columns = (book.offsets, book.symbol_index, book.quantity, book.loan, book.client_rate, excess)
    inputs = (*columns, quotes.price, quotes.fx, *_market(book, prices, instruments, rules))
    results = np.empty((TRIGGERS, len(book.quantity)), np.int64)
    fill_triggers(*inputs, results)
    return Triggers(*results)


def _market(book: Book, prices: Prices, instruments: Instruments, rules: MarginRules) -> MarketColumns:
    """Return the columns of `price_bounds.Market`, then the policy's numbers."""
    packed = rules.packed(prices.usd_rate)
    price = usable_price(prices, packed)
    traits, terms = symbol_terms(book.symbols, price, instruments, rules, packed)
    return (price, traits, terms, packed.layers, packed.concentration, packed.numbers)


def _fractions(steps: Int64) -> Float64:
    return np.where(steps == NOWHERE, np.nan, steps / TODAY)
