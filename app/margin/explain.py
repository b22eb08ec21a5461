"""Explanations: an account and the engine's account of it, in amounts, prices and rules that can be quoted."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Final, Literal

from app.auth.types import Caller, no_client
from app.core.errors import ConflictError
from app.core.symbols import fx_symbol
from app.engine import credit, cures
from app.engine import explain as engine
from app.engine.units import PRICE_SCALE, QUANTITY_SCALE, RATE_SCALE, unscaled
from app.margin.account import Account, Line, columns, load_account
from app.margin.service import missing_prices, money
from app.policies import describe
from app.policies.active import ActivePolicy, PolicyName
from app.stocks import basis as basis_service
from app.stocks.basis import Basis

#: From the strongest evidence to the weakest.
_STRENGTH: Final[Sequence[Basis]] = ("live", "delayed", "close", "estimate", "stale", "unpriced")
#: Positions. More take so long (500: 10 to 90 ms) that a thread explains them, while the process serves others.
_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class Terms:
    """What explanations depend on beside the account."""

    policy: ActivePolicy
    base_currency: str
    stale_seconds: int
    #: Per year; None shows no interest.
    interest_rate: Decimal | None


@dataclass(frozen=True, slots=True)
class RuleLine:
    """What a rule adds to what a layer asks; the lines of a layer add up to its rate and its requirement."""

    id: str
    layer: Literal["exchange", "house"]
    rate: Decimal
    amount: Decimal
    source: str


@dataclass(frozen=True, slots=True)
class PositionLine:
    """A position of an explanation; `price` and triggers in `currency`, the rest in account currency."""

    symbol: str
    quantity: Decimal
    price: Decimal
    currency: str
    fx: Decimal
    basis: Basis
    age_seconds: int
    market_value: Decimal
    rules: list[RuleLine]
    exchange_requirement: Decimal | None
    house_requirement: Decimal | None
    margin_requirement: Decimal
    trigger_down: Decimal | None
    trigger_up: Decimal | None


@dataclass(frozen=True, slots=True)
class Cures:
    """What would end the call; see DESIGN section 5."""

    cash: Decimal
    securities: Decimal | None
    sale: Decimal | None


@dataclass(frozen=True, slots=True)
class Distance:
    """The nearest boundary each way when all prices move together."""

    drop: Decimal | None
    rise: Decimal | None
    drop_value: Decimal | None
    rise_value: Decimal | None


@dataclass(frozen=True, slots=True)
class RegT:
    """Initial margin under Reg T."""

    requirement: Decimal
    excess: Decimal
    restricted: bool
    sma_floor: Decimal
    buying_power: Decimal


@dataclass(frozen=True, slots=True)
class Interest:
    """Interest on the debit."""

    annual_rate: Decimal
    daily: Decimal


@dataclass(frozen=True, slots=True)
class Explanation:
    """A client's margin with what every figure is made of; money in account currency."""

    timestamp: datetime
    #: When the oldest of the prices was made; None without positions.
    prices_as_of: datetime | None
    client_id: int
    policy: PolicyName
    positions: list[PositionLine]
    portfolio_value: Decimal
    long_market_value: Decimal
    short_market_value: Decimal
    loan_amount: Decimal
    net_equity: Decimal
    exchange_requirement: Decimal | None
    house_requirement: Decimal | None
    margin_requirement: Decimal
    margin_excess: Decimal
    margin_shortfall: Decimal
    margin_call_triggered: bool
    cushion: Decimal | None
    cures: Cures
    distance: Distance
    reg_t: RegT
    interest: Interest | None

    @property
    def price_basis(self) -> Basis:
        """The weakest basis among the positions; `live` without any, where no price is doubtful."""
        return max((position.basis for position in self.positions), key=_STRENGTH.index, default="live")


async def explain_client(client_id: int, *, caller: Caller, terms: Terms) -> Explanation:
    """
    Explain a client's margin at the stored prices.

    Raises:
        NotFoundError: there is no such client, or the caller may not see it.
        MissingPricesError: a position has no price.
        ConflictError: the account is too large for exact figures.
    """
    caller.check_client(client_id)
    account = await load_account(client_id, base_currency=terms.base_currency)
    if account is None:
        raise no_client(client_id)
    return await explain_account(account, terms=terms)


async def explain_account(account: Account, *, terms: Terms) -> Explanation:
    """
    Explain an account, stored or supposed.

    Raises:
        MissingPricesError, ConflictError: as `explain_client`.
    """
    if symbols := account.unpriced():
        raise missing_prices(account.client_id, symbols)
    now = datetime.now(UTC)
    bases = await _bases(account.held, now=now, stale_seconds=terms.stale_seconds)
    book, prices, quotes, instruments = columns(account)
    rate = None if terms.interest_rate is None else int(terms.interest_rate * RATE_SCALE)
    try:
        explain = partial(engine.explain, book, prices, quotes, instruments, terms.policy.rules, interest_rate=rate)
        explained = await asyncio.to_thread(explain) if len(account.held) > _AT_ONCE else explain()
    except engine.IncompleteError as error:
        if not account.usd_rate:
            raise missing_prices(account.client_id, [fx_symbol("USD", terms.base_currency)]) from error
        raise ConflictError(f"Client {account.client_id} is too large for exact figures.") from error
    return _explanation(explained, account, bases, terms.policy, now)


async def _bases(held: Sequence[Line], *, now: datetime, stale_seconds: int) -> list[Basis]:
    """Return the basis of each position: the weaker of its price's and its rate's."""
    evidence = [[part for part in (line.quote, line.rate) if part is not None] for line in held]
    flat = [part for parts in evidence for part in parts]
    found = iter(await basis_service.bases(flat, now=now, stale_seconds=stale_seconds))
    return [max((next(found) for _ in parts), key=_STRENGTH.index) for parts in evidence]


def _explanation(
    explained: engine.Explanation, account: Account, bases: Sequence[Basis], policy: ActivePolicy, now: datetime
) -> Explanation:
    def rules_of(position: engine.PositionExplanation) -> list[RuleLine]:
        return [_rule(rule) for rule in describe.rule_lines(policy.form, position, usd_rate=account.usd_rate)]

    lines = zip(explained.positions, account.held, bases, strict=True)
    positions = [_position(position, line, basis, rules_of(position), now) for position, line, basis in lines]
    made = [part.market_time for line in account.held for part in (line.quote, line.rate) if part is not None]
    return Explanation(
        timestamp=now,
        prices_as_of=min(made, default=None),
        client_id=explained.client_id,
        policy=policy.name,
        positions=positions,
        portfolio_value=money(explained.portfolio_value),
        long_market_value=money(explained.long_market_value),
        short_market_value=money(explained.short_market_value),
        loan_amount=money(explained.loan_amount),
        net_equity=money(explained.net_equity),
        exchange_requirement=_money(explained.exchange_requirement),
        house_requirement=_money(explained.house_requirement),
        margin_requirement=money(explained.margin_requirement),
        margin_excess=money(explained.margin_excess),
        margin_shortfall=money(explained.margin_shortfall),
        margin_call_triggered=explained.margin_call_triggered,
        cushion=_fraction(explained.cushion),
        cures=_cures(explained.cures),
        distance=_distance(explained.distance),
        reg_t=_reg_t(explained.reg_t),
        interest=_interest(explained.interest),
    )


def _position(
    position: engine.PositionExplanation, line: Line, basis: Basis, rules: list[RuleLine], now: datetime
) -> PositionLine:
    assert line.currency is not None and line.quote is not None, "an explained position has a price"  # noqa: PT018 - one fact
    return PositionLine(
        symbol=position.symbol,
        quantity=unscaled(position.quantity, QUANTITY_SCALE),
        price=unscaled(position.price, PRICE_SCALE),
        currency=line.currency,
        fx=unscaled(position.fx, PRICE_SCALE),
        basis=basis,
        age_seconds=max(0, int((now - line.quote.market_time).total_seconds())),
        market_value=money(position.market_value),
        rules=rules,
        exchange_requirement=money(position.exchange.requirement) if position.exchange else None,
        house_requirement=money(position.house.requirement) if position.house else None,
        margin_requirement=money(position.margin_requirement),
        trigger_down=_price(position.trigger_down),
        trigger_up=_price(position.trigger_up),
    )


def _rule(line: describe.RuleLine) -> RuleLine:
    return RuleLine(line.id, line.layer, unscaled(line.rate, RATE_SCALE), money(line.amount), line.source)


def _cures(found: cures.Cures) -> Cures:
    return Cures(money(found.cash), _money(found.securities), _money(found.sale))


def _distance(distance: engine.Distance) -> Distance:
    return Distance(
        drop=_fraction(distance.drop),
        rise=_fraction(distance.rise),
        drop_value=_money(distance.drop_value),
        rise_value=_money(distance.rise_value),
    )


def _reg_t(reg_t: credit.RegT) -> RegT:
    return RegT(
        requirement=money(reg_t.requirement),
        excess=money(reg_t.excess),
        restricted=reg_t.restricted,
        sma_floor=money(reg_t.sma_floor),
        buying_power=money(reg_t.buying_power),
    )


def _interest(interest: credit.Interest | None) -> Interest | None:
    if interest is None:
        return None
    return Interest(unscaled(interest.annual_rate, RATE_SCALE), money(interest.daily))


def _money(cents: int | None) -> Decimal | None:
    return None if cents is None else money(cents)


def _price(price: int | None) -> Decimal | None:
    return None if price is None else unscaled(price, PRICE_SCALE)


def _fraction(value: float | None) -> Decimal | None:
    """Return a fraction at the 8 decimals in which it is shown."""
    return None if value is None else round(Decimal(value), 8)
