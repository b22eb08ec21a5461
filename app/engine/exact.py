"""
The exact definition of a margin report: the rows of clients, in whole cents.

A row depends on its own client's positions alone.
"""

from typing import Final

import numpy as np

from app.engine.arrays import Float64, Int8, Int32, Int64
from app.engine.jit import inlined
from app.engine.position_math import (
    client_effect,
    concentration_counts,
    fill_limits,
    house_terms,
    layer_requirement,
    value_of,
    with_concentration,
)
from app.engine.symbol_terms import H_CODE, H_FLOOR, H_RATE, X_CODE, X_FLOOR, X_RATE
from app.engine.units import MISSING, MONEY_LIMIT, NOT_ASKED, REQUIREMENT_LIMIT

# Rows of the totals, one column a client, in cents.
LONG, SHORT, PORTFOLIO, EQUITY, EXCHANGE, HOUSE, REQUIREMENT, EXCESS, SHORTFALL = range(9)
TOTALS: Final = 9
# Rows of the figures of positions, one column a position.
LINE_VALUE, LINE_EXCHANGE, LINE_HOUSE, LINE_REQUIREMENT, LINE_X_RATE, LINE_H_RATE, LINE_X_CODE, LINE_H_CODE = range(8)
LINE_FIGURES: Final = 8
# Status of a client's row; UNDECIDED: it is not written yet.
COMPLETE, UNPRICED, OVER_LIMIT = range(3)
UNDECIDED: Final = -1
# Numbers of a policy.
FLAT_RATE, CLIENT_RATE, ASKS_EXCHANGE, ASKS_HOUSE = range(4)

Sums = tuple[np.int64, np.int64, np.int64, np.int64, np.int64]
LayerFigures = tuple[np.int64, np.int64, np.int64]


@inlined
def fill_values(symbol_index: Int32, quantity: Int64, price: Int64, unit: Float64, values: Int64) -> None:
    """Write the market values of the positions, in cents."""
    for i in range(len(quantity)):
        s = np.uint32(symbol_index[i])
        values[i] = value_of(quantity[i], price[s], unit[s])


@inlined
def sum_values(values: Int64, i: np.int64, j: np.int64) -> tuple[np.int64, np.int64, int]:
    """Return long and short market value of the positions i to j, and the status of these figures."""
    net = gross = np.int64(0)
    within = True
    for k in range(i, j):
        value = values[np.uint64(k)]
        if value == MISSING:
            return np.int64(0), np.int64(0), UNPRICED
        net += value
        gross += abs(value)
        within &= gross < MONEY_LIMIT
    return (gross + net) >> 1, (net - gross) >> 1, COMPLETE if within else OVER_LIMIT


@inlined
def write_totals(out: Int64, c: int, sums: Sums, loan: np.int64) -> None:
    """Write a complete client's row from long and short value, exchange, house and effective requirement."""
    long, short, exchange, house, requirement = sums
    equity = long + short - loan
    out[LONG, c], out[SHORT, c], out[PORTFOLIO, c], out[EQUITY, c] = long, short, long + short, equity
    out[EXCHANGE, c], out[HOUSE, c], out[REQUIREMENT, c] = exchange, house, requirement
    out[EXCESS, c], out[SHORTFALL, c] = equity - requirement, max(np.int64(0), requirement - equity)


@inlined
def write_line(lines: Int64, i: np.int64, value: np.int64, exchange: LayerFigures, house: LayerFigures) -> None:
    """Write a position's figures from its value and the amount, rate and code of each layer."""
    lines[LINE_VALUE, i], lines[LINE_REQUIREMENT, i] = value, max(exchange[0], house[0], np.int64(0))
    lines[LINE_EXCHANGE, i], lines[LINE_X_RATE, i], lines[LINE_X_CODE, i] = exchange
    lines[LINE_HOUSE, i], lines[LINE_H_RATE, i], lines[LINE_H_CODE, i] = house


@inlined
def write_missing(figures: Int64, first: int, last: int) -> None:
    """Mark every figure of these columns."""
    for k in range(figures.shape[0]):
        for i in range(first, last):
            figures[k, i] = MISSING


@inlined
def exact_client_rows(  # noqa: C901, PLR0913 -- columns
    first: int, last: int, offsets: Int64, symbol_index: Int32, quantity: Int64, loan: Int64, client_rate: Int64,
    price: Int64, unit: Float64, terms: Int64, policy: Int64, rule: Int64, values: Int64, limits: Int64, status: Int8,
    out: Int64, lines: Int64,
) -> None:  # fmt: skip
    """Write the rows of the clients that are UNDECIDED, and the figures of their positions unless `lines` is empty."""
    asks_exchange, asks_house, client_rule = policy[ASKS_EXCHANGE] != 0, policy[ASKS_HOUSE] != 0, policy[CLIENT_RATE]
    for c in range(first, last):
        if status[c] != UNDECIDED:
            continue
        i, j = offsets[c], offsets[c + 1]
        fill_values(symbol_index[i:j], quantity[i:j], price, unit, values)
        long, short, state = sum_values(values, np.int64(0), j - i)
        exchange = house = requirement = np.int64(0)
        replacing, least = client_effect(client_rule, client_rate[c])
        house_asks, concentrates = asks_house or least >= 0, concentration_counts(rule, loan[c], replacing)
        if concentrates:
            fill_limits(rule, 0, long, limits)
            fill_limits(rule, 1, -short, limits)
        for p in range(i, j if state == COMPLETE else i):
            k = np.uint64(p)  # known not to count from the end
            s, amount, side = np.uint32(symbol_index[k]), values[p - i], np.uint64(quantity[k] < 0)
            value = abs(amount)
            x = h = np.int64(NOT_ASKED)
            if asks_exchange and terms[s, side, X_RATE] >= 0:
                x = layer_requirement(value, quantity[k], terms[s, side, X_RATE], terms[s, side, X_FLOOR])
                exchange += x
            rate, floor, code = terms[s, side, H_RATE], terms[s, side, H_FLOOR], terms[s, side, H_CODE]
            if concentrates and rate >= 0:
                rate, code = with_concentration(rule, side, limits, value, rate, code)
            rate, floor, code = house_terms(rate, floor, code, side, replacing, least)
            if rate >= 0:
                h = layer_requirement(value, quantity[k], rate, floor)
                house += h
                house_asks = True
            requirement += max(x, h, np.int64(0))
            if exchange + house >= REQUIREMENT_LIMIT:
                state = OVER_LIMIT
                break
            if lines.shape[1]:
                by_exchange = (x, terms[s, side, X_RATE], terms[s, side, X_CODE])
                write_line(lines, np.int64(p), amount, by_exchange, (h, rate, code))
        status[c] = state
        if state == COMPLETE:
            exchange = exchange if asks_exchange else np.int64(NOT_ASKED)
            house = house if house_asks else np.int64(NOT_ASKED)
            write_totals(out, c, (long, short, exchange, house, requirement), loan[c])
        else:
            write_missing(out, c, c + 1)
            if lines.shape[1]:
                write_missing(lines, i, j)
