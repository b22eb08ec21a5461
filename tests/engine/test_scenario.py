"""Stress rungs: shocked prices, and the report there."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.engine.book import Prices
from app.engine.margin import margin_report
from app.engine.scenario import ladder, shocked, unsecured_loss
from app.engine.units import PRICE_LIMIT
from app.policies.load import builtin_policy
from app.policies.translate import margin_rules
from tests.engine.build import build_book, build_instruments, build_prices
from tests.engine.oracle import Account, Listed, figures

SHOCKS = [-9999, -5000, -2000, 0, 1, 5000, 30_000]


@given(price=st.integers(1, PRICE_LIMIT), shock=st.integers(-9999, 10**6))
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
