"""What ends a margin call: cash to pay in, securities to bring, or positions to close."""

from dataclasses import dataclass

import numpy as np
from numba import types

from app.engine.arrays import INT, INT64, Int64
from app.engine.book import Book, Instruments, Prices
from app.engine.exact import CLIENT_RATE
from app.engine.jit import kernel
from app.engine.margin import MarginReport, PositionReport
from app.engine.position_math import client_effect, house_terms
from app.engine.rules import MarginRules
from app.engine.sale import sale_that_cures
from app.engine.symbol_terms import H_CODE, H_FLOOR, H_RATE, X_FLOOR, X_RATE, symbol_terms
from app.engine.units import PRICE_LIMIT, RATE_SCALE


@dataclass(frozen=True, slots=True)
class Cures:
    """
    Three ways out, in cents; all 0 where there is no shortfall.

    Attributes:
        cash: to pay in: the shortfall.
        securities: market value of fully paid marginable stock to bring; None = no such stock helps, its rate is 1.
        sale: market value to sell (of shorts: to buy back); None = closing every position does not cure.
    """

    cash: int
    securities: int | None
    sale: int | None


def cures(
    book: Book,
    prices: Prices,
    instruments: Instruments,
    rules: MarginRules,
    report: MarginReport,
    lines: PositionReport,
) -> Cures:
    """Return what cures the one client of a book, whose report is complete and has these lines."""
    shortfall = int(report.margin_shortfall[0])
    if shortfall == 0:
        return Cures(0, 0, 0)
    rate = plain_long_rate(rules, int(book.client_rate[0]))
    securities = None if rate >= RATE_SCALE else -(-shortfall * RATE_SCALE // (RATE_SCALE - rate))
    return Cures(shortfall, securities, sale_that_cures(book, prices, instruments, rules, lines))


def plain_long_rate(rules: MarginRules, client_rate: int) -> int:
    """
    Return the effective rate of a plain long stock for a client, in 1e-4: the greater of both layers' base rates.

    Plain: marginable, without leverage or a rate of its own, not low-priced, no large share. `client_rate` of -1: the
    client has none.
    """
    packed, price = rules.at_par, np.full(1, PRICE_LIMIT)
    _, terms = symbol_terms(("",), price, Instruments.plain(1), rules, packed)
    return max(0, plain_long_terms(terms[0, 0], packed.numbers[CLIENT_RATE], np.int64(client_rate))[0])


@kernel(types.UniTuple(types.int64, 2), INT64, INT, INT)  # type: ignore[no-untyped-call] # numba has no types
def plain_long_terms(terms: Int64, client_rule: np.int64, own: np.int64) -> tuple[int, int]:
    """Return the effective rate (-1 = none) and amount a share, from terms of a long stock and a client's rate."""
    replacing, least = client_effect(client_rule, own)
    rate, floor, _ = house_terms(terms[H_RATE], terms[H_FLOOR], terms[H_CODE], 0, replacing, least)
    return max(terms[X_RATE], rate), max(terms[X_FLOOR], floor)
