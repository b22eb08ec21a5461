"""A policy's terms of each symbol: everything in a requirement that does not depend on the client."""

from typing import Final

import numpy as np

from app.engine.arrays import BOOL, INT64, INT64_3D, INT64_3D_OUT, VOID, Bool, Int64
from app.engine.jit import inlined, kernel
from app.engine.rules import CAP, COUNT, FLOOR, LEVERAGE, MAX_STEPS, NOT_MARGINABLE, OWN_RATES, RATE, STEPS
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
"""Value in cents of a millionth of a unit at a price of 1e-8."""


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


@inlined
def fill_side(  # noqa: PLR0913 -- one column an argument
    side: Int64, price: Int64, leverage: Int64, marginable: Bool, own: Int64, terms: Int64, row: int, first: int
) -> None:
    """Write what one side of a layer asks of each symbol: three columns of `terms[:, row]`, from `first` on."""
    for s in range(len(price)):
        rate, floor, code = side_terms(side, price[s], abs(leverage[s]), own[s], marginable[s])
        terms[s, row, first], terms[s, row, first + 1], terms[s, row, first + 2] = rate, floor, code


@kernel(VOID, INT64_3D, INT64, INT64, BOOL, INT64, INT64, BOOL, INT64_3D_OUT)
def fill_terms(  # noqa: PLR0913 -- one column an argument
    layers: Int64,
    price: Int64,
    leverage: Int64,
    marginable: Bool,
    own_long: Int64,
    own_short: Int64,
    is_stock: Bool,
    terms: Int64,
) -> None:
    """Write what each symbol asks, long and short: (S, 2, TERM_WIDTH)."""
    for layer in range(2):
        first = X_RATE if layer == 0 else H_RATE
        fill_side(layers[layer, 0], price, leverage, marginable, own_long, terms, 0, first)
        fill_side(layers[layer, 1], price, leverage, marginable, own_short, terms, 1, first)
    for s in range(len(price)):
        for row in range(2):
            terms[s, row, H_CODE] |= IS_STOCK if is_stock[s] else 0
