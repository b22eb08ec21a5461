"""
Single-name shock: the distance to a boundary when one position's price moves, a search each way for each position.

Nothing is rounded but this position's own figures, so a range of prices has exact bounds: its figures at the two ends
by the most (or least) that rules ask in between. Of the other positions only the shares of the portfolio move, with its
total. A table by total gives their requirement in O(log P), so all triggers of a client cost O(P log P).
"""

from typing import Final, NamedTuple

import numpy as np

from app.engine.arrays import INT32, INT64, INT64_2D, INT64_2D_OUT, INT64_3D, VOID, Int32, Int64
from app.engine.boundary_search import NOWHERE, search_for
from app.engine.jit import inlined, kernel
from app.engine.position_math import fill_limits, with_concentration
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
    requirement_today,
    size_of,
)
from app.engine.rules import CONC_STEPS, MAX_STEPS, STYLE, Style
from app.engine.symbol_terms import H_CODE
from app.engine.units import MISSING, MONEY_LIMIT, PRICE_LIMIT, PRICE_SCALE, RATE_SCALE

GREATER_OF: Final = int(Style.GREATER_OF)
ANY_TOTAL: Final = np.iinfo(np.int64).max
# Rows of the results, one column a position: a price in the stock's currency in 1e-8; NOWHERE: none.
DOWN, UP = range(2)
RESULTS: Final = 2


class Others(NamedTuple):
    """
    Requirement of the positions of one side by the total of that side.

    `least` if no concentration step held, and `more[i]` besides where the total is at most `totals[i]`, and above
    `totals[i - 1]`.
    """

    least: np.int64
    totals: Int64
    more: Int64


class Search(NamedTuple):
    """What the search for one position's triggers needs to know."""

    market: Market
    holder: Holder
    others: Others
    limits: Int64
    constant_terms: Int64
    position: int
    price: np.int64
    fx: np.int64
    excess: np.int64
    total: np.int64
    direction: int
    in_call: bool


@inlined
def widest_total(rule: Int64, side: int, step: int, size: np.int64) -> np.int64:
    """Return the largest total of which a position of this size is a share that reaches the step; see `fill_limits`."""
    share, reach = rule[side, CONC_STEPS + step], size * RATE_SCALE + (rule[side, STYLE] == GREATER_OF) - 1
    if share == 0:
        return np.int64(ANY_TOTAL if reach >= 0 else -1)
    return np.int64(reach // share)


@inlined
def others_by_total(market: Market, holder: Holder, sizes: Int64, side: int, limits: Int64) -> Others:
    """Return the table of one side, from each position's requirement if none, one, two, ... of the steps hold."""
    count = len(holder.quantity)
    least, found = np.int64(0), 0
    totals, more = np.empty(count * MAX_STEPS, np.int64), np.empty(count * MAX_STEPS, np.int64)
    for k in range(count):
        if (holder.quantity[k] < 0) != (side == 1):
            continue
        limits[side, :] = ANY_TOTAL
        asks = requirement_today(market, holder, k, sizes[k], limits)
        least += asks
        for step in range(MAX_STEPS if holder.concentrates else 0):
            limits[side, step] = -1
            with_step = requirement_today(market, holder, k, sizes[k], limits)
            if with_step != asks:
                totals[found], more[found] = widest_total(market.rule, side, step, sizes[k]), with_step - asks
                found += 1
            asks = with_step
    order = np.argsort(totals[:found])
    totals, more = totals[order], more[order]
    for i in range(found - 2, -1, -1):
        more[i] += more[i + 1]
    return Others(least, totals, more)


@inlined
def requirement_at(others: Others, total: np.int64) -> np.int64:
    """Return the requirement of all positions of the side at a total."""
    at = np.searchsorted(others.totals, total)
    return others.least + (others.more[at] if at < len(others.more) else np.int64(0))


@inlined
def range_terms(search: Search, low: np.int64, high: np.int64, own: np.int64) -> Pair:
    """Return the most (in a call: the least) that the rules ask of the position between two prices; `own`: its size."""
    market, holder, k = search.market, search.holder, search.position
    s, side, end = holder.symbols[k], 1 if holder.quantity[k] < 0 else 0, LEAST if search.in_call else MOST
    exchange = extreme_terms(market, s, side, 0, low, high, end)
    rate, floor = extreme_terms(market, s, side, 1, low, high, end)
    if holder.concentrates and rate >= 0:  # the larger the position, the larger its share
        fill_limits(market.rule, side, search.total + own, search.limits)
        rate, _ = with_concentration(
            market.rule, np.uint64(side), search.limits, own, rate, market.terms[s, side, H_CODE]
        )
    return effective_terms(holder, side, exchange, (rate, floor))


@inlined
def others_requirement(search: Search, total: np.int64) -> np.int64:
    """Return the requirement of the other positions of this one's side at a total of that side."""
    market, holder, k = search.market, search.holder, search.position
    side = 1 if holder.quantity[k] < 0 else 0
    price = market.price[holder.symbols[k]]
    fill_limits(market.rule, side, total, search.limits)
    return requirement_at(search.others, total) - requirement_today(
        market, holder, k, size_of(holder.quantity[k], price), search.limits
    )


@inlined
def last_safe(search: Search, near: int, far: int, roundings: int) -> int:  # noqa: ARG001 -- there are none
    """Return `far` if the client's state is today's at every price from near to far steps away, else their middle."""
    one, other = search.price + search.direction * near, search.price + search.direction * far
    low, high = moved_price(search.fx, np.int64(min(one, other))), moved_price(search.fx, np.int64(max(one, other)))
    k, constant_terms, excess = search.position, search.constant_terms, search.excess
    quantity = search.holder.quantity[k]
    small, large = size_of(quantity, low), size_of(quantity, high)
    if constant_terms[VALID_FROM, k] <= low and high < constant_terms[VALID_TO, k]:
        terms = (constant_terms[CONSTANT_RATE, k], constant_terms[CONSTANT_FLOOR, k])
    else:
        terms = range_terms(search, low, high, small if search.in_call else large)
    if search.holder.concentrates:
        excess -= others_requirement(search, search.total + (large if search.in_call else small))
    first, second = requirement_of(small, quantity, terms), requirement_of(large, quantity, terms)
    if quantity > 0:
        first, second = small - first, large - second
    else:
        first, second = -small - first, -large - second
    safe = excess + max(first, second) < 0 if search.in_call else excess + min(first, second) >= 0
    return far if safe else near + (far - near) // 2 - (1 if near == far else 0)


first_boundary = search_for(last_safe)


@inlined
def highest(quantity: np.int64, price: np.int64, fx: np.int64, headroom: np.int64) -> np.int64:
    """Return the highest price at which the position's size stays below `headroom`, within the limits of prices."""
    low, high = price, np.int64(PRICE_LIMIT)
    while high - low > 1:
        middle = low + (high - low) // 2
        within = middle * (fx / PRICE_SCALE) < PRICE_LIMIT
        if within and size_of(quantity, moved_price(fx, middle)) < headroom:
            low = middle
        else:
            high = middle
    return low


@inlined
def lowest(fx: np.int64) -> np.int64:
    """Return the lowest price whose value in account currency is not rounded to nothing."""
    return max(np.int64(1), (PRICE_SCALE // 2 + fx - 1) // fx)


@inlined
def fill_client(market: Market, holder: Holder, quote: Int64, fx: Int64, excess: np.int64, results: Int64) -> None:
    """Write the triggers of one client's positions."""
    count = len(holder.quantity)
    sizes, limits, totals = np.empty(count, np.int64), np.empty((2, MAX_STEPS), np.int64), np.zeros(2, np.int64)
    for k in range(count):
        sizes[k] = size_of(holder.quantity[k], market.price[holder.symbols[k]])
        totals[1 if holder.quantity[k] < 0 else 0] += sizes[k]
    long = others_by_total(market, holder, sizes, 0, limits)
    short = others_by_total(market, holder, sizes, 1, limits)
    equity, constant_terms = totals[0] - totals[1] - holder.loan, np.empty((CONSTANT_WIDTH, count), np.int64)
    for k in range(count):
        quantity, s = holder.quantity[k], holder.symbols[k]
        side = 1 if quantity < 0 else 0
        fill_constant_terms(market, holder, k, constant_terms)
        mine, opposite = (short, long) if side else (long, short)
        headroom = MONEY_LIMIT - totals[0] - totals[1] + sizes[k]
        without = equity - requirement_at(opposite, totals[1 - side]) + (sizes[k] if side else -sizes[k])
        if not holder.concentrates:  # the requirement of the others is constant
            without -= mine.least - requirement_today(market, holder, k, sizes[k], limits)
        for way in range(2):
            search = Search(
                market, holder, mine, limits, constant_terms, k, quote[s], fx[s], without, totals[side] - sizes[k],
                1 if way else -1, bool(excess < 0),
            )  # fmt: skip
            last = highest(quantity, quote[s], fx[s], headroom) - quote[s] if way else quote[s] - lowest(fx[s])
            step = first_boundary(search, last)
            results[way, k] = quote[s] + search.direction * step if step != NOWHERE else NOWHERE


@kernel(
    VOID, INT64, INT32, INT64, INT64, INT64, INT64, INT64, INT64, INT64, INT64_2D, INT64_3D, INT64_3D, INT64_2D,
    INT64, INT64_2D_OUT,
)  # fmt: skip
def fill_triggers(  # noqa: PLR0913 -- columns
    offsets: Int64,
    symbol_index: Int32,
    quantity: Int64,
    loan: Int64,
    client_rate: Int64,
    excess: Int64,
    quote: Int64,
    fx: Int64,
    price: Int64,
    traits: Int64,
    terms: Int64,
    layers: Int64,
    rule: Int64,
    numbers: Int64,
    results: Int64,
) -> None:
    """Write the triggers of every position; `excess` is MISSING where a client is not complete."""
    market = Market(price, traits, terms, layers, rule)
    for c in range(len(offsets) - 1):
        i, j = offsets[c], offsets[c + 1]
        results[:, i:j] = NOWHERE
        if excess[c] != MISSING:
            holder = holder_of(symbol_index[i:j], quantity[i:j], loan[c], client_rate[c], numbers, rule)
            fill_client(market, holder, quote, fx, excess[c], results[:, i:j])
