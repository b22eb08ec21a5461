"""Invariants of the columns, each checked in one compiled pass."""

from typing import Final

import numpy as np

from app.engine.arrays import BOOLEAN, INT, INT32, INT64, Int32, Int64
from app.engine.jit import kernel
from app.engine.units import MONEY_LIMIT, PRICE_LIMIT, QUANTITY_LIMIT, RATE_SCALE

LEVERAGE_LIMIT: Final = 10 * RATE_SCALE
"""The largest factor of a leveraged fund, in absolute value."""
OWN_RATE_LIMIT: Final = 10 * RATE_SCALE
"""The largest rate that an instrument may have of its own (a long position asks 100 % at most)."""
CLIENT_RATE_LIMIT: Final = RATE_SCALE
"""The largest rate that a client may have of its own."""


@kernel(BOOLEAN, INT64, INT)
def offsets_fit(offsets: Int64, positions: int) -> bool:
    """Return whether offsets rise from 0 to the number of positions."""
    fits = bool(offsets[0] == 0) & bool(offsets[-1] == positions)
    for i in range(1, len(offsets)):
        fits &= offsets[i - 1] <= offsets[i]
    return fits


@kernel(BOOLEAN, INT32, INT64, INT)
def positions_fit(symbol_index: Int32, quantity: Int64, symbols: int) -> bool:
    """Return whether every position names a symbol and has a quantity that is allowed."""
    fits = True
    for i in range(len(quantity)):
        size = abs(quantity[i])
        fits &= (np.uint32(symbol_index[i]) < symbols) & (size > 0) & (size <= QUANTITY_LIMIT)
    return fits


@kernel(BOOLEAN, INT64, INT64)
def clients_fit(loan: Int64, rate: Int64) -> bool:
    """Return whether every loan and every rate of a client is allowed."""
    fits = True
    for i in range(len(loan)):
        fits &= (abs(loan[i]) < MONEY_LIMIT) & (rate[i] >= -1) & (rate[i] <= CLIENT_RATE_LIMIT)
    return fits


@kernel(BOOLEAN, INT64)
def prices_fit(price: Int64) -> bool:
    """Return whether every price is missing (0) or allowed."""
    fits = True
    for i in range(len(price)):
        fits &= (price[i] >= 0) & (price[i] <= PRICE_LIMIT)
    return fits


@kernel(BOOLEAN, INT64, INT64)
def instruments_fit(leverage: Int64, house_rate: Int64) -> bool:
    """Return whether every leverage factor and every rate of an instrument is allowed."""
    fits = True
    for i in range(len(leverage)):
        factor = abs(leverage[i])
        fits &= (factor >= RATE_SCALE) & (factor <= LEVERAGE_LIMIT)
        fits &= (house_rate[i] >= -1) & (house_rate[i] <= OWN_RATE_LIMIT)
    return fits
