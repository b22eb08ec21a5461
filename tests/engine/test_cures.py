"""Cures: published examples, and every cure tried out on the recomputed book."""

from dataclasses import replace

import numpy as np
import pytest

from app.engine.book import Book
from app.engine.cures import Cures, cures, plain_long_rate
from app.engine.margin import MarginReport, margin_report, position_report
from app.engine.rules import ClientRateEffect, Layer, MarginRules, Side
from app.engine.units import MONEY_LIMIT, divide
from tests.engine.boundaries import World, make_world
from tests.engine.one import FLAT, columns, explained
from tests.engine.ordinary import POLICIES, ordinary_world

CENT = 10**12  # quantity x price of one cent, in the engine's units


def one_of(world: World, c: int) -> Book:
    """Return the book of one client."""
    a, b = world.book.offsets[c], world.book.offsets[c + 1]
    return Book(
        world.book.client_ids[c : c + 1], np.array([0, b - a]), world.book.symbol_index[a:b], world.book.quantity[a:b],
        world.book.loan[c : c + 1], world.book.client_rate[c : c + 1], world.book.symbols,
    )  # fmt: skip


def after_closing(book: Book, world: World, cents: int) -> MarginReport:
    """Recompute the client after closing so many cents of value, most requirement per dollar first."""
    _, lines = position_report(book, world.prices, world.instruments, world.rules)
    sizes = np.abs(lines.market_value)
    ratios = [asked / size if size else np.inf for asked, size in zip(lines.margin_requirement, sizes, strict=True)]
    left, loan = book.quantity.tolist(), int(book.loan[0])
    for k in sorted(range(len(left)), key=lambda k: -ratios[k]):
        price, sign = int(world.prices.price[book.symbol_index[k]]), 1 if left[k] > 0 else -1
        size = int(sizes[k])
        closed = left[k] if cents >= size else sign * min(abs(left[k]), -(-cents * CENT // price))
        left[k] -= closed
        loan -= divide(closed * price, CENT)
        cents -= min(cents, size)
    kept = np.flatnonzero(left)
    rest = Book(
        book.client_ids, np.array([0, len(kept)]), book.symbol_index[kept], np.array(left, np.int64)[kept],
        np.array([loan]), book.client_rate, book.symbols,
    )  # fmt: skip
    return margin_report(rest, world.prices, world.instruments, world.rules)


def check_cures(world: World) -> int:
    """Try out the cures of every client in a call; return how many can be cured by sale."""
    today = margin_report(world.book, world.prices, world.instruments, world.rules)
    cured = 0
    for c in np.flatnonzero(today.margin_shortfall > 0):
        book = one_of(world, int(c))
        report, lines = position_report(book, world.prices, world.instruments, world.rules)
        found = cures(book, world.prices, world.instruments, world.rules, report, lines)
        shortfall = int(today.margin_shortfall[c])
        assert found.cash == shortfall
        everything = int(np.abs(lines.market_value).sum())
        if found.sale is None:
            if abs(int(book.loan[0]) - int(lines.market_value.sum())) < MONEY_LIMIT:
                assert after_closing(book, world, everything).margin_shortfall[0] > 0
            continue
        cured += 1
        assert 0 <= found.sale <= everything
        assert after_closing(book, world, found.sale).margin_shortfall[0] == 0
        if found.sale:
            assert after_closing(book, world, found.sale - 1).margin_shortfall[0] > 0
    return cured


@pytest.mark.parametrize("policy", POLICIES)
def test_the_sale_cures_and_one_cent_less_does_not(policy: str) -> None:
    assert sum(check_cures(ordinary_world(seed, POLICIES[policy], clients=20)) for seed in range(8)) > 20


def test_the_sale_cures_in_random_worlds() -> None:
    assert sum(check_cures(make_world(seed)) for seed in range(60)) > 10


@pytest.mark.parametrize(
    ("source", "price", "loan", "expected"),
    [
        pytest.param("https://www.firstrade.com/content/en-us/education/margin/margintutorials?h=margincall_sc.htm",
                     "70", "10000", (200, 285.72, 666.7), id="FIRSTRADE-1"),
        pytest.param("https://www.investopedia.com/university/margin/margin2.asp",
                     "35", "5000", (100, 142.86, 333.33), id="INVESTOPEDIA-1"),
    ],
)  # fmt: skip
def test_published_cure(source: str, price: str, loan: str, expected: tuple[float, float, float]) -> None:
    """A client with 200 shares at 30 %; Firstrade gives no securities: 200 / 0.7 rounded up."""
    found = explained({"A": ("200", price)}, loan, "0.3").cures

    cash, securities, sale = expected
    assert (found.cash, found.securities) == (100 * cash, round(100 * securities)), source
    assert found.sale is not None
    assert found.sale / 100 == pytest.approx(sale, abs=0.05), source


def test_a_call_at_a_rate_of_one_half_takes_twice_its_amount_in_sales() -> None:
    """FIDELITY-CURE-3: https://www2.advisorchannel.com/...: a call of 10,000 at 50 % is met by selling 20,000.

    FIDELITY-CURE-1, same page: selling 60,000 releases 18,000 at 30 % and 30,000 at 50 %.
    """
    assert explained({"A": ("1000", "100")}, "60000", "0.5").cures == Cures(1_000_000, 2_000_000, 2_000_000)
    for rate, release in (("0.3", 18_000), ("0.5", 30_000)):
        loan = str(100_000 - int(100_000 * float(rate)) + release)
        assert explained({"A": ("1000", "100")}, loan, rate).cures.sale == pytest.approx(6_000_000, abs=2)


def test_a_sale_down_to_the_target_value() -> None:
    """BT-557-A: https://github.com/pmorissette/bt/pull/557: equity 700, value 1,200 at 60 %: down to 1,166.67."""
    sale = explained({"A": ("1200", "1")}, "500", "0.6").cures.sale

    assert sale is not None
    assert 1200 - sale / 100 == pytest.approx(1166.67, abs=0.02)


def test_nothing_to_cure_without_shortfall() -> None:
    assert explained({"A": ("100", "200")}, "15000").cures == Cures(0, 0, 0)


def test_no_stock_cures_at_a_rate_of_one_and_no_sale_a_loss() -> None:
    assert explained({"A": ("10", "100")}, "500", "1").cures == Cures(50_000, None, 50_000)
    assert explained({"A": ("10", "100")}, "1000.01", "1").cures == Cures(100_001, None, None)
    assert explained({}, "10").cures == Cures(1000, 1334, None)


def test_most_relief_per_dollar_goes_first() -> None:
    """Of 40 % and 25 %: 100 short are worth 250 of the first, not 400 of the second."""
    rules = MarginRules(house=Layer(long=Side(2500), short=Side(4000)))

    found = explained({"A": ("100", "100"), "B": ("-50", "100")}, "600", rules=rules)

    assert found.margin_shortfall == 10_000
    assert found.cures.sale == pytest.approx(25_000, abs=2)  # a cent of rounding may come to help


@pytest.mark.parametrize("bring", [-1, 0])
def test_securities_brought_cure_and_one_cent_less_does_not(bring: int) -> None:
    book, prices, instruments = columns({"A": ("200", "35"), "NEW": ("1", "0.01")}, "5000.05", "0.3")
    report, lines = position_report(book, prices, instruments, FLAT)
    securities = cures(book, prices, instruments, FLAT, report, lines).securities
    assert securities is not None

    more = replace(book, quantity=book.quantity + np.array([0, (securities + bring) * 10**6]))

    assert bool(margin_report(more, prices, instruments, FLAT).margin_shortfall[0] > 0) is (bring < 0)


def test_the_rate_of_a_plain_long_stock_is_the_greater_of_both_layers() -> None:
    exchange, house = Layer(long=Side(2500)), Layer(long=Side(3000))
    owned = {effect: MarginRules(exchange, replace(house, client_rate=effect)) for effect in ClientRateEffect}

    assert plain_long_rate(MarginRules(exchange, house), 9000) == 3000
    assert plain_long_rate(owned[ClientRateEffect.REPLACES], 1000) == 2500
    assert plain_long_rate(owned[ClientRateEffect.REPLACES], 4000) == 4000
    assert plain_long_rate(owned[ClientRateEffect.AT_LEAST], 1000) == 3000
    assert plain_long_rate(owned[ClientRateEffect.AT_LEAST], 4000) == 4000
    assert plain_long_rate(owned[ClientRateEffect.AT_LEAST], -1) == 3000
    assert plain_long_rate(MarginRules(house=Layer(short=Side(3000))), -1) == 0
