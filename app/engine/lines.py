"""The arithmetic of one position: its value and what each layer asks for it, in whole cents."""

from typing import Final

import numpy as np

from app.engine.arrays import Int64
from app.engine.jit import inlined
from app.engine.rules import CONC_COUNT, CONC_STEPS, MAX_STEPS, STOCKS_ONLY, STYLE, TOP, Style
from app.engine.terms import BY_CONCENTRATION, CENTS_PER_UNIT, CONC_SHIFT, IS_STOCK
from app.engine.units import MISSING, MONEY_SCALE, PRICE_SCALE, QUANTITY_SCALE, RATE_SCALE, REQUIREMENT_LIMIT

CENT: Final = QUANTITY_SCALE * PRICE_SCALE // MONEY_SCALE
"""quantity x price of one cent, in the engine's units."""
HALF_CENT: Final = CENT // 2
ESTIMATE_ERROR: Final = 5e-15
"""Relative; nine times what four roundings of a float64 can add up to."""
TOO_LARGE: Final = 2 * REQUIREMENT_LIMIT
"""Stands for every amount beyond it; the client's row is refused anyway."""
ADDITIVE: Final = int(Style.ADDITIVE)


@inlined
def value_of(quantity: int, price: int, unit: float) -> int:
    """
    Return quantity x price in cents, rounded half away from zero; MISSING where `unit` is NaN.

    A float64 estimate decides unless it lies so near half a cent, or is so large, that its error could matter.
    """
    estimate = quantity * unit
    cents = np.rint(estimate)
    if abs(estimate - cents) < 0.5 - abs(estimate) * ESTIMATE_ERROR:
        return np.int64(cents)
    return _exact_value_of(quantity, price, estimate)


@inlined
def _exact_value_of(quantity: int, price: int, estimate: float) -> int:
    """
    Correct the estimate by the remainder, which wrapping int64 products give exactly.

    The estimate is at most a few cents off, so the remainder is far below 2^63.
    """
    if np.isnan(estimate):
        return np.int64(MISSING)
    if abs(estimate) >= TOO_LARGE:
        return np.int64(TOO_LARGE)
    cents = np.int64(np.rint(abs(estimate)))
    rest = abs(quantity) * price - cents * CENT
    cents += (rest + HALF_CENT) // CENT
    return cents if quantity > 0 else -cents


@inlined
def share_of(value: int, rate: int) -> int:
    """Return value x rate in cents, rounded half up; both are at least 0 and their product is below 2^64."""
    product = np.uint64(value) * np.uint64(rate) + np.uint64(RATE_SCALE // 2)
    return np.int64(product // np.uint64(RATE_SCALE))


@inlined
def asked(value: int, quantity: int, rate: int, floor: int) -> int:
    """Return the greater of rate x value and floor x quantity, in cents; the quantity is taken without its sign."""
    amount = share_of(value, rate)
    if floor > 0:
        amount = max(amount, value_of(abs(quantity), floor, floor * CENTS_PER_UNIT))
    return amount


@inlined
def concentrated(rule: Int64, value: int, total: int, rate: int, code: int) -> tuple[int, int]:
    """Return rate and code of a position that is `value` of a portfolio of `total`, add-ons included."""
    if rule[STOCKS_ONLY] and not code & IS_STOCK:
        return rate, code
    for k in range(rule[CONC_COUNT] - 1, -1, -1):
        excess = value * RATE_SCALE - rule[CONC_STEPS + k] * total
        step = rule[CONC_STEPS + MAX_STEPS + k]
        if rule[STYLE] == ADDITIVE and excess > 0:
            return min(rate + step, rule[TOP]), code | BY_CONCENTRATION | k << CONC_SHIFT
        if rule[STYLE] != ADDITIVE and excess >= 0 and step > rate:
            return step, code | BY_CONCENTRATION | k << CONC_SHIFT
    return rate, code
