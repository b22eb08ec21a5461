"""Random markets, policies and accounts, seeded; with ties at half a cent, extremes, and numbers at every boundary."""

from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

from app.policies.form import Policy
from app.policies.load import builtin_policy
from tests.engine.build import parse_policy
from tests.engine.oracle import Account, Listed, rounded

Table = dict[str, Any]

SYMBOLS = tuple(f"S{i}" for i in range(8))
BOUNDS = (Decimal("2.5"), Decimal(3), Decimal(5), Decimal("7.77"), Decimal(40))
LEVERAGES = tuple(map(Decimal, ("1", "1", "2", "3", "-3", "1.33", "-10")))
SHARES = tuple(Decimal(percent) / 100 for percent in (0, 10, 20, 25, 40, 50, 75))
USD_RATES = (Decimal(1), Decimal(1), Decimal("0.92150001"), Decimal("149.87654321"), Decimal(0))


def random_market(rng: Random, usd: Decimal) -> dict[str, Listed]:
    """Return eight instruments; one in ten has no price."""
    return {symbol: _listed(rng, usd) for symbol in SYMBOLS}


def random_account(rng: Random, market: dict[str, Listed]) -> Account:
    """Return an account of up to eight positions, now and then at a share or a loan where a rule changes."""
    symbols = rng.sample(SYMBOLS, rng.randint(0, len(SYMBOLS)))
    kind = rng.random()
    holdings = [(symbol, _quantity(rng, kind)) for symbol in symbols]
    if kind < 0.1:
        holdings = [(symbol, _even(market[symbol].price)) for symbol in symbols]
    loan = rng.choice([Decimal(rng.randint(-(10**9), 10**9)) / 100, Decimal(100_000), Decimal("99999.99"),
                       Decimal("999999999999.99"), Decimal("-999999999999.99"), Decimal(0)])  # fmt: skip
    return Account(
        holdings, loan, rng.choice([None, None, Decimal("0.3"), Decimal("0.0001"), Decimal(1), _rate(rng, 1)])
    )


def random_policy(rng: Random) -> Policy:
    """Return a built-in policy, or one made up from every rule that the form knows."""
    kind = rng.random()
    if kind < 0.3:
        return builtin_policy("flat" if kind < 0.15 else "finra_4210")
    writer = PolicyWriter(rng)
    house = writer.house()
    layers = {"house": house} if house else {}
    if rng.random() < 0.6 or not house:
        layers["exchange"] = writer.layer()
    if not any(layers.values()):
        return builtin_policy("flat")
    return parse_policy({"id": "made-up", "version": "1", "title": "Made up", **layers})


class PolicyWriter:
    """Writes random tables of a policy; each rule has an id of its own."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.ids = count()

    def rule(self, **numbers: object) -> Table:
        return {"id": f"rule-{next(self.ids)}", "source": "made up", **numbers}

    def maybe(self, chance: float) -> bool:
        return self.rng.random() < chance

    def side(self, limit: int) -> Table:
        rates = sorted((_rate(self.rng, limit) for _ in range(self.rng.randint(1, 4))), reverse=True)
        bounds = sorted(self.rng.sample(BOUNDS, len(rates) - 1))
        steps = [
            self.rule(rate=rate, **{self.rng.choice(["below", "up_to"]): bound})
            for rate, bound in zip(rates, bounds, strict=False)
        ]
        for step in steps if limit > 1 else []:
            step.update(self.per_share())
        return self.rule(rate=rates[-1], low_priced=steps, **(self.per_share() if limit > 1 else {}))

    def per_share(self) -> Table:
        return (
            {"per_share": self.rng.choice([Decimal(5), Decimal("2.5"), Decimal("0.0001")])} if self.maybe(0.6) else {}
        )

    def layer(self) -> Table:
        made = {side: self.side(limit) for side, limit in (("long", 1), ("short", 3)) if self.maybe(0.85)}
        if self.maybe(0.6):
            made["leverage"] = self.rule()
        if self.maybe(0.6):
            made["not_marginable"] = self.rule(rate=self.rng.choice([Decimal(1), Decimal("0.8")]))
        return made

    def house(self) -> Table:
        made = self.layer()
        if self.maybe(0.6):
            made["own_rates"] = self.rule()
        if self.maybe(0.7):
            made["client_rate"] = self.rule(effect=self.rng.choice(["replaces", "at_least"]))
        if self.maybe(0.5):
            own = self.rule(long=_rate(self.rng, 1), short=_rate(self.rng, 3))
            made["symbols"] = {"S1": own, "ELSEWHERE": self.rule(long=1, short=1)}
        if self.maybe(0.7):
            made["concentration"] = self.concentration([side for side in ("long", "short") if side in made])
        return made

    def concentration(self, sides: list[str]) -> Table:
        style, share, rate = self.rng.choice([("additive", "above", "add"), ("greater_of", "at_least", "rate")])
        made: Table = {"style": style, "stocks_only": self.maybe(0.5)}
        if self.maybe(0.4):
            made["minimum_debit"] = 100_000
        for side in sides:
            shares = sorted(self.rng.sample(SHARES, self.rng.randint(0, 6)))
            rates = sorted(_rate(self.rng, 1) for _ in shares)
            made[side] = [self.rule(**{share: at, rate: number}) for at, number in zip(shares, rates, strict=True)]
        return made


def _listed(rng: Random, usd: Decimal) -> Listed:
    bound = rounded(rng.choice(BOUNDS) * usd, 8)
    tick = Decimal("0.00000001")
    price = rng.choice([
        Decimal(rng.randint(1, 100_000)) / 100,
        Decimal(rng.randint(1, 10**11)) / 10**8,
        Decimal(rng.randint(1, 4000)) / 200,
        bound or None, bound + tick, (bound - tick) if bound else None, tick, Decimal("0.33330000"), Decimal(10),
        Decimal("9999999999.99999999"),
    ])  # fmt: skip
    return Listed(
        price=None if rng.random() < 0.05 else price,
        leverage=rng.choice(
            [Decimal(1), Decimal(1), Decimal(2), Decimal(3), Decimal(-3), Decimal("1.33"), Decimal(-10)]
        ),
        marginable=rng.random() < 0.85,
        house_rate=rng.choice([None, None, _rate(rng, 1), Decimal(10)]),
        is_stock=rng.random() < 0.7,
    )


def _quantity(rng: Random, kind: float) -> Decimal:
    sizes = [
        Decimal(rng.randint(1, 5000)), Decimal(rng.randint(1, 10**10)) / 10**6, Decimal(rng.randint(1, 99)) / 2,
        Decimal("0.000001"), Decimal("0.5"), Decimal("0.005"),
    ]  # fmt: skip
    if kind > 0.97:
        sizes = [Decimal(10) ** 12, Decimal("999999999999.999999"), Decimal(10) ** 6]
    return rng.choice(sizes) * rng.choice([1, 1, -1])


def _even(price: Decimal | None) -> Decimal:
    """Return a quantity worth about 10,000, so that shares of equal positions are exact fractions."""
    return max(rounded(Decimal(10_000) / price, 6), Decimal("0.000001")) if price else Decimal(1)


def _rate(rng: Random, limit: int) -> Decimal:
    return rng.choice(
        [Decimal(rng.randint(0, 10_000 * limit)) / 10_000, Decimal("0.25"), Decimal("0.3"), Decimal("0.5")]
    )
