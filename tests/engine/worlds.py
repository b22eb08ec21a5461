"""Random markets, policies and accounts, seeded; with ties at half a cent, extremes, and numbers at every boundary."""

from decimal import Decimal
from random import Random

from app.policies.form import Policy
from app.policies.load import builtin_policy, parse_policy
from tests.engine.oracle import Account, Listed, rounded

SYMBOLS = tuple(f"S{i}" for i in range(8))
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
    return Account(holdings, loan, rng.choice([None, None, Decimal("0.3"), Decimal("0.0001"), Decimal(1), _rate(rng, 1)]))


def random_policy(rng: Random) -> Policy:
    """Return a built-in policy, or one made up from every rule that the form knows."""
    kind = rng.random()
    if kind < 0.15:
        return builtin_policy("flat")
    if kind < 0.3:
        return builtin_policy("finra_4210")
    ids = (f"rule-{i}" for i in range(1000))

    def rule(**numbers: object) -> dict[str, object]:
        return {"id": next(ids), "source": "made up", **numbers}

    def layer() -> dict[str, object]:
        made: dict[str, object] = {}
        for side, limit in (("long", 1), ("short", 3)):
            if rng.random() < 0.85:
                rates = sorted((_rate(rng, limit) for _ in range(rng.randint(1, 4))), reverse=True)
                bounds = sorted(rng.sample([Decimal("2.5"), Decimal(3), Decimal(5), Decimal("7.77"), Decimal(40)], len(rates) - 1))
                steps = [rule(rate=rate, **{rng.choice(["below", "up_to"]): bound})
                         for rate, bound in zip(rates, bounds, strict=False)]  # fmt: skip
                made[side] = rule(rate=rates[-1], low_priced=steps)
                for part in [made[side], *steps] if side == "short" else []:
                    if rng.random() < 0.6:
                        part["per_share"] = rng.choice([Decimal(5), Decimal("2.5"), Decimal("0.0001")])  # type: ignore[index]
        if rng.random() < 0.6:
            made["leverage"] = rule()
        if rng.random() < 0.6:
            made["not_marginable"] = rule(rate=rng.choice([Decimal(1), Decimal("0.8")]))
        return made

    house = layer()
    if rng.random() < 0.6:
        house["own_rates"] = rule()
    if rng.random() < 0.7:
        house["client_rate"] = rule(effect=rng.choice(["replaces", "at_least"]))
    if rng.random() < 0.5:
        house["symbols"] = {"S1": rule(long=_rate(rng, 1), short=_rate(rng, 3)), "ELSE": rule(long=1, short=1)}
    if rng.random() < 0.7:
        additive = rng.random() < 0.5
        concentration: dict[str, object] = {
            "style": "additive" if additive else "greater_of",
            "stocks_only": rng.random() < 0.5,
        }
        if rng.random() < 0.4:
            concentration["minimum_debit"] = 100_000
        for side in ("long", "short"):
            if side in house:
                shares = sorted(rng.sample([Decimal(n) / 100 for n in (0, 10, 20, 25, 40, 50, 75)], rng.randint(0, 6)))
                rates = sorted(_rate(rng, 1) for _ in shares)
                names = ("above", "add") if additive else ("at_least", "rate")
                concentration[side] = [rule(**dict(zip(names, pair, strict=True))) for pair in zip(shares, rates, strict=True)]
        house["concentration"] = concentration
    policy: dict[str, object] = {"id": "made-up", "version": "1", "title": "Made up", "house": house}
    if rng.random() < 0.6:
        policy["exchange"] = layer()
    if not house and "exchange" not in policy:
        return builtin_policy("flat")
    return parse_policy(policy) if next(ids) != "rule-0" else builtin_policy("flat")


def _listed(rng: Random, usd: Decimal) -> Listed:
    bound = rounded(rng.choice([Decimal(5), Decimal("2.5"), Decimal(3), Decimal("7.77"), Decimal(40)]) * usd, 8)
    tick = Decimal("0.00000001")
    price = rng.choice([
        Decimal(rng.randint(1, 100_000)) / 100, Decimal(rng.randint(1, 10**11)) / 10**8, Decimal(rng.randint(1, 4000)) / 200,
        bound or None, bound + tick, (bound - tick) if bound else None, tick, Decimal("0.33330000"), Decimal(10),
        Decimal("9999999999.99999999"),
    ])  # fmt: skip
    return Listed(
        price=None if rng.random() < 0.05 else price,
        leverage=rng.choice([Decimal(1), Decimal(1), Decimal(2), Decimal(3), Decimal(-3), Decimal("1.33"), Decimal(-10)]),
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
    return rng.choice([Decimal(rng.randint(0, 10_000 * limit)) / 10_000, Decimal("0.25"), Decimal("0.3"), Decimal("0.5")])
