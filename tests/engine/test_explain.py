"""The explanation: every figure the report's, every requirement the sum of its rules."""

from dataclasses import replace
from decimal import Decimal
from random import Random

import numpy as np
import pytest

from app.engine.credit import RegT
from app.engine.exact import COMPLETE, UNPRICED
from app.engine.explain import IncompleteError, explain
from app.engine.margin import margin_report
from app.engine.quotes import Quotes
from app.engine.units import NOT_ASKED
from app.policies.describe import rule_lines
from app.policies.form import Policy
from app.policies.load import builtin_policy
from app.policies.translate import margin_rules
from tests.engine.boundaries import make_world
from tests.engine.build import parse_policy
from tests.engine.one import FINRA, FLAT, columns, explained
from tests.engine.test_cures import one_of
from tests.engine.worlds import random_policy


def lines_of(
    policy: str, holdings: dict[str, tuple[str, str]], loan: str = "0", rate: str | None = None
) -> list[tuple[str, int, int]]:
    """Return id, rate and amount of the first position's rules."""
    form = builtin_policy(policy)
    position = explained(holdings, loan, rate, rules=margin_rules(form)).positions[0]
    return [(line.id, line.rate, line.amount) for line in rule_lines(form, position, usd_rate=10**8)]


def test_every_figure_is_the_reports_and_every_requirement_the_sum_of_its_rules() -> None:
    explained_clients = 0
    for seed in range(150):
        form = random_policy(Random(seed))  # noqa: S311 -- worlds that anyone can make again
        world = make_world(seed, books=4, rules=margin_rules(form))
        report = margin_report(world.book, world.prices, world.instruments, world.rules)
        for c in np.flatnonzero(report.status == COMPLETE):
            book = one_of(world, int(c))
            found = explain(book, world.prices, world.quotes, world.instruments, world.rules, interest_rate=725)
            explained_clients += 1
            for name in ("portfolio_value", "net_equity", "exchange_requirement", "house_requirement",
                         "margin_requirement", "margin_excess", "margin_shortfall"):  # fmt: skip
                figure = getattr(found, name)
                assert getattr(report, name)[c] == (NOT_ASKED if figure is None else figure)
            assert found.net_equity == found.portfolio_value - found.loan_amount
            assert found.margin_call_triggered is (found.margin_shortfall > 0)
            assert found.margin_requirement == sum(position.margin_requirement for position in found.positions)
            assert found.portfolio_value == sum(position.market_value for position in found.positions)
            for position in found.positions:
                lines = rule_lines(form, position, usd_rate=world.prices.usd_rate)
                for name, layer in (("exchange", position.exchange), ("house", position.house)):
                    mine = [line for line in lines if line.layer == name]
                    assert bool(mine) is (layer is not None)
                    assert sum(line.amount for line in mine) == (layer.requirement if layer else 0)
                    assert sum(line.rate for line in mine) == (layer.rate if layer else 0)
                    assert min((line.amount for line in mine), default=0) >= 0
    assert explained_clients > 200


def test_flat_names_its_rule_or_the_clients_own() -> None:
    assert lines_of("flat", {"A": ("100", "10")}) == [("flat-long", 2500, 25_000)]
    assert lines_of("flat", {"A": ("-100", "10")}) == [("flat-short", 2500, 25_000)]
    assert lines_of("flat", {"A": ("100", "10")}, rate="0.3") == [("flat-client-rate", 3000, 30_000)]


@pytest.mark.parametrize(
    ("quantity", "price", "expected"),
    [
        ("100", "10", ("4210-c-1", 2500, 25_000)),
        ("-100", "10", ("4210-c-3", 3000, 50_000)),  # $5 a share
        ("-100", "20", ("4210-c-3", 3000, 60_000)),
        ("-100", "4.99", ("4210-c-2", 10_000, 49_900)),
        ("-100", "2", ("4210-c-2", 10_000, 25_000)),  # $2.50 a share
    ],
)
def test_finra_names_the_paragraph(quantity: str, price: str, expected: tuple[str, int, int]) -> None:
    """RULES.md: 4210(c)(1) to (3)."""
    assert lines_of("finra_4210", {"A": (quantity, price)}) == [expected]


def test_a_clients_own_rate_is_a_line_of_the_house() -> None:
    assert lines_of("finra_4210", {"A": ("100", "10")}, rate="0.4") == [
        ("4210-c-1", 2500, 25_000), ("client-rate", 4000, 40_000),
    ]  # fmt: skip


def test_leverage_adds_to_the_base_rate() -> None:
    """FINRA-0953-LONG2X: https://www.finra.org/rules-guidance/notices/09-53: 25 % twice of 2,800."""
    book, prices, instruments = columns({"A": ("100", "28")}, "0")
    twofold = replace(instruments, leverage=np.array([20_000]))
    quotes = Quotes(prices.price, np.array([10**8]))

    (position,) = explain(book, prices, quotes, twofold, FINRA).positions
    lines = rule_lines(builtin_policy("finra_4210"), position, usd_rate=10**8)

    assert [(line.id, line.rate, line.amount) for line in lines] == [
        ("4210-c-1", 2500, 70_000), ("notice-09-53", 2500, 70_000),
    ]  # fmt: skip


def test_concentration_adds_a_line_or_stands_for_the_rate() -> None:
    def policy(concentration: dict[str, object]) -> Policy:
        base = {"id": "base", "source": "made up", "rate": 0.3}
        return parse_policy(
            {"id": "p", "version": "1", "title": "p", "house": {"long": base, "concentration": concentration}}
        )

    step = {"id": "step", "source": "made up"}
    added = policy({"style": "additive", "long": [{**step, "above": 0.5, "add": 0.2}]})
    least = policy({"style": "greater_of", "long": [{**step, "at_least": 0.5, "rate": 0.45}]})

    for form, expected in (
        (added, [("base", 3000, 30_000), ("step", 2000, 20_000)]), (least, [("step", 4500, 45_000)]),
    ):  # fmt: skip
        position = explained({"A": ("100", "10")}, "0", rules=margin_rules(form)).positions[0]
        assert [(line.id, line.rate, line.amount) for line in rule_lines(form, position, usd_rate=10**8)] == expected


@pytest.mark.parametrize(
    ("holdings", "loan", "equity", "requirement", "excess", "sma"),
    [
        pytest.param({"A": ("700", "100")}, "40000", 30_000, 35_000, -5_000, 0, id="SI-RESTRICTED"),
        pytest.param({"A": ("700", "100")}, "30000", 40_000, 35_000, 5_000, 5_000, id="SOLOMON-SMA"),
        pytest.param({"ABC": ("200", "40"), "PDQ": ("100", "30"), "LIB": ("100", "50")}, "6400",
                     9_600, 8_000, 1_600, 1_600, id="INVESTOPEDIA-SMA"),
        pytest.param({"A": ("-400", "100")}, "-45000", 5_000, 20_000, -15_000, 0, id="SOLOMON-SHORT-UP"),
        pytest.param({"A": ("500", "40")}, "10000", 10_000, 10_000, 0, 0, id="IBKR-D2"),
        pytest.param({}, "-10000", 10_000, 0, 10_000, 10_000, id="IBKR-D1"),
        pytest.param({"A": ("-800", "100")}, "-124000", 44_000, 40_000, 4_000, 4_000, id="WSA-CREDIT"),
    ],
)  # fmt: skip
def test_published_reg_t(
    holdings: dict[str, tuple[str, str]], loan: str, equity: int, requirement: int, excess: int, sma: int
) -> None:
    """
    Published Reg T figures: equity, half of the value, excess or what is missing, SMA, buying power.

    SI-RESTRICTED https://si.frajer.net/readmsg.aspx?msgid=12860101; SOLOMON-SMA and SOLOMON-SHORT-UP
    https://solomonexamprep.com/content-txt/; INVESTOPEDIA-SMA http://www.investopedia.com/ask/answers/08/series7-123008.asp;
    IBKR https://www.interactivebrokers.co.jp/en/index.php?f=4745&p=overview3; WSA-CREDIT (the account before the sale)
    https://wall-street-academy.com/series-7/.
    """
    found = explained(holdings, loan)

    assert found.net_equity == 100 * equity
    assert found.reg_t == RegT(
        100 * requirement, 100 * excess, restricted=excess < 0, sma_floor=100 * sma, buying_power=200 * sma
    )


def test_interest_of_thirty_days() -> None:
    """INTEREST-1: https://calculator.academy/margin-interest-calculator/: 30,000 at 7 % on 360: 175 in 30 days."""
    interest = explained({"A": ("1000", "100")}, "30000", interest="0.07").interest

    assert interest is not None
    assert (interest.annual_rate, interest.daily) == (700, 583)  # 5.8333
    assert 30 * Decimal(interest.daily) / 100 == pytest.approx(Decimal(175), abs=Decimal("0.15"))


def test_interest_counts_the_debit_without_short_proceeds_and_none_of_a_credit() -> None:
    def daily(holdings: dict[str, tuple[str, str]], loan: str) -> int:
        interest = explained(holdings, loan, interest="0.07").interest
        assert interest is not None
        return interest.daily

    assert daily({"A": ("-100", "100")}, "20000") == 583  # 20,000 + 10,000
    assert daily({"A": ("-100", "100")}, "-12000") == 0
    assert daily({}, "257.14") == 5  # 4.9999 cents
    assert daily({}, "282.857142"[:6]) == 5  # 5.4988
    assert explained({}, "10").interest is None


def test_cushion_is_excess_over_gross_value_and_none_of_nothing() -> None:
    """LUKE-280: excess 5,000 of 140,000 (github.com/lukelittle/finra-4210-margin-risk-monitor-example)."""
    assert explained({"A": ("500", "280")}, "100000").cushion == 5_000 / 140_000
    assert explained({"A": ("-500", "280")}, "-200000").cushion == 25_000 / 140_000
    assert explained({}, "10").cushion is None


def test_prices_are_told_in_the_stocks_currency() -> None:
    book, prices, instruments = columns({"A": ("100", "12.50")}, "900")
    quotes = Quotes(np.array([10 * 10**8]), np.array([125_000_000]))

    (position,) = explain(book, prices, quotes, instruments, FLAT).positions

    assert (position.price, position.fx, position.account_price) == (10**9, 125_000_000, 1_250_000_000)
    assert position.trigger_down == pytest.approx(960_000_000, abs=8_000)  # 12 in account currency: 1,200 x 0.75 = 900


def test_an_incomplete_client_is_not_explained() -> None:
    book, prices, instruments = columns({"A": ("100", "10")}, "0")
    none = Quotes(np.zeros(1, np.int64), np.zeros(1, np.int64))

    with pytest.raises(IncompleteError) as raised:
        explain(book, replace(prices, price=np.zeros(1, np.int64)), none, instruments, FLAT)

    assert raised.value.status == UNPRICED


def test_quotes_that_are_not_the_prices_are_our_own_fault() -> None:
    book, prices, instruments = columns({"A": ("100", "10")}, "0")

    with pytest.raises(AssertionError):
        explain(book, prices, Quotes(prices.price, np.array([2 * 10**8])), instruments, FLAT)


@pytest.mark.parametrize(("desk", "expected"), [(4999, "named"), (5000, "named"), (5001, "desk")])
def test_a_symbols_rate_is_the_policys_unless_the_desks_is_greater(desk: int, expected: str) -> None:
    form = parse_policy({"id": "p", "version": "1", "title": "p", "house": {
        "own_rates": {"id": "desk", "source": "made up"},
        "symbols": {"A": {"id": "named", "source": "made up", "long": 0.5, "short": 1}},
    }})  # fmt: skip
    book, prices, instruments = columns({"A": ("100", "10")}, "0")
    quotes = Quotes(prices.price, np.array([10**8]))

    (position,) = explain(
        book, prices, quotes, replace(instruments, house_rate=np.array([desk])), margin_rules(form)
    ).positions

    assert [line.id for line in rule_lines(form, position, usd_rate=10**8)] == [expected]


def test_rules_that_raise_a_rate_stand_in_the_order_in_which_they_apply() -> None:
    """30 %, twice, and 5 points: 300, 300 and 50 of 1,000."""
    form = parse_policy({"id": "p", "version": "1", "title": "p", "house": {
        "long": {"id": "base", "source": "made up", "rate": 0.3},
        "leverage": {"id": "factor", "source": "made up"},
        "concentration": {"style": "additive", "long": [
            {"id": "tenth", "source": "made up", "above": 0.1, "add": 0.01},
            {"id": "half", "source": "made up", "above": 0.5, "add": 0.05},
        ]},
    }})  # fmt: skip
    book, prices, instruments = columns({"A": ("100", "10")}, "0")
    quotes = Quotes(prices.price, np.array([10**8]))

    (position,) = explain(
        book, prices, quotes, replace(instruments, leverage=np.array([-20_000])), margin_rules(form)
    ).positions

    assert [(line.id, line.rate, line.amount) for line in rule_lines(form, position, usd_rate=10**8)] == [
        ("base", 3000, 30_000), ("factor", 3000, 30_000), ("half", 500, 5_000),
    ]  # fmt: skip
