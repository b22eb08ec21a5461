"""A book with some clients replaced, as fast as memory is copied; a column in which nothing differs is not copied."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from app.engine.book import Book

Column = TypeVar("Column", NDArray[np.int8], NDArray[np.int32], NDArray[np.int64], NDArray[np.bool_])


@dataclass(frozen=True, slots=True)
class Cut:
    """Rows `start` to `stop` of a column are replaced by rows `first` to `last` of a fresh one; either may be none."""

    start: int
    stop: int
    first: int
    last: int


def with_replaced(book: Book, clients: NDArray[np.int64], fresh: Book) -> tuple[Book, Sequence[Cut]]:
    """
    Return the book with `fresh` in place of some clients, and the cuts that do the same to any column of C rows.

    Args:
        book: clients rise by id.
        clients: ids, rising: those to replace; whoever is not in `fresh` is gone, whoever is not in `book` is new.
        fresh: some of `clients`, over the same symbols.
    """
    assert book.symbols == fresh.symbols, "both books have the same symbols"
    start, stop = _where(book.client_ids, clients)
    first, last = _where(fresh.client_ids, clients)
    rows = _cuts(start, stop, first, last)
    held = _cuts(book.offsets[start], book.offsets[stop], fresh.offsets[first], fresh.offsets[last])
    counts = np.diff(book.offsets)
    new_counts = spliced(counts, np.diff(fresh.offsets), rows)
    made = replace(
        book,
        client_ids=spliced(book.client_ids, fresh.client_ids, rows),
        offsets=book.offsets
        if new_counts is counts
        else np.concatenate([np.zeros(1, np.int64), np.cumsum(new_counts)]),
        symbol_index=spliced(book.symbol_index, fresh.symbol_index, held),
        quantity=spliced(book.quantity, fresh.quantity, held),
        loan=spliced(book.loan, fresh.loan, rows),
        client_rate=spliced(book.client_rate, fresh.client_rate, rows),
    )
    return made, rows


def spliced(column: Column, fresh: Column, cuts: Sequence[Cut]) -> Column:
    """Return the column with the cuts, which rise, done; the column itself where nothing differs."""
    if any(cut.stop - cut.start != cut.last - cut.first for cut in cuts):
        return _joined(column, fresh, cuts)
    changed = [cut for cut in cuts if not np.array_equal(column[cut.start : cut.stop], fresh[cut.first : cut.last])]
    if not changed:
        return column
    copy = column.copy()
    for cut in changed:
        copy[cut.start : cut.stop] = fresh[cut.first : cut.last]
    return copy


def _joined(column: Column, fresh: Column, cuts: Sequence[Cut]) -> Column:
    pieces: list[Column] = []
    at = 0
    for cut in cuts:
        pieces += [column[at : cut.start], fresh[cut.first : cut.last]]
        at = cut.stop
    return np.concatenate([*pieces, column[at:]])


def _where(client_ids: NDArray[np.int64], clients: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the row at which each client begins or would, and the row at which it ends: the same where it is not."""
    return np.searchsorted(client_ids, clients), np.searchsorted(client_ids, clients, side="right")


def _cuts(*columns: NDArray[np.int64]) -> list[Cut]:
    return [Cut(*numbers) for numbers in zip(*(column.tolist() for column in columns), strict=True)]
