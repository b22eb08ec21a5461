"""
The kernels of the margin report: rows of a range of clients, from columns to columns.

Each client by the float fast path where that gives the exact cents, else by exact arithmetic. A row depends on its own
client alone, so any split of the clients over threads gives the same bytes.
"""

import numpy as np

from app.engine.arrays import (
    FLOAT32_3D,
    FLOAT64,
    FLOAT64_2D,
    FLOAT64_3D,
    INT,
    INT8_OUT,
    INT32,
    INT64,
    INT64_2D,
    INT64_2D_OUT,
    INT64_3D,
    UINT8_2D,
    VOID,
    Float32,
    Float64,
    Int8,
    Int32,
    Int64,
    UInt8,
)
from app.engine.exact import FLAT_RATE, UNDECIDED, exact_client_rows
from app.engine.float_fast_path import flat_rows, layered_rows
from app.engine.jit import inlined, kernel
from app.engine.rules import MAX_STEPS


@inlined
def most_positions(first: int, last: int, offsets: Int64) -> int:
    """Return the largest number of positions that one of these clients has."""
    most = 0
    for c in range(first, last):
        most = max(most, int(offsets[c + 1] - offsets[c]))
    return most


@kernel(
    INT, INT, INT, INT64, INT32, INT64, INT64, INT64, INT64, FLOAT64_2D, FLOAT32_3D, FLOAT64_3D, INT64, INT64_2D,
    UINT8_2D, INT8_OUT, INT64_2D_OUT,
)  # fmt: skip
def estimate_rows(  # noqa: PLR0913 -- columns
    first: int,
    last: int,
    offsets: Int64,
    symbol_index: Int32,
    quantity: Int64,
    loan: Int64,
    client_rate: Int64,
    price: Int64,
    unit_value: Float64,
    rates: Float32,
    floors: Float64,
    policy: Int64,
    concentration: Int64,
    steps_at: UInt8,
    status: Int8,
    totals: Int64,
) -> int:
    """
    Write the rows of the clients from `first` to `last` that float64 decides; return how many are UNDECIDED.

    `rates` and `floors` are not read under a policy of one rate.
    """
    status[first:last] = UNDECIDED
    if policy[FLAT_RATE] >= 0:
        flat_rows(
            first, last, offsets, symbol_index, quantity, loan, client_rate, price, unit_value, policy[FLAT_RATE],
            status, totals,
        )  # fmt: skip
    else:
        layered_rows(
            first, last, offsets, symbol_index, quantity, loan, client_rate, price, unit_value, rates, floors, policy,
            concentration.astype(np.float64), steps_at, np.empty(most_positions(first, last, offsets)), status, totals,
        )  # fmt: skip
    undecided = 0
    for c in range(first, last):
        undecided += status[c] == UNDECIDED
    return undecided


@kernel(
    VOID, INT, INT, INT64, INT32, INT64, INT64, INT64, INT64, FLOAT64, INT64_3D, INT64, INT64_2D, INT8_OUT,
    INT64_2D_OUT, INT64_2D_OUT,
)  # fmt: skip
def complete_rows(  # noqa: PLR0913 -- columns
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
    """Write the rows of the clients that are UNDECIDED, and, unless `lines` is empty, those of their positions."""
    scratch = np.empty(most_positions(first, last, offsets), np.int64)
    exact_client_rows(
        first, last, offsets, symbol_index, quantity, loan, client_rate, price, unit, terms, policy, concentration,
        scratch, np.empty((2, MAX_STEPS), np.int64), status, totals, lines,
    )  # fmt: skip
