"""
The kernel: what a range of clients has and owes, from columns to columns.

One source, three compiled forms: for a policy that asks one rate of everything, for any policy, and for any policy with
the figures of every position. A client's row depends on that client's positions alone, so any split of the clients
over threads gives the same bytes.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from app.engine.arrays import (
    FLOAT64,
    INT,
    INT8_OUT,
    INT32,
    INT64,
    INT64_2D,
    INT64_2D_OUT,
    INT64_3D,
    VOID,
    Float64,
    Int8,
    Int32,
    Int64,
)
from app.engine.jit import inlined, kernel
from app.engine.lines import asked, concentrated, share_of, value_of
from app.engine.rules import DEBIT, STYLE, ClientRate, Style
from app.engine.terms import BY_CLIENT_RATE, H_CODE, H_FLOOR, H_RATE, X_CODE, X_FLOOR, X_RATE
from app.engine.units import MISSING, MONEY_LIMIT, NOT_ASKED, REQUIREMENT_LIMIT

# Rows of the totals, one column a client, in cents.
LONG, SHORT, PORTFOLIO, EQUITY, EXCHANGE, HOUSE, REQUIREMENT, EXCESS, SHORTFALL = range(9)
TOTALS: Final = 9
# Rows of the figures of positions.
LINE_VALUE, LINE_EXCHANGE, LINE_HOUSE, LINE_REQUIREMENT, LINE_X_RATE, LINE_H_RATE, LINE_X_CODE, LINE_H_CODE = range(8)
LINE_FIGURES: Final = 8
# What a client's row is worth.
COMPLETE, UNPRICED, OVER_LIMIT = range(3)

# Numbers of a policy that a kernel takes as one array.
FLAT_RATE, CLIENT_RATE, ASKS_EXCHANGE, ASKS_HOUSE = range(4)

IGNORED: Final = int(ClientRate.IGNORED)
REPLACES: Final = int(ClientRate.REPLACES)
AT_LEAST: Final = int(ClientRate.AT_LEAST)
NO_CONCENTRATION: Final = int(Style.NONE)


@inlined
def client_values(
    a: int, b: int, symbol_index: Int32, quantity: Int64, price: Int64, unit: Float64, values: Int64
) -> tuple[int, int, int]:
    """Write the values of positions a to b; return long and short market value and what they are worth."""
    net = gross = np.int64(0)
    for i in range(a, b):
        s = symbol_index[i]
        value = value_of(quantity[i], price[s], unit[s])
        values[i - a] = value
        net += value
        gross += abs(value)
        if np.uint64(gross) >= np.uint64(MONEY_LIMIT):  # abs(MISSING) is MISSING, whose top bit is set
            return np.int64(0), np.int64(0), why_not(a, b, symbol_index, price)
    return (gross + net) >> 1, (net - gross) >> 1, COMPLETE


@inlined
def why_not(a: int, b: int, symbol_index: Int32, price: Int64) -> int:
    """Return UNPRICED if any of the positions has no price, else OVER_LIMIT."""
    for i in range(a, b):
        if price[symbol_index[i]] == 0:
            return UNPRICED
    return OVER_LIMIT


@inlined
def write_totals(out: Int64, c: int, sums: tuple[int, int, int, int, int], loan: int) -> None:
    """Write a complete client's row from long and short value, exchange, house and effective requirement."""
    long, short, exchange, house, requirement = sums
    equity = long + short - loan
    out[LONG, c], out[SHORT, c], out[PORTFOLIO, c], out[EQUITY, c] = long, short, long + short, equity
    out[EXCHANGE, c], out[HOUSE, c], out[REQUIREMENT, c] = exchange, house, requirement
    out[EXCESS, c], out[SHORTFALL, c] = equity - requirement, max(np.int64(0), requirement - equity)


@inlined
def write_line(lines: Int64, i: int, value: int, exchange: int, house: int) -> None:
    """Write the money of one position; its requirement is the greater of the two that are asked."""
    lines[LINE_VALUE, i], lines[LINE_EXCHANGE, i], lines[LINE_HOUSE, i] = value, exchange, house
    lines[LINE_REQUIREMENT, i] = max(exchange, house, np.int64(0))


@inlined
def write_missing(figures: Int64, first: int, last: int) -> None:
    """Mark every figure of these columns."""
    for k in range(figures.shape[0]):
        for i in range(first, last):
            figures[k, i] = MISSING


@inlined
def most_positions(first: int, last: int, offsets: Int64) -> int:
    """Return the largest number of positions that one of these clients has."""
    most = np.int64(0)
    for c in range(first, last):
        most = max(most, offsets[c + 1] - offsets[c])
    return most


@inlined
def house_terms(
    term: Int64, rule: Int64, value: int, total: int, own: int, client_rule: int
) -> tuple[int, int, int]:
    """
    Return rate, amount a share and code that the house asks of a position.

    Args:
        value: of the position, without its sign.
        total: of the portfolio of its side; 0 = concentration does not apply.
        own: the client's own rate, -1 = none.
        client_rule: what that rate does to this side.
    """
    rate, floor, code = term[H_RATE], term[H_FLOOR], term[H_CODE]
    if total > 0 and rate >= 0:
        rate, code = concentrated(rule, value, total, rate, code)
    if own >= 0 and client_rule == REPLACES:
        return own, np.int64(0), np.int64(BY_CLIENT_RATE)
    if client_rule == AT_LEAST and own > rate:
        return own, floor, np.int64(BY_CLIENT_RATE)
    return rate, floor, code


def _compiled(*, flat: bool, lined: bool) -> Callable[..., None]:
    """Compile the kernel; what the two constants rule out is not in it."""

    @kernel(
        VOID, INT, INT, INT64, INT32, INT64, INT64, INT64, INT64, FLOAT64, INT64_3D, INT64, INT64_2D, INT8_OUT,
        INT64_2D_OUT, INT64_2D_OUT,
    )  # fmt: skip
    def revalue(
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
        out: Int64,
        lines: Int64,
    ) -> None:
        values = np.empty(most_positions(first, last, offsets), np.int64)
        for c in range(first, last):
            a, b, own = offsets[c], offsets[c + 1], client_rate[c]
            long, short, state = client_values(a, b, symbol_index, quantity, price, unit, values)
            exchange = house = requirement = np.int64(0)
            if flat:
                rate = own if own >= 0 else policy[FLAT_RATE]
                for i in range(b - a):
                    house += share_of(abs(values[i]), rate)
                requirement, exchange = house, np.int64(NOT_ASKED)
            else:
                house_asks = policy[ASKS_HOUSE] or (policy[CLIENT_RATE] == AT_LEAST and own >= 0)
                applies = concentration[0, STYLE] != NO_CONCENTRATION and loan[c] >= concentration[0, DEBIT]
                for i in range(a, b):
                    if state != COMPLETE:
                        break
                    size, value = abs(quantity[i]), abs(values[i - a])
                    side = np.int64(quantity[i] < 0)
                    term = terms[symbol_index[i], side]
                    x, h = np.int64(NOT_ASKED), np.int64(NOT_ASKED)
                    if term[X_RATE] >= 0:
                        x = asked(value, size, term[X_RATE], term[X_FLOOR])
                        exchange += x
                    total = (-short if side else long) if applies else np.int64(0)
                    client_rule = IGNORED if side and policy[CLIENT_RATE] == AT_LEAST else policy[CLIENT_RATE]
                    rate, floor, code = house_terms(term, concentration[side], value, total, own, client_rule)
                    if rate >= 0:
                        h = asked(value, size, rate, floor)
                        house += h
                        house_asks = True
                    requirement += max(x, h, np.int64(0))
                    if exchange + house >= REQUIREMENT_LIMIT:
                        state = OVER_LIMIT
                    if lined:
                        write_line(lines, i, values[i - a], x, h)
                        lines[LINE_X_RATE, i], lines[LINE_X_CODE, i] = term[X_RATE], term[X_CODE]
                        lines[LINE_H_RATE, i], lines[LINE_H_CODE, i] = rate, code
                exchange = exchange if policy[ASKS_EXCHANGE] else np.int64(NOT_ASKED)
                house = house if house_asks else np.int64(NOT_ASKED)
            status[c] = state
            if state == COMPLETE:
                write_totals(out, c, (long, short, exchange, house, requirement), loan[c])
            else:
                write_missing(out, c, c + 1)
                if lined:
                    write_missing(lines, a, b)

    return revalue


revalue_flat: Final = _compiled(flat=True, lined=False)
revalue: Final = _compiled(flat=False, lined=False)
revalue_lines: Final = _compiled(flat=False, lined=True)
