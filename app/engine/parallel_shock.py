"""
Parallel shock: the distance to a boundary when all prices move by one factor, a search each way for each client.

A range of factors is safe if the client's state cannot change in it. Out of a call that needs a lower bound of the
excess, in a call an upper one, over all factors from `low` to `high`. By the most (or least) that rules ask in the
range, see `price_bounds`, every position's excess is monotone and concave in the factor, and two bounds hold:

- exactly: the sum of each position's less (or greater) figure at the two ends;
- up to twice the roundings: the less of the two sums at the ends (a concave function lies above its chord), or the
  greater of the two sums of one linear piece of each position (it lies below each of its pieces).

The first is sharp for small ranges, the second for large ones in which longs and shorts offset each other.
"""

from typing import Final, NamedTuple

import numpy as np

from app.engine.arrays import INT, INT32, INT64, INT64_2D, INT64_2D_OUT, INT64_3D, VOID, Int32, Int64
from app.engine.boundary_search import NOWHERE, search_for
from app.engine.jit import inlined, kernel
from app.engine.position_math import TOO_LARGE, fill_limits, share_of, with_concentration
from app.engine.price_bounds import (
    CONSTANT_FLOOR,
    CONSTANT_RATE,
    CONSTANT_WIDTH,
    LEAST,
    MOST,
    VALID_FROM,
    VALID_TO,
    Holder,
    Market,
    Pair,
    effective_terms,
    extreme_terms,
    fill_constant_terms,
    holder_of,
    moved_price,
    requirement_of,
    size_of,
)
from app.engine.rules import CONC_STEPS, MAX_STEPS, OUT_OF_REACH
from app.engine.symbol_terms import CENTS_PER_UNIT, H_CODE
from app.engine.units import MISSING, MONEY_LIMIT, PRICE_LIMIT, PRICE_SCALE, RATE_SCALE

TODAY: Final = PRICE_SCALE
"""Today's prices as a factor: steps are counted in 1e-8 of them."""
DROP_LIMIT: Final = TODAY
"""The largest drop: to nothing (that is, to the smallest price there is)."""
RISE_LIMIT: Final = 10 * TODAY
"""The largest rise: to eleven times today's prices."""
BEYOND: Final = 100 * TOO_LARGE
"""Sums stop at minus this; what a client has is far less, so the sign of a sum stays right."""
NEVER: Final = np.iinfo(np.int64).max
"""A concentration limit that no value exceeds."""
# Rows of the results, one column a client: steps of 1e-8 (NOWHERE: none) and portfolio values in cents.
DROP, RISE, DROP_VALUE, RISE_VALUE = range(4)
RESULTS: Final = 4


class Ends(NamedTuple):
    """Scratch: sizes and prices of positions at both ends of a range, and concentration limits there."""

    prices: Int64
    sizes: Int64
    at_low: Int64
    at_high: Int64
    across: Int64
    constant_terms: Int64


class Search(NamedTuple):
    """What one search needs to know."""

    market: Market
    holder: Holder
    ends: Ends
    direction: int
    in_call: bool


@inlined
def rounding(quantity: np.int64) -> float:
    """Return how far a position's value may be from quantity x price x factor, in cents: price and value round."""
    return 0.5 + abs(quantity) * CENTS_PER_UNIT


@inlined
def fill_ends(search: Search, low: np.int64, high: np.int64) -> None:
    """Write prices and sizes of the positions at both factors."""
    quantity, symbols, base = search.holder.quantity, search.holder.symbols, search.market.price
    prices, sizes = search.ends.prices, search.ends.sizes
    for k in range(len(quantity)):
        prices[0, k] = moved_price(base[symbols[k]], low)
        sizes[0, k] = size_of(quantity[k], prices[0, k])
        prices[1, k] = moved_price(base[symbols[k]], high)
        sizes[1, k] = size_of(quantity[k], prices[1, k])


@inlined
def fill_range_limits(search: Search, roundings: int) -> None:
    """
    Write the concentration limits for `range_rate`.

    value x 10,000 - share x total is proportional to the factor but for roundings, so its sign in a range is that at
    the ends: `at_low` and `at_high` allow for twice the roundings. `across` combines the two ends' extremes instead.
    """
    ends, rule = search.ends, search.market.rule
    totals, slack = np.zeros((2, 2), np.int64), np.zeros(2)
    for k in range(len(search.holder.quantity)):
        side = 1 if search.holder.quantity[k] < 0 else 0
        totals[0, side] += ends.sizes[0, k]
        totals[1, side] += ends.sizes[1, k]
        slack[side] += rounding(search.holder.quantity[k])
    sign = 1 if search.in_call else -1
    for side in range(2):
        fill_limits(rule, side, totals[0, side], ends.at_low)
        fill_limits(rule, side, totals[1, side], ends.at_high)
        fill_limits(rule, side, totals[1 if search.in_call else 0, side], ends.across)
        allowance = roundings * sign * np.int64(4 * (RATE_SCALE + 1) * slack[side] + 1)
        for k in range(MAX_STEPS):
            ends.at_low[side, k] += allowance
            ends.at_high[side, k] += allowance
            if rule[side, CONC_STEPS + k] == OUT_OF_REACH:  # no step, whatever the roundings
                ends.at_low[side, k] = ends.at_high[side, k] = ends.across[side, k] = NEVER


@inlined
def range_rate(search: Search, k: int, side: int, rate: np.int64, code: np.int64) -> np.int64:
    """Return the most (in a call: the least) that concentration makes of a rate over the range."""
    ends, rule = search.ends, search.market.rule
    low, high = ends.sizes[0, k], ends.sizes[1, k]
    at_low, _ = with_concentration(rule, np.uint64(side), ends.at_low, low, rate, code)
    at_high, _ = with_concentration(rule, np.uint64(side), ends.at_high, high, rate, code)
    across, _ = with_concentration(rule, np.uint64(side), ends.across, low if search.in_call else high, rate, code)
    return max(across, min(at_low, at_high)) if search.in_call else min(across, max(at_low, at_high))


@inlined
def range_terms(search: Search, k: int) -> Pair:
    """Return the most (in a call: the least) that the rules ask of position k over the range."""
    market, holder, end = search.market, search.holder, LEAST if search.in_call else MOST
    s, side = holder.symbols[k], 1 if holder.quantity[k] < 0 else 0
    low, high = search.ends.prices[0, k], search.ends.prices[1, k]
    exchange = extreme_terms(market, s, side, 0, low, high, end)
    rate, floor = extreme_terms(market, s, side, 1, low, high, end)
    if holder.concentrates and rate >= 0:
        rate = range_rate(search, k, side, rate, market.terms[s, side, H_CODE])
    return effective_terms(holder, side, exchange, (rate, floor))


@inlined
def linear_piece(low: np.int64, high: np.int64, quantity: np.int64, terms: Pair) -> Pair:
    """Return what the rule that binds at the low end, rate or amount a share, asks at both ends."""
    if terms[0] < 0:
        return np.int64(0), np.int64(0)
    by_rate, by_share = share_of(low, terms[0]), requirement_of(np.int64(0), quantity, terms)
    return (by_rate, share_of(high, terms[0])) if by_rate >= by_share else (by_share, by_share)


@inlined
def crossing(near: int, far: int, first: np.int64, second: np.int64, allowance: np.int64) -> int:
    """
    Return where to split a range over which what is left falls from `first` to `second`, about linearly.

    Before the roundings can matter; if they do from the start, behind where they can.
    """
    if near == far:
        return near - 1
    fall = float(first) - float(second)
    left = float(first) - (allowance if first > allowance else -allowance)
    guess = near + np.int64(min(max(left / fall, 0.0), 1.0) * (far - near)) if fall > 0 else near + (far - near) // 2
    return int(min(guess, far - 1))


@inlined
def last_safe(search: Search, near: int, far: int, roundings: int) -> int:
    """Return `far` if the client's state is today's at every step from near to far (see the module), else a guess."""
    one, other = TODAY + search.direction * near, TODAY + search.direction * far
    low, high = np.int64(min(one, other)), np.int64(max(one, other))
    quantities, prices, sizes = search.holder.quantity, search.ends.prices, search.ends.sizes
    constant_terms, in_call = search.ends.constant_terms, search.in_call
    fill_ends(search, low, high)
    if search.holder.concentrates:
        fill_range_limits(search, roundings)
    at_low = at_high = sharp = -search.holder.loan
    slack = 1.0
    for k in range(len(quantities)):
        quantity, terms = quantities[k], (constant_terms[CONSTANT_RATE, k], constant_terms[CONSTANT_FLOOR, k])
        if prices[0, k] < constant_terms[VALID_FROM, k] or prices[1, k] >= constant_terms[VALID_TO, k]:
            terms = range_terms(search, k)
        small, large = sizes[0, k], sizes[1, k]
        first, second = requirement_of(small, quantity, terms), requirement_of(large, quantity, terms)
        value_low, value_high = (small, large) if quantity > 0 else (-small, -large)
        slack += (1 + max(terms[0], np.int64(0)) / RATE_SCALE) * rounding(quantity) + 0.5
        if in_call:
            sharp += max(value_low - first, value_high - second)
            first, second = linear_piece(small, large, quantity, terms)
        else:
            sharp = max(sharp + min(value_low - first, value_high - second), np.int64(-BEYOND))
        at_low = max(at_low + value_low - first, np.int64(-BEYOND))
        at_high = max(at_high + value_high - second, np.int64(-BEYOND))
    allowance = roundings * np.int64(2 * slack)
    if in_call:  # count what is left until the call ends
        at_low, at_high, sharp = -1 - at_low, -1 - at_high, -1 - sharp
    if max(sharp, min(at_low, at_high) - allowance) >= 0:
        return far
    first, second = (at_low, at_high) if search.direction > 0 else (at_high, at_low)
    return crossing(near, far, first, second, allowance)


first_boundary = search_for(last_safe)


@inlined
def last_step(search: Search) -> np.int64:
    """Return the largest rise at which prices and gross value are within the limits of exact figures."""
    low, high = np.int64(0), np.int64(RISE_LIMIT)
    if fits(search, high):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if fits(search, middle):
            low = middle
        else:
            high = middle
    return low


@inlined
def fits(search: Search, rise: np.int64) -> bool:
    """Return whether prices and gross value are within the limits after a rise."""
    gross = np.int64(0)
    for k in range(len(search.holder.quantity)):
        base = search.market.price[search.holder.symbols[k]]
        if base * ((TODAY + rise) / TODAY) >= PRICE_LIMIT:
            return False
        gross += size_of(search.holder.quantity[k], moved_price(base, TODAY + rise))
        if gross >= MONEY_LIMIT:
            return False
    return True


@inlined
def value_at(search: Search, step: int) -> np.int64:
    """Return the portfolio value at a step."""
    value = np.int64(0)
    for k in range(len(search.holder.quantity)):
        quantity = search.holder.quantity[k]
        price = moved_price(search.market.price[search.holder.symbols[k]], np.int64(TODAY + search.direction * step))
        value += size_of(quantity, price) if quantity > 0 else -size_of(quantity, price)
    return value


@kernel(
    VOID, INT, INT, INT64, INT32, INT64, INT64, INT64, INT64, INT64, INT64_2D, INT64_3D, INT64_3D, INT64_2D,
    INT64, INT64_2D_OUT,
)  # fmt: skip
def fill_distances(  # noqa: PLR0913 -- columns
    first: int,
    last: int,
    offsets: Int64,
    symbol_index: Int32,
    quantity: Int64,
    loan: Int64,
    client_rate: Int64,
    excess: Int64,
    price: Int64,
    traits: Int64,
    terms: Int64,
    layers: Int64,
    rule: Int64,
    numbers: Int64,
    results: Int64,
) -> None:
    """Write the distances of the clients from `first` to `last`; `excess` is MISSING where a client is not complete."""
    market = Market(price, traits, terms, layers, rule)
    most = np.int64(0)
    for c in range(first, last):
        most = max(most, offsets[c + 1] - offsets[c])
    scratch, limits = np.empty((2, 2, most), np.int64), np.empty((3, 2, MAX_STEPS), np.int64)
    ends = Ends(scratch[0], scratch[1], limits[0], limits[1], limits[2], np.empty((CONSTANT_WIDTH, most), np.int64))
    for c in range(first, last):
        results[DROP, c], results[RISE, c] = NOWHERE, NOWHERE
        results[DROP_VALUE, c], results[RISE_VALUE, c] = MISSING, MISSING
        i, j = offsets[c], offsets[c + 1]
        if excess[c] == MISSING or i == j:
            continue
        holder = holder_of(symbol_index[i:j], quantity[i:j], loan[c], client_rate[c], numbers, rule)
        for k in range(j - i):
            fill_constant_terms(market, holder, k, ends.constant_terms)
        for way in range(2):
            search = Search(market, holder, ends, 1 if way else -1, bool(excess[c] < 0))
            step = first_boundary(search, int(last_step(search)) if way else DROP_LIMIT)
            results[RISE if way else DROP, c] = step
            if step != NOWHERE:
                results[RISE_VALUE if way else DROP_VALUE, c] = value_at(search, step)
