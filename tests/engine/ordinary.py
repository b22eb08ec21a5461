"""Ordinary books under ordinary policies: round prices and quantities, leverage near a call."""

from dataclasses import replace

import numpy as np

from app.engine.book import Instruments, Prices
from app.engine.margin import margin_report
from app.engine.quotes import Quotes
from app.engine.rules import MarginRules
from app.engine.units import PRICE_SCALE
from app.policies.translate import margin_rules
from tests.engine import boundaries
from tests.engine.boundaries import World
from tests.engine.build import parse_policy
from tests.engine.one import FINRA, FLAT


def rule(name: str, **numbers: object) -> dict[str, object]:
    return {"id": name, "source": "made up", **numbers}


def house(style: str, share: str, rate: str, steps: list[tuple[float, float]], **more: object) -> MarginRules:
    """Return 30 % with low-priced steps for longs, the short rule of 4210, and a concentration rule on both sides."""
    made = [rule(f"{share}-{side}-{at}", **{share: at, rate: number}) for side in ("l", "s") for at, number in steps]
    concentration = {"style": style, "long": made[: len(steps)], "short": made[len(steps) :], **more}
    low = rule("low", up_to=3, rate=1)
    cheap = rule("cheap", below=5, rate=1, per_share=2.5)
    sides = {"long": rule("long", rate=0.3, low_priced=[low]), "concentration": concentration,
             "short": rule("short", rate=0.3, per_share=5, low_priced=[cheap])}  # fmt: skip
    return margin_rules(parse_policy({"id": "house", "version": "1", "title": "House", "house": sides}))


#: RULES.md: Fidelity's published table (historic), and Firstrade's.
ADDITIVE = house("additive", "above", "add", [(0.1, 0.05), (0.2, 0.1), (0.4, 0.15), (0.5, 0.2), (0.75, 0.3)])
GREATER_OF = house(
    "greater_of", "at_least", "rate", [(0.25, 0.35), (0.35, 0.4), (0.5, 0.5)], minimum_debit=10_000, stocks_only=True
)
POLICIES = {"flat": FLAT, "finra": FINRA, "additive": ADDITIVE, "greater_of": GREATER_OF}


def ordinary_world(seed: int, rules: MarginRules, *, clients: int = 8) -> World:
    """Return clients near a boundary with up to twelve round positions, a third of them short; some of equal value."""
    rng = np.random.default_rng(seed)
    world = boundaries.make_world(seed, books=1, rules=rules)
    symbols = tuple(f"T{i}" for i in range(12))
    cents = rng.integers(100, 12_000, len(symbols))
    sizes = rng.integers(0, 13, clients)
    held = [rng.permutation(len(symbols))[:size] for size in sizes]
    quantity = [
        (rng.integers(1, 900, size) if rng.random() < 0.7 else np.maximum(1, 1_000_000 // cents[mine]))
        * np.where(rng.random(size) < rng.choice([0, 0.33, 0.5]), -1, 1)
        for mine, size in zip(held, sizes, strict=True)
    ]
    book = replace(
        world.book,
        client_ids=np.arange(clients),
        offsets=np.concatenate([[0], np.cumsum(sizes)]),
        symbol_index=np.concatenate(held).astype(np.int32),
        quantity=np.concatenate(quantity).astype(np.int64) * 10**6,
        loan=np.full(clients, 2_000_000),
        client_rate=np.full(clients, -1),
        symbols=symbols,
    )
    prices = Prices(cents * 10**6)
    instruments = Instruments.plain(len(symbols))
    report = margin_report(book, prices, instruments, rules)
    aim = (report.long_market_value - report.short_market_value) * rng.uniform(-0.15, 0.25, clients)
    book = replace(book, loan=book.loan + report.margin_excess - aim.astype(np.int64))
    quotes = Quotes(prices.price, np.full(len(symbols), PRICE_SCALE))
    return World(book, prices, quotes, instruments, rules)
