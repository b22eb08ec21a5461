"""What ends a margin call: cash to pay in, securities to bring, or positions to close."""

from dataclasses import dataclass

from app.engine.book import Book, Instruments, Prices
from app.engine.margin import MarginReport, PositionReport
from app.engine.rules import ClientRate, MarginRules
from app.engine.sale import sale_that_cures
from app.engine.units import RATE_SCALE


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
    exchange, house = (layer.long.rate if layer and layer.long else 0 for layer in (rules.exchange, rules.house))
    effect = rules.house.client_rate if rules.house else ClientRate.IGNORED
    if client_rate >= 0 and effect is ClientRate.REPLACES:
        house = client_rate
    if client_rate >= 0 and effect is ClientRate.AT_LEAST:
        house = max(house, client_rate)
    return max(exchange, house)
