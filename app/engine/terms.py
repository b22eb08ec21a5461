"""What a policy asks of one unit of each symbol: everything in a requirement that does not depend on the client."""

from typing import Final

import numpy as np

from app.engine.arrays import BOOL, FLOAT64_OUT, INT64, INT64_3D, INT64_3D_OUT, VOID, Bool, Float64, Int64
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
)
from app.engine.units import RATE_SCALE

# Columns of a symbol's terms: rate and amount a share that each layer asks of that side (rate -1 = it asks nothing),
# and a code that says which rules gave them.
X_RATE, X_FLOOR, X_CODE, H_RATE, H_FLOOR, H_CODE = range(6)
TERM_WIDTH: Final = 6

# Bits of a code. The number of the price step stands from bit 8 on, that of the concentration step from bit 16 on.
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
"""Cents that a millionth of a unit is worth at a price of 1e-8."""


@inlined
def scaled_rate(rate: np.int64, factor: np.int64) -> np.int64:
    """Return rate x factor, all in 1e-4, rounded half up."""
    return (rate * factor + RATE_SCALE // 2) // RATE_SCALE


@inlined
def side_terms(side: Int64, price: np.int64, factor: np.int64, own: np.int64, marginable: bool) -> tuple[int, int, int]:  # noqa: FBT001 -- kernels pass by position
    """Return rate, amount a share and code that one side of a layer asks at this price."""
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
    if not marginable and side[NOT_MARGINABLE] > rate:
        rate, code = side[NOT_MARGINABLE], BY_NOT_MARGINABLE
    return rate, floor, code if rate >= 0 else 0


@kernel(VOID, INT64_3D, INT64, INT64, BOOL, INT64, INT64, BOOL, FLOAT64_OUT, INT64_3D_OUT)
def fill_terms(  # noqa: PLR0913 -- one column an argument
    layers: Int64,
    price: Int64,
    leverage: Int64,
    marginable: Bool,
    own_long: Int64,
    own_short: Int64,
    is_stock: Bool,
    unit: Float64,
    terms: Int64,
) -> None:
    """
    Write what each symbol is worth and what it asks.

    Args:
        unit: (S,) cents per millionth of a unit, a float64 estimate; NaN = price missing.
        terms: (S, 2, TERM_WIDTH) long and short.
    """
    for s in range(len(price)):
        unit[s] = price[s] * CENTS_PER_UNIT if price[s] > 0 else np.nan
        factor = abs(leverage[s])
        for side in range(2):
            own = own_short[s] if side else own_long[s]
            row = terms[s, side]
            row[X_RATE], row[X_FLOOR], row[X_CODE] = side_terms(layers[0, side], price[s], factor, own, marginable[s])
            row[H_RATE], row[H_FLOOR], row[H_CODE] = side_terms(layers[1, side], price[s], factor, own, marginable[s])
            row[H_CODE] |= IS_STOCK if is_stock[s] else 0
