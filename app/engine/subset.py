"""Some of the clients of a book: which, and a book of them. Columns in, new columns out."""

from dataclasses import replace

import numpy as np
from numba import types

from app.engine.arrays import BOOL, INT32, INT64, INT64_OUT, VOID, Bool, Int32, Int64
from app.engine.book import Book
from app.engine.jit import kernel

_INT32_OUT = types.Array(types.int32, 1, "C")
_BOOL_OUT = types.Array(types.boolean, 1, "C")


def take(book: Book, rows: Int64) -> Book:
    """Return the clients of these row numbers, in that order, over the same symbols. Cost: O(their positions)."""
    offsets = _offsets(book.offsets[rows + 1] - book.offsets[rows])
    symbol_index, quantity = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.int64)
    copy_positions(book.offsets, book.symbol_index, book.quantity, rows, offsets[:-1], symbol_index, quantity)
    return replace(
        book,
        client_ids=book.client_ids[rows],
        offsets=offsets,
        symbol_index=symbol_index,
        quantity=quantity,
        loan=book.loan[rows],
        client_rate=book.client_rate[rows],
    )


def holders(book: Book, symbols: Bool) -> Int64:
    """Return the row numbers of the clients that hold one of the (S,) marked symbols. Cost: O(P)."""
    held = np.zeros(len(book.client_ids), np.bool_)
    mark_holders(book.offsets, book.symbol_index, symbols, held)
    return np.flatnonzero(held)


def _offsets(counts: Int64) -> Int64:
    """Return the offsets of clients with so many positions."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


@kernel(VOID, INT64, INT32, INT64, INT64, INT64, _INT32_OUT, INT64_OUT)
def copy_positions(  # noqa: PLR0913 -- columns
    offsets: Int64,
    symbol_index: Int32,
    quantity: Int64,
    rows: Int64,
    start: Int64,
    symbol_index_out: Int32,
    quantity_out: Int64,
) -> None:
    """Copy the positions of client `rows[i]` to `start[i]` on, for every i."""
    for i in range(len(rows)):
        source, to = offsets[rows[i]], start[i]
        for j in range(offsets[rows[i] + 1] - source):
            symbol_index_out[to + j] = symbol_index[source + j]
            quantity_out[to + j] = quantity[source + j]


@kernel(VOID, INT64, INT32, BOOL, _BOOL_OUT)
def mark_holders(offsets: Int64, symbol_index: Int32, symbols: Bool, held: Bool) -> None:
    """Mark the clients that hold a marked symbol."""
    for c in range(len(offsets) - 1):
        for i in range(offsets[c], offsets[c + 1]):
            if symbols[symbol_index[i]]:
                held[c] = True
                break
