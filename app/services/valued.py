"""The valued book: columns with their report, made whole, or from the one before and what changed since."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.engine.book import Book, Instruments, Prices
from app.engine.distance import Distances, distances
from app.engine.edit import take
from app.engine.margin import MarginReport, margin_report
from app.policies.active import ActivePolicy, PolicyName
from app.services import ranking
from app.services.book import Holdings
from app.services.book_read import SymbolTable, load_book
from app.services.splice import spliced, with_replaced

Column = TypeVar("Column", NDArray[np.int64], NDArray[np.bool_])

#: Where more than one in so many clients is touched, valuing all of them is no slower.
_FEW: Final = 4


@dataclass(frozen=True, slots=True)
class Valuation:
    """How a book is valued."""

    policy: ActivePolicy
    warning_cushion: float


@dataclass(frozen=True, eq=False)
class Valued:
    """
    A book, its report, and where each client stands; columns of C rows. Never changed, so readers need no lock.

    `states` are codes of `ranking.CODES`.
    """

    valuation: Valuation
    holdings: Holdings
    report: MarginReport
    states: NDArray[np.int8]

    @property
    def policy(self) -> PolicyName:
        """What the figures quote."""
        return self.valuation.policy.name

    @cached_property
    def distances(self) -> Distances:
        """Distances of every client, computed when first asked for: some hundred revaluations."""
        return self._distances(self.holdings.book)

    def distances_of(self, rows: NDArray[np.int64]) -> Distances:
        """Return the distances of some clients, in the order of `rows`."""
        return self._distances(take(self.holdings.book, rows))

    def _distances(self, book: Book) -> Distances:
        rules = self.valuation.policy.rules
        return distances(book, self.holdings.prices, self.holdings.instruments, rules)


class BookSource(Protocol):
    """Where the valued book comes from."""

    async def current(self) -> Valued:
        """Return the book with every change that was acknowledged before this call."""


@dataclass(frozen=True, slots=True)
class LoadedBook:
    """A book source that loads and values everything at each call: right at any size, fast for small books."""

    valuation: Valuation
    base_currency: str

    async def current(self) -> Valued:
        """Return the book as it is stored now."""
        holdings = await load_book(base_currency=self.base_currency)
        return await asyncio.to_thread(value, holdings, self.valuation)


def value(holdings: Holdings, valuation: Valuation) -> Valued:
    """Value every client of a book. CPU-bound."""
    report = _report(holdings.book, holdings, valuation)
    return Valued(valuation, holdings, report, _states(report, valuation))


def with_symbols(holdings: Holdings, table: SymbolTable) -> tuple[Holdings, NDArray[np.bool_]]:
    """
    Return the holdings with these symbols as the table has them, new ones at the end, and (S,) which differ.

    Another dollar rate marks every symbol.
    """
    known = {symbol: index for index, symbol in enumerate(holdings.book.symbols)}
    new = [symbol for symbol in table.symbols if symbol not in known]
    symbols = holdings.book.symbols + tuple(new)
    known |= {symbol: len(known) + offset for offset, symbol in enumerate(new)}
    at = np.array([known[symbol] for symbol in table.symbols], np.int64)
    marked = np.zeros(len(symbols), np.bool_)
    old, read = holdings.instruments, table.instruments
    price = _placed(holdings.prices.price, table.prices.price, at, marked)
    instruments = Instruments(
        leverage=_placed(old.leverage, read.leverage, at, marked),
        marginable=_placed(old.marginable, read.marginable, at, marked),
        house_rate=_placed(old.house_rate, read.house_rate, at, marked),
        is_stock=_placed(old.is_stock, read.is_stock, at, marked),
    )
    if table.prices.usd_rate != holdings.prices.usd_rate:
        marked[:] = True
    book = holdings.book if not new else _over(holdings.book, symbols)
    return Holdings(book, Prices(price, table.prices.usd_rate), instruments), marked


def with_clients(before: Valued, holdings: Holdings, *, removed: NDArray[np.int64], fresh: Book) -> Valued:
    """
    Return the book with the clients `fresh` in place of the clients `removed` (rising), who may be gone or new.

    `holdings` are those of `before`, perhaps over more symbols; rows that stay keep their figures.
    """
    book, cuts = with_replaced(holdings.book, removed, fresh)
    valued = _report(fresh, holdings, before.valuation)
    columns = {
        field.name: spliced(getattr(before.report, field.name), getattr(valued, field.name), cuts)
        for field in fields(MarginReport)
    }
    states = spliced(before.states, _states(valued, before.valuation), cuts)
    holdings = Holdings(book, holdings.prices, holdings.instruments)
    return Valued(before.valuation, holdings, MarginReport(**columns), states)


def rows_of(client_ids: NDArray[np.int64], wanted: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """
    Return the rows, rising and each once, of clients that some arrays name; those that are not there are left out.

    `client_ids` rise. Cost: a search for each, fast where they rise too, and no sorting.
    """
    found = np.zeros(len(client_ids), np.bool_)
    for part in wanted if len(client_ids) else ():
        rows = np.minimum(np.searchsorted(client_ids, part), len(client_ids) - 1)
        found[rows[client_ids[rows] == part]] = True
    return np.flatnonzero(found)


def revalued(before: Valued, holdings: Holdings, rows: NDArray[np.int64]) -> Valued:
    """Return the book at the prices and instruments of `holdings`, which concern the clients `rows` alone."""
    if len(rows) * _FEW > len(holdings.book.client_ids):
        return value(holdings, before.valuation)
    part = _report(take(holdings.book, rows), holdings, before.valuation)
    columns = {field.name: getattr(before.report, field.name).copy() for field in fields(MarginReport)}
    for name, column in columns.items():
        column[rows] = getattr(part, name)
    states = before.states.copy()
    states[rows] = _states(part, before.valuation)
    return Valued(before.valuation, holdings, MarginReport(**columns), states)


def _report(book: Book, holdings: Holdings, valuation: Valuation) -> MarginReport:
    return margin_report(book, holdings.prices, holdings.instruments, valuation.policy.rules)


def _states(report: MarginReport, valuation: Valuation) -> NDArray[np.int8]:
    return ranking.states(report, warning_cushion=valuation.warning_cushion)


def _over(book: Book, symbols: tuple[str, ...]) -> Book:
    """Return the book over more symbols; its own stay where they are."""
    return Book(book.client_ids, book.offsets, book.symbol_index, book.quantity, book.loan, book.client_rate, symbols)


def _placed(column: Column, part: Column, at: NDArray[np.int64], marked: NDArray[np.bool_]) -> Column:
    """Return a column with `part` at `at`, as long as `marked`, and mark what differs or is new."""
    placed = np.zeros(len(marked), column.dtype)
    placed[: len(column)] = column
    marked[at] |= (placed[at] != part) | (at >= len(column))
    placed[at] = part
    return placed
