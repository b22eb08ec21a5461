"""A policy's terms of each symbol: everything in a requirement that does not depend on the client."""

from typing import Final

import numpy as np

from app.engine.arrays import INT64, INT64_2D, INT64_3D, INT64_3D_OUT, VOID, Int64
from app.engine.book import Instruments
from app.engine.jit import inlined, kernel
from app.engine.rules import (
    CAP,
    COUNT,
    FLOOR,
    LEVERAGE,
    MAX_STEPS,
    NOT_MARGINABLE,
    OWN_RATES,
    RATE,
    STEPS,
    MarginRules,
    PackedRules,
)
from app.engine.units import RATE_SCALE

# Rows of the traits, one column a symbol: leverage factor, flags, own rates (-1 = none).
FACTOR, MARGINABLE, STOCK, OWN_LONG, OWN_SHORT = range(5)
TRAITS: Final = 5
# Columns of a symbol's terms: rate and amount a share that each layer asks of that side (rate -1 = it asks nothing),
# and a code that says which rules gave them.
X_RATE, X_FLOOR, X_CODE, H_RATE, H_FLOOR, H_CODE = range(6)
TERM_WIDTH: Final = 6

# Bits of a code. The number of the price step is from bit 8 on, that of the concentration step from bit 16 on.
BY_BASE: Final = 1
BY_STEP: Final = 2
BY_LEVERAGE: Final = 4
BY_CAP: Final = 8
BY_OWN_RATE: Final = 16
BY_NOT_MARGINABLE: Final = 32
BY_CONCENTRATION: Final = 64
BY_CLIENT_RATE: Final = 128
STEP_SHIFT: Final = 8
CONC_SHIFT: Final = 16
IS_STOCK: Final = 1 << 24

CENTS_PER_UNIT: Final = 1e-12
"""Value in cents of a millionth of a unit at a price of 1e-8."""


@inlined
def scaled_rate(rate: np.int64, factor: np.int64) -> np.int64:
    """Return rate x factor, all in 1e-4, rounded half up."""
    return (rate * factor + RATE_SCALE // 2) // RATE_SCALE


@inlined
def side_terms(side: Int64, price: np.int64, traits: Int64, s: int | np.uint32, row: int) -> tuple[int, int, int]:
    """Return rate (-1 = none), amount a share and code of symbol s, on one side of a layer, at this price."""
    factor, own = abs(traits[FACTOR, s]), traits[OWN_SHORT if row else OWN_LONG, s]
    rate, floor, code, stepped = side[RATE], side[FLOOR], BY_BASE, False
    for k in range(side[COUNT]):
        if price < side[STEPS + k]:
            rate, floor, stepped = side[STEPS + MAX_STEPS + k], side[STEPS + 2 * MAX_STEPS + k], True
            code = BY_STEP | k << STEP_SHIFT
            break
    if rate >= 0 and side[LEVERAGE] and factor > RATE_SCALE:
        rate, code = scaled_rate(rate, factor), code | BY_LEVERAGE
    if side[OWN_RATES] and own >= 0 and (own > rate or not stepped):
        rate, code = own, BY_OWN_RATE
    if rate > side[CAP]:
        rate, code = side[CAP], code | BY_CAP
    if not traits[MARGINABLE, s] and side[NOT_MARGINABLE] > rate:
        rate, code = side[NOT_MARGINABLE], BY_NOT_MARGINABLE
    return rate, floor, code if rate >= 0 else 0


@inlined
def fill_side(side: Int64, price: Int64, traits: Int64, terms: Int64, row: int, first: int) -> None:
    """Write the terms of one side of a layer for each symbol: three columns of `terms[:, row]`, from `first` on."""
    for s in range(len(price)):
        rate, floor, code = side_terms(side, price[s], traits, s, row)
        terms[s, row, first], terms[s, row, first + 1], terms[s, row, first + 2] = rate, floor, code


@kernel(VOID, INT64_3D, INT64, INT64_2D, INT64_3D_OUT)
def fill_terms(layers: Int64, price: Int64, traits: Int64, terms: Int64) -> None:
    """Write the terms of each symbol, long and short: (S, 2, TERM_WIDTH)."""
    for row in range(2):
        fill_side(layers[0, row], price, traits, terms, row, X_RATE)
        fill_side(layers[1, row], price, traits, terms, row, H_RATE)
        for s in range(len(price)):
            terms[s, row, H_CODE] |= IS_STOCK if traits[STOCK, s] else 0


def symbol_terms(
    symbols: tuple[str, ...], price: Int64, instruments: Instruments, rules: MarginRules, packed: PackedRules
) -> tuple[Int64, Int64]:
    """
    Return what a policy knows of each symbol, and what it makes of that at these prices.

    They are (TRAITS, S) traits and (S, 2, TERM_WIDTH) terms, long and short. Searches over prices need both.
    """
    traits, terms = symbol_traits(symbols, instruments, rules), np.empty((len(price), 2, TERM_WIDTH), np.int64)
    fill_terms(packed.layers, price, traits, terms)
    return traits, terms


def symbol_traits(symbols: tuple[str, ...], instruments: Instruments, rules: MarginRules) -> Int64:
    """Return (TRAITS, S) what the rules of a policy may ask about each symbol."""
    traits = np.empty((TRAITS, len(symbols)), np.int64)
    traits[FACTOR], traits[MARGINABLE] = instruments.leverage, instruments.marginable
    traits[STOCK] = instruments.is_stock
    traits[OWN_LONG], traits[OWN_SHORT] = own_rates(symbols, instruments.house_rate, rules)
    return traits


def own_rates(symbols: tuple[str, ...], house_rate: Int64, rules: MarginRules) -> tuple[Int64, Int64]:
    """Return (S,) rates of long and short positions: the greater of the desk's and the policy's own."""
    if not rules.symbol_rates:
        return house_rate, house_rate
    counts = rules.house is not None and rules.house.own_rates
    own_long = house_rate.copy() if counts else np.full_like(house_rate, -1)
    own_short = own_long.copy()
    named = {rate.symbol: rate for rate in rules.symbol_rates}
    for s, symbol in enumerate(symbols):
        if rate := named.get(symbol):
            own_long[s], own_short[s] = max(own_long[s], rate.long), max(own_short[s], rate.short)
    return own_long, own_short
