"""One exact definition and one fast path: what the fast path decides, it decides byte for byte as the definition."""

from pathlib import Path
from random import Random

import pytest

from app.engine.book import Book, Instruments, Prices
from app.engine.exact import UNDECIDED
from app.engine.kernel import complete_rows, estimate_rows
from app.engine.margin import new_results, symbol_estimates, unit_values, usable_price
from app.engine.rules import MarginRules
from app.engine.symbol_terms import symbol_terms
from app.policies.load import BUILTIN_POLICIES, builtin_policy, load_policy
from app.policies.translate import margin_rules
from tests.engine.build import build_book, build_instruments, build_prices
from tests.engine.ordinary import ADDITIVE, GREATER_OF, ordinary_world
from tests.engine.worlds import SYMBOLS, USD_RATES, random_account, random_market, random_policy

HOUSE = Path(__file__).parents[2] / "scripts" / "bench" / "house.toml"
POLICIES = {
    **{name: margin_rules(builtin_policy(name)) for name in BUILTIN_POLICIES},
    "house": margin_rules(load_policy(str(HOUSE))),
    "additive": ADDITIVE,
    "greater_of": GREATER_OF,
}
Columns = tuple[Book, Prices, Instruments, MarginRules]


def rows(columns: Columns, *, fast: bool) -> tuple[bytes, bytes, int]:
    """Return status and totals of every client, and how many of them the fast path decided."""
    book, prices, instruments, rules = columns
    packed = rules.packed(prices.usd_rate)
    price = usable_price(prices, packed)
    _, terms = symbol_terms(book.symbols, price, instruments, rules, packed)
    held = (book.offsets, book.symbol_index, book.quantity, book.loan, book.client_rate, price)
    policy = (packed.numbers, packed.concentration)
    clients = len(book.client_ids)
    status, totals, lines = new_results(book)
    status.fill(UNDECIDED)
    totals.fill(-1)
    left = clients
    estimates = symbol_estimates(price, lambda: terms, packed)
    if fast and estimates is not None:
        left = estimate_rows(0, clients, *held, *estimates, *policy, packed.steps_at, status, totals)
    complete_rows(0, clients, *held, unit_values(price), terms, *policy, status, totals, lines)
    return status.tobytes(), totals.tobytes(), clients - left


def decided_alike(columns: Columns) -> int:
    """Check that both ways give the same bytes; return how many clients the fast path decided."""
    status, totals, decided = rows(columns, fast=True)
    assert (status, totals) == rows(columns, fast=False)[:2]
    return decided


def random_columns(seed: int, rules: MarginRules | None, *, clients: int = 50) -> Columns:
    """
    Return clients of a random market, at every boundary that there is; without rules a policy at random.

    Half of the markets have plain stocks alone: under a policy whose house asks of some instruments only, the fast path
    is not tried where such an instrument is in the book.
    """
    rng = Random(seed)  # noqa: S311 -- worlds that anyone can make again
    usd = rng.choice(USD_RATES)
    rules = rules or margin_rules(random_policy(rng))
    market = random_market(rng, usd)
    book = build_book([random_account(rng, market) for _ in range(clients)], SYMBOLS)
    instruments = build_instruments(market) if seed % 2 else Instruments.plain(len(SYMBOLS))
    return book, build_prices(market, usd), instruments, rules


@pytest.mark.parametrize("name", POLICIES)
def test_the_fast_path_writes_the_bytes_of_the_definition_in_random_worlds(name: str) -> None:
    assert sum(decided_alike(random_columns(seed, POLICIES[name])) for seed in range(60)) > 500


def test_the_fast_path_writes_the_bytes_of_the_definition_under_random_policies() -> None:
    assert sum(decided_alike(random_columns(seed, None)) for seed in range(200)) > 1000


@pytest.mark.parametrize("name", POLICIES)
def test_the_fast_path_decides_almost_every_ordinary_client(name: str) -> None:
    worlds = [ordinary_world(seed, POLICIES[name], clients=100) for seed in range(10)]

    decided = sum(decided_alike((world.book, world.prices, world.instruments, world.rules)) for world in worlds)

    assert decided > 0.9 * 1000
