"""Incremental update of a valued book: the one before, with some clients and symbols replaced."""

from dataclasses import dataclass, fields, replace
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.book.book_loader import SymbolTable, index_of
from app.book.column_pool import ColumnPool, RowChange
from app.book.replace_rows import replace_clients
from app.book.totals import totals
from app.book.types import Holdings
from app.book.valuation import BookValuation, value_book
from app.engine.book import Book, Instruments, Prices
from app.engine.margin import MarginReport
from app.engine.subset import holders, take

Column = TypeVar("Column", NDArray[np.int64], NDArray[np.bool_])

#: Where more than one in so many clients is changed, valuing all of them is no slower.
_FEW: Final = 4


@dataclass(frozen=True, slots=True)
class Delta:
    """
    What was read again.

    Attributes:
        holdings: those before, at the symbols as they are now; see `replace_symbols`.
        marked: (S,) which symbols differ.
        clients: those that were read; one that does not exist (any more) is not in `fresh`.
        fresh: what is there of them; None = no client was read.
    """

    holdings: Holdings
    marked: NDArray[np.bool_]
    clients: frozenset[int]
    fresh: Book | None


def replace_symbols(holdings: Holdings, table: SymbolTable) -> tuple[Holdings, NDArray[np.bool_]]:
    """
    Return the holdings with these symbols as the table has them, new ones at the end, and (S,) which differ.

    Another dollar rate marks every symbol.
    """
    known = index_of(holdings.book.symbols)
    new = [symbol for symbol in table.symbols if symbol not in known]
    symbols = holdings.book.symbols + tuple(new)
    index = index_of(symbols)
    at = np.array([index[symbol] for symbol in table.symbols], np.int64)
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
    book = holdings.book if not new else holdings.book.with_checked(symbols=symbols)
    return Holdings(book, Prices(price, table.prices.usd_rate), instruments), marked


def apply_delta(before: BookValuation, delta: Delta, pool: ColumnPool) -> tuple[BookValuation, NDArray[np.int64]]:
    """
    Return the next book, and which of its rows were valued again.

    Cost: the clients that changed, and for a symbol that differs a search for its holders, O(P). CPU-bound.

    Args:
        before: stays as it is.
        delta: what changed.
        pool: where columns are made.
    """
    book = delta.holdings.book
    change = RowChange.in_place(np.empty(0, np.int64), len(book.client_ids))
    if delta.fresh is not None:
        clients = np.array(sorted(delta.clients), np.int64)
        book, change = replace_clients(book, clients, delta.fresh, pool)
    if delta.marked.any():
        change = replace(change, rows=np.union1d(change.rows, holders(book, delta.marked)))
    return _valued(before, replace(delta.holdings, book=book), change, pool), change.rows


def _valued(before: BookValuation, holdings: Holdings, change: RowChange, pool: ColumnPool) -> BookValuation:
    """Return the book with `holdings`, valuing the rows of a change of C rows and keeping the figures of all others."""
    rows, valuation = change.rows, before.valuation
    if len(rows) * _FEW > change.length:
        return value_book(holdings, valuation)
    part = value_book(replace(holdings, book=take(holdings.book, rows)), valuation)
    columns = {
        field.name: pool.changed(
            field.name, getattr(before.report, field.name), change, getattr(part.report, field.name)
        )
        for field in fields(MarginReport)
    }
    report, states = MarginReport(**columns), pool.changed("states", before.states, change, part.states)
    if change.keeps(len(before.states)):
        old = totals(before.report, before.holdings.book.loan, before.states, rows)
        book_totals = before.totals.replaced(old, part.totals)
    else:
        book_totals = totals(report, holdings.book.loan, states)
    return BookValuation(valuation, holdings, report, states, book_totals)


def _placed(column: Column, part: Column, at: NDArray[np.int64], marked: NDArray[np.bool_]) -> Column:
    """Return a column with `part` at `at`, as long as `marked`, and mark what differs or is new."""
    placed = np.zeros(len(marked), column.dtype)
    placed[: len(column)] = column
    marked[at] |= (placed[at] != part) | (at >= len(column))
    placed[at] = part
    return placed
