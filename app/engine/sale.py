"""The cure by sale: how much to close, most relief per dollar first, found by recomputing the rest of the book."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from app.engine.arrays import Bool, Int64
from app.engine.book import Book, Instruments, Prices
from app.engine.margin import PositionReport, margin_report
from app.engine.position_math import CENT
from app.engine.rules import MarginRules
from app.engine.units import MONEY_LIMIT, divide

CANDIDATES: Final = 1_000_000
"""Positions in the books that are recomputed at a time."""


@dataclass(frozen=True, slots=True)
class Market:
    """What a recomputation needs besides the book."""

    prices: Prices
    instruments: Instruments
    rules: MarginRules


def sale_that_cures(
    book: Book, prices: Prices, instruments: Instruments, rules: MarginRules, lines: PositionReport
) -> int | None:
    """
    Return the market value to close that ends the call of a book's one client, in cents; None = all of it does not.

    Positions are closed at today's prices, one after the other, those that ask most per dollar of value first; proceeds
    of longs lower the loan, the cost of shorts raises it. The first position whose closing ends the call is closed in
    part: with the answer the recomputed call is over, with one cent less it is not. Requirements are recomputed, since
    shares change with every sale. Closing so many cents means the smallest quantity worth at least that.
    A loan that leaves the limits of exact figures on the way ends the search.
    Cost: one revaluation of P^2 / 2 positions and some forty of P.
    """
    market = Market(prices, instruments, rules)
    order = _most_relief_first(lines)
    closed = _closed_until_cured(book, market, order, lines.market_value)
    if closed is None:
        return None
    before = order[:closed]
    kept, sizes = order[closed:], np.abs(lines.market_value)
    rest = _rest(book, kept, int(book.loan[0] - lines.market_value[before].sum()))
    return int(sizes[before].sum()) + _part_that_cures(rest, market, int(sizes[kept[0]]))


def _most_relief_first(lines: PositionReport) -> Int64:
    """Return the positions by requirement per dollar of value, the greatest first; a worthless one comes first."""
    value = np.abs(lines.market_value)
    ratio = np.divide(lines.margin_requirement, value, out=np.full(len(value), np.inf), where=value > 0)
    return np.argsort(-ratio, kind="stable")


def _rest(book: Book, kept: Int64, loan: int) -> Book:
    """Return the client with these positions and this loan."""
    return replace(
        book,
        offsets=np.array([0, len(kept)]),
        symbol_index=book.symbol_index[kept],
        quantity=book.quantity[kept],
        loan=np.array([loan]),
    )


def _closed_until_cured(book: Book, market: Market, order: Int64, value: Int64) -> int | None:
    """Return how many positions can be closed entirely before the one whose closing cures; None = none does."""
    loans = book.loan[0] - np.cumsum(value[order])
    too_large = np.flatnonzero(np.abs(loans) >= MONEY_LIMIT)
    for first, last in _pieces(len(order), int(too_large[0]) if len(too_large) else len(order)):
        kept = [order[closed + 1 :] for closed in range(first, last)]
        rows = np.concatenate(kept)
        candidates = Book(
            client_ids=np.arange(last - first),
            offsets=np.cumsum([0, *map(len, kept)]),
            symbol_index=book.symbol_index[rows],
            quantity=book.quantity[rows],
            loan=loans[first:last],
            client_rate=np.full(last - first, book.client_rate[0]),
            symbols=book.symbols,
        )
        cured = np.flatnonzero(_is_cured(candidates, market))
        if len(cured):
            return first + int(cured[0])
    return None


def _pieces(positions: int, candidates: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of candidates, each with about CANDIDATES positions."""
    step = max(1, CANDIDATES // max(positions, 1))
    for first in range(0, candidates, step):
        yield first, min(first + step, candidates)


def _part_that_cures(book: Book, market: Market, size: int) -> int:
    """Return how many cents of the first position to close, where closing none does not cure and closing all does."""
    short, enough = 0, size
    while enough - short > 1:
        middle = (short + enough) // 2
        if _is_cured(_closed_in_part(book, market.prices, middle), market)[0]:
            enough = middle
        else:
            short = middle
    return enough


def _closed_in_part(book: Book, prices: Prices, cents: int) -> Book:
    """Return the book after so many cents of its first position are closed."""
    price, quantity = int(prices.price[book.symbol_index[0]]), int(book.quantity[0])
    sold = min(-(-cents * CENT // price), abs(quantity)) * (1 if quantity > 0 else -1)
    loan = int(book.loan[0]) - divide(sold * price, CENT)
    if sold == quantity:
        return _rest(book, np.arange(1, len(book.quantity)), loan)
    left = book.quantity.copy()
    left[0] -= sold
    return replace(book, quantity=left, loan=np.array([loan]))


def _is_cured(book: Book, market: Market) -> Bool:
    """Return (C,) whether a client is out of its call."""
    report = margin_report(book, market.prices, market.instruments, market.rules, threads=1)
    return np.equal(report.margin_shortfall, 0)
