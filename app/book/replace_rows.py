"""A book with some clients replaced."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.book.column_pool import ColumnPool, RowChange, Shift
from app.engine.book import Book


@dataclass(frozen=True, slots=True)
class _Replacement:
    """Rows `start` to `stop` of a column are replaced by `count` others, for each of N places, which rise."""

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    count: NDArray[np.int64]

    @property
    def more(self) -> NDArray[np.int64]:
        """(N,) how many rows each place has more than before."""
        return self.count - (self.stop - self.start)

    @property
    def shift(self) -> NDArray[np.int64]:
        """(N,) by how much what lies behind each place moves."""
        return np.cumsum(self.more)

    @property
    def first(self) -> NDArray[np.int64]:
        """(N,) where each place begins afterwards."""
        return self.start + self.shift - self.more

    def change(self, length: int, *, adds: NDArray[np.int64] | None = None) -> RowChange:
        """Return what they do to a column of this length; kept rows become greater by `adds` behind each place."""
        rows = np.repeat(self.first - np.cumsum(self.count) + self.count, self.count) + np.arange(self.count.sum())
        moving = np.flatnonzero(self.shift if adds is None else (self.shift != 0) | (adds != 0))
        if not len(moving):
            return RowChange.in_place(rows, length)
        behind = slice(int(moving[0]), None)
        stop, start = self.stop[behind], np.append(self.start[behind][1:], length)
        plus = np.zeros(len(stop), np.int64) if adds is None else adds[behind]
        numbers = zip(*(column.tolist() for column in (stop, start, stop + self.shift[behind], plus)), strict=True)
        head = int(self.start[behind][0])
        return RowChange(length + int(self.shift[-1]), rows, head, [Shift(*row) for row in numbers if row[0] < row[1]])


def replace_clients(book: Book, clients: NDArray[np.int64], fresh: Book, pool: ColumnPool) -> tuple[Book, RowChange]:
    """
    Return the book with `fresh` in place of some clients, and what that does to any column of C rows.

    A column in which nothing differs is the book's own. Cost: what is replaced; where the number of a client's
    positions changes, also the positions behind it, and where a client comes or goes, the clients behind it.

    Args:
        book: clients rise by id.
        clients: ids, rising: those to replace; one that is not in `fresh` is gone, one that is not in `book` is new.
        fresh: some of `clients`, over the same symbols.
        pool: where columns are made.
    """
    assert book.symbols == fresh.symbols, "both books have the same symbols"
    start, stop = _where(book.client_ids, clients)
    first, last = _where(fresh.client_ids, clients)
    rows = _Replacement(start, stop, last - first)
    held = _Replacement(book.offsets[start], book.offsets[stop], fresh.offsets[last] - fresh.offsets[first])
    of_clients, of_positions = rows.change(len(book.client_ids)), held.change(len(book.quantity))
    of_offsets = rows.change(len(book.offsets), adds=held.shift)
    made = book.with_checked(
        client_ids=pool.changed("client_ids", book.client_ids, of_clients, fresh.client_ids),
        offsets=pool.changed("offsets", book.offsets, of_offsets, held.first[rows.count > 0]),
        symbol_index=pool.changed("symbol_index", book.symbol_index, of_positions, fresh.symbol_index),
        quantity=pool.changed("quantity", book.quantity, of_positions, fresh.quantity),
        loan=pool.changed("loan", book.loan, of_clients, fresh.loan),
        client_rate=pool.changed("client_rate", book.client_rate, of_clients, fresh.client_rate),
    )
    return made, of_clients


def _where(client_ids: NDArray[np.int64], clients: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the row at which each client begins or would, and the row at which it ends: the same where it is not."""
    return np.searchsorted(client_ids, clients), np.searchsorted(client_ids, clients, side="right")
