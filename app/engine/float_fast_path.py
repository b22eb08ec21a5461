"""
The fast path: rows of clients in float64, the same cents as `exact` in a fraction of the time, or UNDECIDED.

Whole numbers below 2^53 are exact in float64, and so are their sums. What may go wrong is a rounding: a value, or an
amount a share, is rounded from an estimate. Few roundings put it off by 1e-15 of itself at most, so below `LIMIT` its
nearest cent is the right one unless it lies beyond `AMBIGUOUS`; a value that does is decided by exact arithmetic, where
its price has so many decimals that the estimate cannot be trusted there too (`fill_unit_values`). A share of a value is
a multiple of 1e-4, so adding a half and half of 1e-4 before cutting off rounds half up whatever the last bits are. A
client beyond `LIMIT`, with an amount a share near half a cent, or without a price is left UNDECIDED: its row is written
by exact arithmetic.
"""

from typing import Final

import numpy as np

from app.engine.arrays import (
    BOOLEAN,
    FLOAT32_3D_OUT,
    FLOAT64_2D_OUT,
    FLOAT64_3D_OUT,
    INT64,
    INT64_2D,
    INT64_3D,
    VOID,
    Float32,
    Float64,
    Int8,
    Int32,
    Int64,
    UInt8,
)
from app.engine.exact import (
    ASKS_EXCHANGE,
    ASKS_HOUSE,
    CLIENT_RATE,
    COMPLETE,
    write_totals,
)
from app.engine.jit import inlined, kernel
from app.engine.position_math import NO_CONCENTRATION, REPLACES, client_effect, value_of
from app.engine.rules import CONC_RATES, CONC_STEPS, DEBIT, MAX_STEPS, OUT_OF_REACH, STOCKS_ONLY, STYLE, TOP, Style
from app.engine.symbol_terms import CENTS_PER_UNIT, H_CODE, H_FLOOR, H_RATE, IS_STOCK, X_FLOOR, X_RATE
from app.engine.units import NOT_ASKED, PRICE_SCALE, RATE_SCALE

LIMIT: Final = 2.0**34
"""Cents. Clients whose gross value or requirement reaches this are left to the exact arithmetic."""
AMBIGUOUS: Final = 0.4999
"""Distance from the nearest whole number beyond which an estimate does not determine it."""
RATE: Final = 1e-4
ROUND_SHARE: Final = 0.50005
"""Half a cent, and half of the smallest step between shares."""
BORDER: Final = 1e-6
"""Distance from a whole number of 1e-4 within which a share may lie on the border of a concentration step."""
ADDITIVE: Final = int(Style.ADDITIVE)

# Columns of a symbol's unit value.
UNIT_VALUE, SAFE_UP_TO = range(2)
ABOVE_CENTS: Final = 1.0000000000000004e-12
"""
`CENTS_PER_UNIT` and 3.46 x 2^-53 of it. A value is rounded three times, by 2^-53 each: price or quantity as float64
(one of them beyond 2^53; both only beyond `LIMIT`), and two products. So it stays above the exact one, by less than
2^-50.
"""
# Columns of a symbol's side: rates in 1e-4 (0 = none), whether concentration counts and whether a floor may bind.
E_EXCHANGE, E_HOUSE, E_CONCENTRATES, E_FLOOR = range(4)
ESTIMATE_WIDTH: Final = 4


@inlined
def binding(price: np.int64, rate: np.int64, floor: np.int64) -> float:
    """Return the amount in cents a millionth, 0 where the rate always asks as much."""
    if rate < 0 or floor <= price * min(0.999, 0.66 * RATE * rate):
        return 0.0
    return floor * CENTS_PER_UNIT


@kernel(BOOLEAN, INT64, INT64_3D, INT64, INT64_2D, FLOAT32_3D_OUT, FLOAT64_3D_OUT)
def fill_estimates(
    price: Int64, terms: Int64, policy: Int64, concentration: Int64, rates: Float32, floors: Float64
) -> bool:
    """
    Write each symbol's terms, and return whether estimates can say which layers have a requirement at all.

    A floor that cannot exceed rate x value is dropped: one of at most the price and 2/3 of rate x price a share, since
    a value is at most 1.5 times its whole cents once these are not 0.

    Args:
        price: (S,) prices that the rules can use.
        terms: (S, 2, TERM_WIDTH) of each symbol, long and short.
        policy: numbers of the policy.
        concentration: (2, CONC_WIDTH) long and short.
        rates: (S, 2, ESTIMATE_WIDTH) out.
        floors: (S, 2, 2) out: cents a millionth that the layers ask at least; 0 = none.
    """
    stated = True
    for s in range(len(price)):
        for side in range(2):
            row, rate, floor = terms[s, side], rates[s, side], floors[s, side]
            stated &= row[H_RATE] < 0
            stocks = concentration[side, STOCKS_ONLY] == 0 or row[H_CODE] & IS_STOCK != 0
            rate[E_EXCHANGE], rate[E_HOUSE] = max(row[X_RATE], 0), max(row[H_RATE], 0)
            rate[E_CONCENTRATES] = stocks and row[H_RATE] >= 0
            floor[0] = binding(price[s], row[X_RATE], row[X_FLOOR])
            floor[1] = binding(price[s], row[H_RATE], row[H_FLOOR])
            rate[E_FLOOR] = floor[0] + floor[1] > 0
    return bool(policy[ASKS_HOUSE] != 0 or (stated and policy[CLIENT_RATE] != REPLACES))


@kernel(VOID, INT64, FLOAT64_2D_OUT)
def fill_unit_values(price: Int64, unit_value: Float64) -> None:
    """
    Write the value of a millionth of each symbol, a little too much, and up to which value that is safe.

    Unit value x quantity exceeds the exact value by at most 2^-50 of it. Where every value that a quantity can have is
    a multiple of a larger number than that, so is every half cent: none lies between, and rounding to the nearest cent
    rounds the exact value, its ties away from zero.

    Args:
        price: (S,) 0 = missing.
        unit_value: (S, 2) out: cents a millionth, NaN = price missing; largest value in cents that is never ambiguous.
    """
    for s in range(len(price)):
        multiple = 1
        while multiple < PRICE_SCALE and price[s] % (10 * multiple) == 0:
            multiple *= 10
        unit_value[s, UNIT_VALUE] = price[s] * ABOVE_CENTS if price[s] > 0 else np.nan
        unit_value[s, SAFE_UP_TO] = multiple * CENTS_PER_UNIT * 2.0**50 - 1


@inlined
def nearest_value(quantity: np.int64, price: np.int64, unit_value: float, safe_up_to: float) -> float:
    """Return quantity x price in cents, rounded half away from zero; NaN without a price, inexact beyond `LIMIT`."""
    estimate = quantity * unit_value
    value = np.rint(estimate)
    if abs(value) > safe_up_to and abs(estimate - value) > AMBIGUOUS:
        value = np.float64(value_of(quantity, price, unit_value))
    return value  # type: ignore[no-any-return]


@inlined
def share(value: float, rate: float) -> float:
    """Return value x rate (in 1e-4) in cents, rounded half up; both are at least 0."""
    return np.floor(value * (rate * RATE) + ROUND_SHARE)  # type: ignore[no-any-return]


@inlined
def sides(net: float, gross: float) -> tuple[np.int64, np.int64]:
    """Return long and short market value."""
    return np.int64((gross + net) * 0.5), np.int64((net - gross) * 0.5)


@inlined
def flat_rows(  # noqa: PLR0913 -- columns
    first: int, last: int, offsets: Int64, symbol_index: Int32, quantity: Int64, loan: Int64, client_rate: Int64,
    price: Int64, unit_value: Float64, flat_rate: np.int64, status: Int8, out: Int64,
) -> None:  # fmt: skip
    """Write the rows that float64 decides, of clients under one rate for every position."""
    for c in range(first, last):
        net = gross = house = 0.0
        rate = RATE * (client_rate[c] if client_rate[c] >= 0 else flat_rate)
        for p in range(offsets[c], offsets[c + 1]):
            k = np.uint64(p)  # known not to count from the end
            s = np.uint32(symbol_index[k])
            value = nearest_value(quantity[k], price[s], unit_value[s, UNIT_VALUE], unit_value[s, SAFE_UP_TO])
            net += value
            gross += abs(value)
            house += np.floor(abs(value) * rate + ROUND_SHARE)
        if gross < LIMIT:
            owed, (long, short) = np.int64(house), sides(net, gross)
            status[c] = COMPLETE
            write_totals(out, c, (long, short, np.int64(NOT_ASKED), owed, owed), loan[c])


@inlined
def steps_of(rule: Float64) -> int:
    """Return how many concentration steps there are, on the side that has more."""
    steps = 0
    for k in range(MAX_STEPS if rule[0, STYLE] != NO_CONCENTRATION else 0):
        steps += min(rule[0, CONC_STEPS + k], rule[1, CONC_STEPS + k]) < OUT_OF_REACH
    return steps


@inlined
def layered_rows(  # noqa: C901, PLR0913 -- columns
    first: int, last: int, offsets: Int64, symbol_index: Int32, quantity: Int64, loan: Int64, client_rate: Int64,
    price: Int64, unit_value: Float64, rates: Float32, floors: Float64, policy: Int64, rule: Float64, steps_at: UInt8,
    values: Float64, status: Int8, out: Int64,
) -> None:  # fmt: skip
    """
    Write the rows that float64 decides, of clients under a policy in layers.

    How many concentration steps hold is looked up by the share, or counted where it may lie on the border of one.
    """
    asks_exchange, asks_house = policy[ASKS_EXCHANGE] != 0, policy[ASKS_HOUSE] != 0
    additive, all_steps = rule[0, STYLE] == ADDITIVE, steps_of(rule)
    less = 0.0 if additive else 1.0
    scale_long = scale_short = 0.0
    for c in range(first, last):
        i, j = offsets[c], offsets[c + 1]
        net = gross = exchange = house = requirement = 0.0
        ambiguous = False
        for p in range(i, j):
            k = np.uint64(p)  # known not to count from the end
            s = np.uint32(symbol_index[k])
            value = nearest_value(quantity[k], price[s], unit_value[s, UNIT_VALUE], unit_value[s, SAFE_UP_TO])
            values[np.uint64(p - i)] = value
            net += value
            gross += abs(value)
        if not gross < LIMIT:
            continue
        long, short = sides(net, gross)
        replacing, least_rate = client_effect(policy[CLIENT_RATE], client_rate[c])
        replaced, least, steps = replacing >= 0, max(np.float64(least_rate), 0.0), 0
        if all_steps and not replaced and loan[c] >= rule[0, DEBIT]:
            steps = all_steps
            scale_long = RATE_SCALE / long if long != 0 else 0.0
            scale_short = -RATE_SCALE / short if short != 0 else 0.0
        for p in range(i, j):
            k = np.uint64(p)
            s, side, value = np.uint32(symbol_index[k]), np.uint64(quantity[k] < 0), abs(values[np.uint64(p - i)])
            x, rate = share(value, np.float64(rates[s, side, E_EXCHANGE])), np.float64(rates[s, side, E_HOUSE])
            if steps:
                share_of_side = value * (scale_short if side else scale_long)
                held = np.uint64(steps_at[side, np.uint64(share_of_side)])
                if abs(share_of_side - np.rint(share_of_side)) < BORDER:  # whole numbers say which side of it
                    held, total = np.uint64(0), np.float64(-short if side else long)
                    for step in range(steps):
                        held += np.uint64(value * RATE_SCALE > rule[side, CONC_STEPS + step] * total - less)
                held = np.uint64(CONC_RATES) + (held if rates[s, side, E_CONCENTRATES] else np.uint64(0))
                asks = rule[side, held]
                rate = min(rate + asks, rule[side, TOP]) if additive else max(rate, asks)
            h = share(value, np.float64(replacing) if replaced else max(rate, 0.0 if side else least))
            if rates[s, side, E_FLOOR] != 0:
                x_floor, h_floor = abs(quantity[k]) * floors[s, side, 0], abs(quantity[k]) * floors[s, side, 1]
                ambiguous |= (abs(x_floor - np.rint(x_floor)) > AMBIGUOUS) | (
                    abs(h_floor - np.rint(h_floor)) > AMBIGUOUS
                )
                x, h = max(x, np.rint(x_floor)), h if replaced else max(h, np.rint(h_floor))
            exchange += x
            house += h
            requirement += max(x, h)
        if not ambiguous and exchange + house < LIMIT:
            by_exchange = np.int64(exchange) if asks_exchange else np.int64(NOT_ASKED)
            by_house = np.int64(house) if asks_house or least_rate >= 0 else np.int64(NOT_ASKED)
            status[c] = COMPLETE
            write_totals(out, c, (long, short, by_exchange, by_house, np.int64(requirement)), loan[c])
