"""
Bounds of a position's requirement while prices move: its price at a factor, and the extreme terms between two prices.

Searches for a boundary rest on this: between two prices the true requirement lies between the one by the largest and
the one by the smallest rate and amount a share that any rule has there.
"""

from typing import Final, NamedTuple

import numpy as np

from app.engine.arrays import Int32, Int64
from app.engine.exact import CLIENT_RATE
from app.engine.jit import inlined
from app.engine.position_math import (
    client_effect,
    concentration_counts,
    house_terms,
    layer_requirement,
    value_of,
    with_concentration,
)
from app.engine.rules import COUNT, STEPS
from app.engine.symbol_terms import CENTS_PER_UNIT, H_CODE, H_FLOOR, H_RATE, TERM_WIDTH, X_FLOOR, X_RATE, side_terms
from app.engine.units import PRICE_SCALE

# Which end of a range of terms.
MOST, LEAST = range(2)

# Rows of constant terms, one column a position: rate and amount a share, and the prices between which they hold.
CONSTANT_RATE, CONSTANT_FLOOR, VALID_FROM, VALID_TO = range(4)
CONSTANT_WIDTH: Final = 4
ANY_PRICE: Final = np.iinfo(np.int64).max

LAYER_WIDTH: Final = TERM_WIDTH // 2
Pair = tuple[np.int64, np.int64]


class Market(NamedTuple):
    """What is known of each symbol, and the policy; see `Prices`, `symbol_terms` and `PackedRules`."""

    price: Int64
    traits: Int64
    terms: Int64
    layers: Int64
    rule: Int64


class Holder(NamedTuple):
    """One client: its positions, its loan, and how the policy treats it."""

    symbols: Int32
    quantity: Int64
    loan: np.int64
    replacing: np.int64
    least: np.int64
    concentrates: bool


@inlined
def holder_of(symbols: Int32, quantity: Int64, loan: np.int64, own: np.int64, numbers: Int64, rule: Int64) -> Holder:
    """Return a client with what its own rate and its loan make of the policy."""
    replacing, least = client_effect(numbers[CLIENT_RATE], own)
    return Holder(symbols, quantity, loan, replacing, least, concentration_counts(rule, loan, replacing))


@inlined
def moved_price(base: np.int64, factor: np.int64) -> np.int64:
    """Return base x factor, the factor and the prices in 1e-8, rounded half up and at least 1; at most 1e18."""
    units = np.int64(np.rint(base * (factor / PRICE_SCALE)))
    rest = base * factor - units * PRICE_SCALE  # both wrap; their difference is small, so it is exact
    return max(units + (rest + PRICE_SCALE // 2) // PRICE_SCALE, np.int64(1))


@inlined
def size_of(quantity: np.int64, price: np.int64) -> np.int64:
    """Return the value of a position at a price, without its sign, in cents."""
    return abs(value_of(quantity, price, price * CENTS_PER_UNIT))


@inlined
def extreme_terms(  # noqa: PLR0913 -- a range of prices, and which end of the range of terms
    market: Market, symbol: np.uint32, side: int, layer: int, low: np.int64, high: np.int64, end: int
) -> Pair:
    """Return the MOST or LEAST rate and amount a share that a layer asks at prices from low to high."""
    row = market.layers[layer, side]
    if row[COUNT] == 0:  # they do not depend on the price
        at = layer * LAYER_WIDTH
        return market.terms[symbol, side, at], market.terms[symbol, side, at + 1]
    rate, floor, _ = side_terms(row, low, market.traits, symbol, side)
    for k in range(row[COUNT]):
        bound = row[STEPS + k]
        if low < bound <= high:  # at the bound the next step begins
            other, amount, _ = side_terms(row, bound, market.traits, symbol, side)
            rate = max(rate, other) if end == MOST else min(rate, other)
            floor = max(floor, amount) if end == MOST else min(floor, amount)
    return np.int64(rate), np.int64(floor)


@inlined
def effective_terms(holder: Holder, side: int, exchange: Pair, house: Pair) -> Pair:
    """
    Return the rate (-1: no requirement) and amount a share of both layers in one, the client's own rate included.

    The greater of two requirements for one position is that of the greater rate and the greater amount a share, since
    rounding keeps order.
    """
    rate, floor, _ = house_terms(house[0], house[1], np.int64(0), side, holder.replacing, holder.least)
    return max(rate, exchange[0]), max(floor, exchange[1])


@inlined
def fill_constant_terms(market: Market, holder: Holder, k: int, constant_terms: Int64) -> None:
    """
    Write a position's effective terms today, and the range of prices over which they are constant: four numbers.

    Where concentration may change them they hold at no price.
    """
    s, side = holder.symbols[k], 1 if holder.quantity[k] < 0 else 0
    price, row = market.price[s], market.terms[s, side]
    since, until = np.int64(0), np.int64(ANY_PRICE)
    for layer in range(2):
        steps = market.layers[layer, side]
        for step in range(steps[COUNT]):
            bound = steps[STEPS + step]
            if bound <= price:
                since = max(since, bound)
            else:
                until = min(until, bound)
    if holder.concentrates and row[H_RATE] >= 0:
        since = until
    rate, floor = effective_terms(holder, side, (row[X_RATE], row[X_FLOOR]), (row[H_RATE], row[H_FLOOR]))
    (
        constant_terms[CONSTANT_RATE, k],
        constant_terms[CONSTANT_FLOOR, k],
        constant_terms[VALID_FROM, k],
        constant_terms[VALID_TO, k],
    ) = rate, floor, since, until


@inlined
def requirement_of(value: np.int64, quantity: np.int64, terms: Pair) -> np.int64:
    """Return the requirement in cents of a position of this size by these terms."""
    return layer_requirement(value, quantity, terms[0], terms[1]) if terms[0] >= 0 else np.int64(0)


@inlined
def requirement_today(market: Market, holder: Holder, k: int, value: np.int64, limits: Int64) -> np.int64:
    """Return the requirement of position k at today's terms, given its size `value` and the concentration limits."""
    s, side = holder.symbols[k], 1 if holder.quantity[k] < 0 else 0
    row = market.terms[s, side]
    rate = row[H_RATE]
    if holder.concentrates and rate >= 0:
        rate, _ = with_concentration(market.rule, np.uint64(side), limits, value, rate, row[H_CODE])
    terms = effective_terms(holder, side, (row[X_RATE], row[X_FLOOR]), (rate, row[H_FLOOR]))
    return requirement_of(value, holder.quantity[k], terms)
