"""
The margin rules once more, slowly: one client, `Decimal`, one rule after the other, as the rule texts say them.

It shares no code with the engine but the form of a policy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal

from app.policies.form import Additive, Exchange, House, Long, Policy, Short

WIDE = Context(prec=80, rounding=ROUND_HALF_UP)
ZERO = Decimal(0)
LIMIT = Decimal(10) ** 12


@dataclass(frozen=True)
class Listed:
    """An instrument and its price in account currency (None: unknown)."""

    price: Decimal | None
    leverage: Decimal = Decimal(1)
    marginable: bool = True
    house_rate: Decimal | None = None
    is_stock: bool = True


@dataclass(frozen=True)
class Account:
    """One client: symbols and quantities, loan, own rate."""

    holdings: Sequence[tuple[str, Decimal]]
    loan: Decimal
    rate: Decimal | None = None


@dataclass(frozen=True)
class Line:
    """What one position is worth and asks; None: the layer does not ask."""

    value: Decimal
    exchange: Decimal | None
    house: Decimal | None

    @property
    def requirement(self) -> Decimal:
        return max(self.exchange or ZERO, self.house or ZERO)


@dataclass(frozen=True)
class Figures:
    """One client's row and lines."""

    lines: list[Line]
    long: Decimal
    short: Decimal
    equity: Decimal
    exchange: Decimal | None
    house: Decimal | None
    requirement: Decimal


@dataclass(frozen=True)
class Holding:
    """A position and all that its requirement depends on."""

    symbol: str
    quantity: Decimal
    value: Decimal
    listed: Listed
    portfolio: Decimal
    account: Account
    usd: Decimal

    @property
    def is_long(self) -> bool:
        return self.quantity > 0

    @property
    def cap(self) -> Decimal:
        return Decimal(1 if self.is_long else 18)


def rounded(value: Decimal, places: int = 2) -> Decimal:
    """Round half away from zero."""
    return value.quantize(Decimal(1).scaleb(-places), context=WIDE)


def figures(policy: Policy, account: Account, market: Mapping[str, Listed], usd: Decimal = Decimal(1)) -> Figures | str:
    """Return the client's row, or why there is none; `usd` of 0: the dollar's rate is not known."""
    prices = {symbol: market[symbol].price for symbol, _ in account.holdings}
    if prices and (None in prices.values() or (_in_dollars(policy) and not usd)):
        return "unpriced"
    values = [rounded(WIDE.multiply(quantity, prices[symbol] or ZERO)) for symbol, quantity in account.holdings]
    if sum(map(abs, values)) >= LIMIT:
        return "over limit"
    long, short = sum((v for v in values if v > 0), ZERO), sum((v for v in values if v < 0), ZERO)
    lines = []
    for (symbol, quantity), value in zip(account.holdings, values, strict=True):
        portfolio = long if quantity > 0 else -short
        holding = Holding(symbol, quantity, abs(value), market[symbol], portfolio, account, usd)
        lines.append(Line(value, _layer(policy.exchange, holding), _house(policy.house, holding)))
    exchange = sum((line.exchange or ZERO for line in lines), ZERO)
    house = sum((line.house or ZERO for line in lines), ZERO)
    if exchange + house >= 20 * LIMIT:
        return "over limit"
    return Figures(
        lines,
        long,
        short,
        long + short - account.loan,
        exchange if policy.exchange else None,
        house if _house_speaks(policy.house, account, lines) else None,
        sum((line.requirement for line in lines), ZERO),
    )


def _house_speaks(house: House | None, account: Account, lines: list[Line]) -> bool:
    """Say whether the house asks something of this client, be it 0."""
    if house is None:
        return False
    own = house.client_rate is not None and house.client_rate.effect == "at_least" and account.rate is not None
    return own or bool(house.long or house.short) or any(line.house is not None for line in lines)


def _layer(layer: Exchange | None, holding: Holding) -> Decimal | None:
    if layer is None:
        return None
    rate, floor = _base(layer, holding)
    return None if rate is None else _amount(holding, rate, floor)


def _house(house: House | None, holding: Holding) -> Decimal | None:
    if house is None:
        return None
    own, client_rate = holding.account.rate, house.client_rate
    if own is not None and client_rate and client_rate.effect == "replaces":
        return _amount(holding, own, ZERO)
    rate, floor = _base(house, holding)
    if rate is not None:
        rate = _concentrated(house, holding, rate)
    if own is not None and client_rate and holding.is_long:
        rate = own if rate is None else max(rate, own)
    return None if rate is None else _amount(holding, rate, floor)


def _amount(holding: Holding, rate: Decimal, floor: Decimal) -> Decimal:
    """Return the greater of rate x value and floor x quantity."""
    return max(rounded(holding.value * rate), rounded(WIDE.multiply(abs(holding.quantity), floor)))


def _base(layer: Exchange, holding: Holding) -> tuple[Decimal | None, Decimal]:
    """Return the rate, before concentration, and the amount a share in account currency."""
    side: Long | Short | None = layer.long if holding.is_long else layer.short
    rate, floor, low = None, ZERO, False
    if side is not None:
        rate, per_share, low = _at_price(side, holding)
        floor = rounded((per_share or ZERO) * holding.usd, 8)
        if layer.leverage is not None:
            rate = rounded(rate * abs(holding.listed.leverage), 4)
    own = _own_rate(layer, holding)
    if own is not None:
        rate = max(rate, own) if rate is not None and low else own
    if rate is not None:
        rate = min(rate, holding.cap)
    if layer.not_marginable is not None and holding.is_long and not holding.listed.marginable:
        rate = max(rate or ZERO, layer.not_marginable.rate)
    return rate, floor


def _at_price(side: Long | Short, holding: Holding) -> tuple[Decimal, Decimal | None, bool]:
    price = holding.listed.price
    assert price is not None
    for step in side.low_priced:
        bound = rounded(step.bound * holding.usd, 8)
        if price < bound or (price == bound and step.up_to is not None):
            return step.rate, getattr(step, "per_share", None), True
    return side.rate, getattr(side, "per_share", None), False


def _own_rate(layer: Exchange, holding: Holding) -> Decimal | None:
    """Return the greater of the desk's rate and the policy's for this symbol."""
    if not isinstance(layer, House):
        return None
    rates = []
    if layer.own_rates is not None and holding.listed.house_rate is not None:
        rates.append(holding.listed.house_rate)
    if named := layer.symbols.get(holding.symbol):
        rates.append(named.long if holding.is_long else named.short)
    return max(rates, default=None)


def _concentrated(house: House, holding: Holding, rate: Decimal) -> Decimal:
    rule = house.concentration
    if rule is None or (rule.stocks_only and not holding.listed.is_stock):
        return rate
    if rule.minimum_debit is not None and holding.account.loan < rounded(rule.minimum_debit * holding.usd):
        return rate
    if isinstance(rule, Additive):
        added = [step.add for step in (rule.long if holding.is_long else rule.short)
                 if holding.value > step.above * holding.portfolio]  # fmt: skip
        return min(rate + max(added, default=ZERO), holding.cap)
    least = [step.rate for step in (rule.long if holding.is_long else rule.short)
             if holding.value >= step.at_least * holding.portfolio]  # fmt: skip
    return max(rate, max(least, default=ZERO))


def _in_dollars(policy: Policy) -> bool:
    """Say whether a rule of the policy is stated in dollars."""
    house = policy.house
    if house and house.concentration and house.concentration.minimum_debit is not None:
        return True
    sides = [side for layer in (policy.exchange, house) if layer for side in (layer.long, layer.short) if side]
    return any(side.low_priced or getattr(side, "per_share", None) is not None for side in sides)
