"""Sums that no number of clients can overflow."""

from typing import Final

from numba import types

from app.engine.arrays import INT8, INT64, Int8, Int64
from app.engine.exact import COMPLETE
from app.engine.jit import kernel

HALF_BITS: Final = 32
LOW: Final = (1 << HALF_BITS) - 1


def total(column: Int64, status: Int8) -> int:
    """Return the exact sum of a (C,) column over the complete clients, for fewer than 2**31 of them. Cost: O(C)."""
    return join_sum(*split_sum(column, status))


def join_sum(high: int, low: int) -> int:
    """Return the sum of numbers from the sums of their upper and of their lower 32 bits."""
    return (high << HALF_BITS) + low


@kernel(types.UniTuple(types.int64, 2), INT64, INT8)  # type: ignore[no-untyped-call] # numba has no types
def split_sum(column: Int64, status: Int8) -> tuple[int, int]:
    """Return the sums of the upper and of the lower 32 bits of the numbers of complete clients."""
    high = low = 0
    for i in range(len(column)):
        value = column[i] if status[i] == COMPLETE else 0
        high += value >> HALF_BITS
        low += value & LOW
    return high, low
