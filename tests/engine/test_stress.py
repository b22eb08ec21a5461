"""Stress rungs: shocked prices, and the report there."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from app.engine.book import Book, Instruments, Prices
from app.engine.margin import margin_report
from app.engine.rules import Layer, MarginRules, Side
from app.engine.stress import book_ladder, ladder, shocked, unsecured_loss
from app.engine.units import PRICE_LIMIT
from app.policies.load import builtin_policy
from app.policies.translate import margin_rules
from tests.engine.build import build_book, build_instruments, build_prices
from tests.engine.oracle import Account, Listed, figures

SHOCKS = [-9999, -5000, -2000, 0, 1, 5000, 30_000]


@given(price=st.integers(1, PRICE_LIMIT), shock=st.integers(-9999, 10**6))
@example(price=PRICE_LIMIT, shock=999_999)
@example(price=5_000, shock=-9999)
def test_a_shocked_price_is_rounded_to_eight_decimals(price: int, shock: int) -> None:
    exact = (Decimal(price) * (10_000 + shock) / 10_000).quantize(Decimal(1), ROUND_HALF_UP)

    moved = shocked(Prices(np.array([price])), shock)

    assert moved.price[0] == min(max(exact, 1), PRICE_LIMIT)


def test_a_missing_price_stays_missing_and_dollars_keep_their_rate() -> None:
    moved = shocked(Prices(np.array([0, 10**8]), 92_000_000), 5000)

    assert (moved.price.tolist(), moved.usd_rate) == ([0, 150_000_000], 92_000_000)


def test_a_single_name_moves_alone() -> None:
    assert shocked(Prices(np.array([10**8, 10**8])), -1000, symbol=1).price.tolist() == [10**8, 9 * 10**7]


def test_rungs_recompute_the_requirement_by_the_rules_at_the_shocked_price() -> None:
    """A short at 8 falls below 5 dollars on the way down, where 4210 asks otherwise: no scaled requirement is right."""
    policy = builtin_policy("finra_4210")
    market = {"L": Listed(Decimal(25)), "S": Listed(Decimal(8))}
    account = Account([("L", Decimal(100)), ("S", Decimal(-300))], Decimal(-1000))
    columns = (
        build_book([account], tuple(market)),
        build_prices(market),
        build_instruments(market),
        margin_rules(policy),
    )

    rungs = list(ladder(*columns, SHOCKS))

    assert [rung.shock for rung in rungs] == SHOCKS
    for rung in rungs:
        factor = 1 + Decimal(rung.shock) / 10_000
        exact = figures(
            policy, account, {name: Listed((one.price or Decimal(0)) * factor) for name, one in market.items()}
        )
        assert not isinstance(exact, str)
        assert rung.report.margin_requirement[0] == 100 * exact.requirement
        assert rung.report.net_equity[0] == 100 * exact.equity
        assert unsecured_loss(rung.report)[0] == max(Decimal(0), -100 * exact.equity)


def test_a_client_without_figures_has_no_loss() -> None:
    market = {"A": Listed(None)}
    book = build_book([Account([("A", Decimal(1))], Decimal(10))], ("A",))
    report = margin_report(book, build_prices(market), build_instruments(market), margin_rules(builtin_policy("flat")))

    assert unsecured_loss(report).tolist() == [0]


def test_the_books_ladder_sums_the_reports_of_its_rungs() -> None:
    """Three clients: one in a call on the way down, one that loses more than it has, one without a price."""
    market = {"A": Listed(Decimal(100)), "B": Listed(None)}
    accounts = [
        Account([("A", Decimal(100))], Decimal(6000)),
        Account([("A", Decimal(10))], Decimal(900)),
        Account([("B", Decimal(1))], Decimal(0)),
    ]
    columns = (build_book(accounts, tuple(market)), build_prices(market), build_instruments(market))
    flat = margin_rules(builtin_policy("flat"))

    fall, today = book_ladder(*columns, flat, [-5000, 0])

    # At 50: 5,000 - 6,000 - 1,250 and 500 - 900 - 125; today: 10,000 - 6,000 - 2,500 and 1,000 - 900 - 250.
    assert (fall.calls, fall.margin_shortfall, fall.unsecured_loss, fall.incomplete) == (2, 277_500, 140_000, 1)
    assert (today.calls, today.margin_shortfall, today.unsecured_loss, today.incomplete) == (1, 15_000, 0, 1)
    assert book_ladder(*columns, flat, [-5000], symbol=1)[0].margin_shortfall == today.margin_shortfall


def test_sums_of_a_rung_are_exact_beyond_64_bits() -> None:
    """6,000 clients short 9e11 units at 1.00, six times leveraged: 18 times that asked of each, and all of it owed."""
    clients = 6000
    book = Book(
        np.arange(clients), np.arange(clients + 1), np.zeros(clients, np.int32), np.full(clients, -9 * 10**17),
        np.zeros(clients, np.int64), np.full(clients, -1), ("A",),
    )  # fmt: skip
    leveraged = Instruments(np.array([60_000]), np.array([True]), np.array([-1]), np.array([True]))
    rules = MarginRules(exchange=Layer(short=Side(30_000), leverage=True))

    (rung,) = book_ladder(book, Prices(np.array([10**8])), leveraged, rules, [0])

    owed = 9 * 10**11 * 100
    assert (rung.calls, rung.incomplete) == (clients, 0)
    assert (rung.margin_shortfall, rung.unsecured_loss) == (clients * 19 * owed, clients * owed)
