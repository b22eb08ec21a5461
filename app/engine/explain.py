"""The explanation of one client's margin: every figure of the report with what it is made of."""

from dataclasses import dataclass

import numpy as np

from app.engine.book import Book, Instruments, Prices
from app.engine.credit import Interest, RegT, interest, reg_t
from app.engine.cures import Cures, cures
from app.engine.distance import distances, triggers
from app.engine.exact import COMPLETE
from app.engine.margin import PositionReport, position_report
from app.engine.quotes import Quotes
from app.engine.rules import MarginRules
from app.engine.units import NOT_ASKED


class IncompleteError(Exception):
    """The client's margin has no figures: `status` as in `MarginReport`."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class LayerLine:
    """A layer's requirement for a position: cents, the rate in 1e-4, and the rules as bits of `symbol_terms.BY_*`."""

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
        leverage: factor of a leveraged fund, 1e-4, negative for inverse ones.
        instrument_rate: the desk's own rate of the instrument in 1e-4; None = it has none.
        market_value: cents, with the sign of the quantity.
        exchange: the regulator's requirement; None = it has none.
        house: the firm's requirement; None = it has none.
        margin_requirement: cents, the greater of the two.
        trigger_down: the highest price below today's, in the stock's currency and 1e-8, at which the call opens (or,
            in a call, ends), the other prices unchanged; None = there is none.
        trigger_up: the lowest such price above today's.
    """

    symbol: str
    quantity: int
    price: int
    fx: int
    account_price: int
    leverage: int
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
    Where the call opens (or, in a call, ends) under a parallel shock.

    `drop` and `rise` are fractions of today's prices, multiples of 1e-8; values are portfolio values there, in cents;
    None = there is no such point.
    """

    drop: float | None
    rise: float | None
    drop_value: int | None
    rise_value: int | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One client's margin, in cents; words as in `MarginReport`, None = that layer has no requirement."""

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


def explain(
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
        rules: the policy's numbers.
        interest_rate: per year, in 1e-4; None = no interest is shown.

    Raises:
        IncompleteError: a price is missing, or the account is too large for exact figures.
    """
    assert len(book.client_ids) == 1, "an explanation is about one client"
    assert quotes.agree(prices), "quotes are what the prices are made of"
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
        exchange_requirement=_requirement(report.exchange_requirement[0]),
        house_requirement=_requirement(report.house_requirement[0]),
        margin_requirement=int(report.margin_requirement[0]),
        margin_excess=excess,
        margin_shortfall=shortfall,
        margin_call_triggered=shortfall > 0,
        cushion=excess / (long - short) if long - short else None,
        cures=cures(book, prices, instruments, rules, report, lines),
        distance=_distance(book, prices, instruments, rules),
        reg_t=reg_t(gross_value=long - short, net_equity=equity),
        interest=None if interest_rate is None else interest(interest_rate, loan=loan, short_market_value=short),
    )


def _positions(
    book: Book, prices: Prices, quotes: Quotes, instruments: Instruments, rules: MarginRules, lines: PositionReport
) -> tuple[PositionExplanation, ...]:
    found = triggers(book, prices, quotes, instruments, rules)
    return tuple(
        PositionExplanation(
            symbol=book.symbols[s],
            quantity=int(book.quantity[p]),
            price=int(quotes.price[s]),
            fx=int(quotes.fx[s]),
            account_price=int(prices.price[s]),
            leverage=int(instruments.leverage[s]),
            instrument_rate=_rate(instruments.house_rate[s]),
            market_value=int(lines.market_value[p]),
            exchange=_layer(lines.exchange_requirement[p], lines.exchange_rate[p], lines.exchange_code[p]),
            house=_layer(lines.house_requirement[p], lines.house_rate[p], lines.house_code[p]),
            margin_requirement=int(lines.margin_requirement[p]),
            trigger_down=int(found.down[p]) or None,
            trigger_up=int(found.up[p]) or None,
        )
        for p, s in enumerate(book.symbol_index)
    )


def _layer(requirement: np.int64, rate: np.int64, code: np.int64) -> LayerLine | None:
    return None if requirement == NOT_ASKED else LayerLine(int(requirement), int(rate), int(code))


def _distance(book: Book, prices: Prices, instruments: Instruments, rules: MarginRules) -> Distance:
    found = distances(book, prices, instruments, rules, threads=1)
    drop, rise = (None if np.isnan(way[0]) else float(way[0]) for way in (found.drop, found.rise))
    drop_value, rise_value = int(found.drop_value[0]), int(found.rise_value[0])
    return Distance(drop, rise, None if drop is None else drop_value, None if rise is None else rise_value)


def _requirement(cents: np.int64) -> int | None:
    return None if cents == NOT_ASKED else int(cents)


def _rate(rate: np.int64) -> int | None:
    return None if rate < 0 else int(rate)
