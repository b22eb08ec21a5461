"""The arithmetic of one position: its value and each layer's requirement, in whole cents."""

from typing import Final

import numpy as np

from app.engine.arrays import Int64
from app.engine.jit import inlined
from app.engine.rules import CONC_RATES, CONC_STEPS, DEBIT, MAX_STEPS, STOCKS_ONLY, STYLE, TOP, ClientRateEffect, Style
from app.engine.symbol_terms import BY_CLIENT_RATE, BY_CONCENTRATION, CENTS_PER_UNIT, CONC_SHIFT, IS_STOCK
from app.engine.units import (
    MISSING,
    MONEY_LIMIT,
    MONEY_SCALE,
    PRICE_SCALE,
    QUANTITY_SCALE,
    RATE_SCALE,
    REQUIREMENT_LIMIT,
)

CENT: Final = QUANTITY_SCALE * PRICE_SCALE // MONEY_SCALE
"""quantity x price of one cent, in the engine's units."""
HALF_CENT: Final = CENT // 2
TOO_LARGE: Final = 2 * REQUIREMENT_LIMIT
"""Stands for every amount beyond it; the client's row is refused anyway."""
ADDITIVE: Final = int(Style.ADDITIVE)
GREATER_OF: Final = int(Style.GREATER_OF)
NO_CONCENTRATION: Final = int(Style.NONE)
REPLACES: Final = int(ClientRateEffect.REPLACES)
AT_LEAST: Final = int(ClientRateEffect.AT_LEAST)


@inlined
def value_of(quantity: np.int64, price: np.int64, unit: float) -> np.int64:
    """
    Return quantity x price in cents, rounded half away from zero; MISSING where `unit` is NaN.

    The remainder corrects a float64 estimate, by a cent at most below MONEY_LIMIT and by a few beyond. So it is far
    below 2^63, and wrapping int64 products give it exactly.
    """
    size, estimate = abs(quantity), abs(quantity * unit)
    cents = np.int64(np.rint(estimate))
    rest = size * price - cents * CENT
    if estimate < MONEY_LIMIT:
        cents += np.int64(rest >= HALF_CENT) - np.int64(rest < -HALF_CENT)
    elif np.isnan(estimate):
        return np.int64(MISSING)
    elif estimate < TOO_LARGE:
        cents += (rest + HALF_CENT) // CENT
    else:
        cents = np.int64(TOO_LARGE)
    return cents if quantity > 0 else -cents


@inlined
def share_of(value: np.int64, rate: np.int64) -> np.int64:
    """Return value x rate in cents, rounded half up; both are at least 0 and their product is below 2^64."""
    product = np.uint64(value) * np.uint64(rate) + np.uint64(RATE_SCALE // 2)
    return np.int64(product // np.uint64(RATE_SCALE))


@inlined
def layer_requirement(value: np.int64, quantity: np.int64, rate: np.int64, floor: np.int64) -> np.int64:
    """Return the greater of rate x value and floor x quantity, in cents; the quantity is taken without its sign."""
    amount = share_of(value, rate)
    if floor > 0:
        amount = max(amount, value_of(abs(quantity), floor, floor * CENTS_PER_UNIT))
    return amount


@inlined
def client_effect(client_rule: np.int64, own: np.int64) -> tuple[np.int64, np.int64]:
    """Return the rate that replaces the house's terms and the least rate of longs, in 1e-4; -1 = there is none."""
    replacing = own if client_rule == REPLACES else np.int64(-1)
    least = own if client_rule == AT_LEAST else np.int64(-1)
    return replacing, least


@inlined
def house_terms(
    rate: np.int64, floor: np.int64, code: np.int64, side: int | np.uint64, replacing: np.int64, least: np.int64
) -> tuple[np.int64, np.int64, np.int64]:
    """Return rate (-1 = none), amount a share and code of the house, the client's own rate included."""
    if replacing >= 0:
        rate, floor, code = replacing, np.int64(0), np.int64(BY_CLIENT_RATE)
    elif least > rate and side == 0:
        rate, code = least, np.int64(BY_CLIENT_RATE)
    return rate, floor, code


@inlined
def concentration_counts(rule: Int64, loan: np.int64, replacing: np.int64) -> bool:
    """Return whether concentration may raise rates of a client: not without its debit, nor under a rate of its own."""
    return bool(rule[0, STYLE] != NO_CONCENTRATION and loan >= rule[0, DEBIT] and replacing < 0)


@inlined
def fill_limits(rule: Int64, side: int, total: np.int64, limits: Int64) -> None:
    """Write, for every concentration step, the number that 10,000 x value exceeds where the step holds."""
    for k in range(MAX_STEPS):
        limits[side, k] = rule[side, CONC_STEPS + k] * total - (rule[side, STYLE] == GREATER_OF)


@inlined
def with_concentration(
    rule: Int64, side: np.uint64, limits: Int64, value: np.int64, rate: np.int64, code: np.int64
) -> tuple[np.int64, np.int64]:
    """Return rate and code of a position of this value, add-ons included."""
    held = np.uint64(0)
    for k in range(MAX_STEPS):
        held += np.uint64(value * RATE_SCALE > limits[side, k])
    if rule[side, STOCKS_ONLY] and not code & IS_STOCK:
        held = np.uint64(0)
    step = rule[side, np.uint64(CONC_RATES) + held]
    raised = min(rate + step, rule[side, TOP]) if rule[side, STYLE] == ADDITIVE else max(rate, step)
    note = BY_CONCENTRATION | np.int64(held) - 1 << CONC_SHIFT
    return raised, code | note if raised > rate else code
