"""
The kernel: what a range of clients has and owes, from columns to columns.

It goes through the clients in blocks whose positions' values fit the nearest cache: first the values of a block's
positions, then the rows of its clients. Any split of the clients over threads gives the same bytes.
"""

from typing import Final

import numpy as np

from app.engine.arrays import (
    FLOAT64,
    INT,
    INT8_OUT,
    INT32,
    INT64,
    INT64_2D,
    INT64_2D_OUT,
    INT64_3D,
    VOID,
    Float64,
    Int8,
    Int32,
    Int64,
)
from app.engine.jit import inlined, kernel
from app.engine.lines import is_clear, value_of
from app.engine.rows import FLAT_RATE, flat_rows, layered_rows
from app.engine.rules import MAX_STEPS

BLOCK: Final = 4096
"""Positions: 32 KiB of values."""


@inlined
def block_end(first: int, last: int, offsets: Int64) -> int:
    """Return the end of the clients, from `first` on, whose positions fit a block; one client always does."""
    end = first + 1
    while end < last and offsets[end + 1] - offsets[first] <= BLOCK:
        end += 1
    return end


@inlined
def most_positions(first: int, last: int, offsets: Int64) -> int:
    """Return the largest number of positions that one of these clients has."""
    most = 0
    for c in range(first, last):
        most = max(most, int(offsets[c + 1] - offsets[c]))
    return most


@inlined
def fill_values(
    symbol_index: Int32, quantity: Int64, price: Int64, unit: Float64, values: Int64, unclear: Int64
) -> None:
    """Write the values of positions: first the estimates of all, noting the unclear, then the exact ones of those."""
    count = np.uint64(0)
    for i in range(len(quantity)):
        estimate = quantity[i] * unit[np.uint32(symbol_index[i])]
        values[i] = np.int64(np.rint(estimate))
        unclear[count] = i
        count += np.uint64(not is_clear(estimate))
    for k in range(count):
        i = unclear[k]
        s = np.uint32(symbol_index[i])
        values[i] = value_of(quantity[i], price[s], unit[s])


@kernel(
    VOID, INT, INT, INT64, INT32, INT64, INT64, INT64, INT64, FLOAT64, INT64_3D, INT64, INT64_2D, INT8_OUT,
    INT64_2D_OUT, INT64_2D_OUT,
)  # fmt: skip
def revalue(  # noqa: PLR0913 -- columns
    first: int,
    last: int,
    offsets: Int64,
    symbol_index: Int32,
    quantity: Int64,
    loan: Int64,
    client_rate: Int64,
    price: Int64,
    unit: Float64,
    terms: Int64,
    policy: Int64,
    concentration: Int64,
    status: Int8,
    totals: Int64,
    lines: Int64,
) -> None:
    """Write the rows of the clients from `first` to `last`, and, unless `lines` is empty, those of their positions."""
    scratch = np.empty((2, max(BLOCK, most_positions(first, last, offsets))), np.int64)
    limits = np.empty((2, MAX_STEPS), np.int64)
    start = first
    while start < last:
        end = block_end(start, last, offsets)
        a, b = offsets[start], offsets[end]
        symbols, quantities, values = symbol_index[a:b], quantity[a:b], scratch[0, : b - a]
        fill_values(symbols, quantities, price, unit, values, scratch[1])
        if policy[FLAT_RATE] >= 0 and not lines.shape[1]:
            flat_rows(start, end, offsets, values, loan, client_rate, policy[FLAT_RATE], status, totals)
        else:
            layered_rows(
                start, end, offsets, symbols, quantities, values, loan, client_rate, terms, policy, concentration,
                limits, status, totals, lines,
            )  # fmt: skip
        start = end
