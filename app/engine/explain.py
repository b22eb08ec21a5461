"""The explanation of one client's margin: every figure of the report with what it is made of."""

from dataclasses import dataclass

import numpy as np

from app.engine.arrays import Int64
from app.engine.book import Book, Instruments, Prices
from app.engine.credit import Interest, RegT, interest, reg_t
from app.engine.cures import Cures, cures
from app.engine.distance import distances, triggers
from app.engine.margin import MarginReport, PositionReport, position_report
from app.engine.rows import COMPLETE
from app.engine.rules import MarginRules
from app.engine.units import MISSING, NOT_ASKED, convert


@dataclass(frozen=True, slots=True, eq=False)
class Quotes:
    """
    Prices as the market quotes them, (S,) each: `price` in the stock's currency and `fx` to account currency, in 1e-8.

    `price` x `fx`, rounded to 1e-8, is the price of `Prices`.
    """

    price: Int64
    fx: Int64


class IncompleteError(Exception):
    """The client's margin has no figures: `status` as in `MarginReport`."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class LayerLine:
    """What a layer asks of a position: cents, the rate in 1e-4 that gave them, the rules in bits of `terms.BY_*`."""

    requirement: int
    rate: int
    code: int


@dataclass(frozen=True, slots=True)
class PositionExplanation:
    """
    One position.

    Attributes:
        symbol: its name.
        quantity: millionths, negative = short.
        price: in the stock's currency, 1e-8.
        fx: account currency per unit of the stock's, 1e-8.
        account_price: price x fx, 1e-8.
        instrument_rate: the desk's own rate of the instrument in 1e-4; None = it has none.
        market_value: cents, with the sign of the quantity.
        exchange: what the regulator asks; None = nothing.
        house: what the firm asks; None = nothing.
        margin_requirement: cents, the greater of the two.
        trigger_down: the highest price below today's, in the stock's currency and 1e-8, at which the call opens (or,
            in a call, ends), the other positions standing; None = there is none.
        trigger_up: the lowest such price above today's.
    """

    symbol: str
    quantity: int
    price: int
    fx: int
    account_price: int
    instrument_rate: int | None
    market_value: int
    exchange: LayerLine | None
    house: LayerLine | None
    margin_requirement: int
    trigger_down: int | None
    trigger_up: int | None


@dataclass(frozen=True, slots=True)
class Distance:
    """
    Where the call opens (or, in a call, ends) when all prices move together.

    `drop` and `rise` are fractions of today's prices, multiples of 1e-8; values are portfolio values there, in cents;
    None = there is no such point.
    """

    drop: float | None
    rise: float | None
    drop_value: int | None
    rise_value: int | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One client's margin, in cents; words as in `MarginReport`, a requirement of None = that layer asks nothing."""

    client_id: int
    positions: tuple[PositionExplanation, ...]
    portfolio_value: int
    long_market_value: int
    short_market_value: int
    loan_amount: int
    net_equity: int
    exchange_requirement: int | None
    house_requirement: int | None
    margin_requirement: int
    margin_excess: int
    margin_shortfall: int
    margin_call_triggered: bool
    cushion: float | None
    cures: Cures
    distance: Distance
    reg_t: RegT
    interest: Interest | None


def explain(  # noqa: PLR0913 -- a report's inputs, the quotes behind its prices, and the rate of interest
    book: Book,
    prices: Prices,
    quotes: Quotes,
    instruments: Instruments,
    rules: MarginRules,
    *,
    interest_rate: int | None = None,
) -> Explanation:
    """
    Explain the margin of the one client of a book; every figure is that of `margin_report`, to the cent.

    Args:
        book: one client, its positions in the order wanted.
        prices: (S,) in account currency.
        quotes: (S,) the same prices in the stocks' currencies.
        instruments: (S,) what the policy may ask about each symbol.
        rules: what is asked.
        interest_rate: per year, in 1e-4; None = no interest is shown.

    Raises:
        IncompleteError: a price is missing, or the account is too large for exact figures.
    """
    assert len(book.client_ids) == 1, "an explanation is about one client"
    report, lines = position_report(book, prices, instruments, rules)
    if report.status[0] != COMPLETE:
        raise IncompleteError(int(report.status[0]))
    long, short, equity = (
        int(column[0]) for column in (report.long_market_value, report.short_market_value, report.net_equity)
    )
    loan, excess, shortfall = int(book.loan[0]), int(report.margin_excess[0]), int(report.margin_shortfall[0])
    return Explanation(
        client_id=int(book.client_ids[0]),
        positions=_positions(book, prices, quotes, instruments, rules, lines),
        portfolio_value=long + short,
        long_market_value=long,
        short_market_value=short,
        loan_amount=loan,
        net_equity=equity,
        exchange_requirement=_asked(report.exchange_requirement[0]),
        house_requirement=_asked(report.house_requirement[0]),
        margin_requirement=int(report.margin_requirement[0]),
        margin_excess=excess,
        margin_shortfall=shortfall,
        margin_call_triggered=shortfall > 0,
        cushion=excess / (long - short) if long - short else None,
        cures=cures(book, prices, instruments, rules),
        distance=_distance(book, prices, instruments, rules),
        reg_t=reg_t(gross_value=long - short, net_equity=equity),
        interest=None if interest_rate is None else interest(interest_rate, loan=loan, short_market_value=short),
    )
