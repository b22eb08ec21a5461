"""Distances and triggers: published examples, and random books checked by recomputation."""

import os
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from app.engine.distance import distances
from app.engine.margin import margin_report
from app.engine.rules import Concentration, Layer, MarginRules, ShareStep, Side, Style
from app.engine.units import PRICE_SCALE
from app.policies.translate import margin_rules
from tests.engine import boundaries
from tests.engine.boundaries import WHOLE, check_distances, check_triggers
from tests.engine.build import parse_policy
from tests.engine.one import FINRA, FLAT, columns, explained
from tests.engine.ordinary import POLICIES, ordinary_world, rule

BOOKS = int(os.getenv("RISK_TEST_BOOKS", "300"))  # noqa: TID251 -- how long to test is no setting of the service


def test_random_books_flip_where_their_boundaries_say_and_not_before() -> None:
    found, triggers = boundaries.check(BOOKS)

    assert (found > BOOKS // 10, triggers > BOOKS // 4) == (True, True)


@pytest.mark.parametrize("policy", POLICIES)
def test_ordinary_books_flip_where_their_boundaries_say_and_not_before(policy: str) -> None:
    for seed in range(max(1, BOOKS // 80)):
        world, rng = ordinary_world(seed, POLICIES[policy]), Random(seed)  # noqa: S311 -- where to look
        check_distances(world, rng)
        check_triggers(world, rng)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_fine_scan_finds_no_nearer_boundary(policy: str) -> None:
    world = ordinary_world(77, POLICIES[policy], clients=6)
    found = distances(world.book, world.prices, world.instruments, world.rules)
    calls = margin_report(world.book, world.prices, world.instruments, world.rules).margin_shortfall > 0

    for c in range(6):
        for way, fraction, limit in ((-1, found.drop[c], WHOLE), (1, found.rise[c], 10 * WHOLE)):
            last = limit if np.isnan(fraction) else round(fraction * WHOLE) - 1
            steps = np.linspace(1, last, min(last, 2000)).astype(np.int64).tolist() if last else []
            assert set(world.states(c, [world.moved(WHOLE + way * step) for step in steps])) <= {bool(calls[c])}


def test_threads_and_company_change_no_distance() -> None:
    world = ordinary_world(5, FINRA, clients=20_000)
    inputs = (world.prices, world.instruments, world.rules)

    one, two = (distances(world.book, *inputs, threads=threads) for threads in (1, 2))

    for column in ("drop", "rise", "drop_value", "rise_value"):
        assert getattr(one, column).tobytes() == getattr(two, column).tobytes()
    for c in (0, 17, 19_999):
        a, b = world.book.offsets[c], world.book.offsets[c + 1]
        alone = replace(
            world.book, client_ids=np.array([c]), offsets=np.array([0, b - a]), loan=world.book.loan[c : c + 1],
            symbol_index=world.book.symbol_index[a:b], quantity=world.book.quantity[a:b],
            client_rate=world.book.client_rate[c : c + 1],
        )  # fmt: skip
        same = distances(alone, *inputs)
        assert (same.drop.tobytes(), same.rise.tobytes()) == (one.drop[c].tobytes(), one.rise[c].tobytes())


def test_a_share_that_rounding_to_cents_lifts_onto_a_step_is_not_passed_over() -> None:
    """5 cents and 4 ask 4 and 1, all that is left; from 5 and 5 on, half each, they ask 4 and 4 of 6."""
    steps = (ShareStep(3333, 3000), ShareStep(5000, 7000))
    rules = MarginRules(house=Layer(long=Side(3000)), concentration=Concentration(style=Style.GREATER_OF, long=steps))

    found = distances(*columns({"A": ("0.135", "0.377"), "B": ("3.51", "0.0123")}, "0.04"), rules)

    assert found.rise[0] == pytest.approx(4.5 / 4.3173 - 1, abs=2e-6)


def test_a_hedged_book_calls_on_both_sides_and_not_far_below() -> None:
    """RULES.md: long 1,000 at 25, short 1,000 at 16.67, credit 3,417: a call at -24 %, at +17 %, none below -77 %."""
    holdings = {"L": ("1000", "25"), "S": ("-1000", "16.67")}

    distance = explained(holdings, "-3417", rules=FINRA).distance

    # 750 x 25 f - 1000 x 16.67 f - 5000 + 3417 = 0 below 16.67 (then $5 a share), with 30 % instead above it
    assert distance.drop == pytest.approx(1 - 1583 / 2080, abs=1e-6)
    assert distance.rise == pytest.approx(3417 / (1.3 * 16670 - 18750) - 1, abs=3e-6)  # a cent
    # in the call below: 750 x 25 f + 3417 - 1000 x 16.67 f - 5000 until $5, then twice the value until $2.50
    fallen = {"L": ("1000", "10"), "S": ("-1000", "6.668")}
    inside = explained(fallen, "-3417", rules=FINRA)
    assert inside.margin_call_triggered
    assert inside.distance.drop is not None
    assert 10 * (1 - inside.distance.drop) / 25 == pytest.approx(
        3417 / (2 * 16670 - 18750), abs=1e-6
    )  # 23.4 % are left


@pytest.mark.parametrize(
    ("source", "quantity", "price", "loan", "rate", "value", "trigger"),
    [
        pytest.param("https://open-exam-prep.com/exams/series7/chapter-9/margin-calculations",
                     "100", "200", "10000", None, 13_333, None, id="OPENEXAM-1"),
        pytest.param("https://app.certfuel.com/series7/learn/trading-settlement/margin-accounts/maintenance-margin-requirements",
                     "100", "100", "5000", None, 6_667, 66.67, id="CERTFUEL-1"),
        pytest.param("https://acadifi.com/community/margin-call-calculation-maintenance-margin-cfa-level-1",
                     "1000", "80", "40000", None, None, 53.33, id="ACADIFI-LONG"),
        pytest.param("http://gradestack.com/Review-CFA-Level-1-CFA/Margin-Calls/Margin-Calls/14590-2922-1629-study-wtw",
                     "1000", "20", "8000", "0.2", None, 10, id="GRADESTACK"),
        pytest.param("https://www.scribd.com/doc/144509885/Margin-Call-Calculations",
                     "200", "100", "10000", None, 13_333.33, None, id="SCRIBD-1"),
        pytest.param("https://www.scribd.com/doc/144509885/Margin-Call-Calculations",
                     "500", "100", "20000", "0.3", 28_571.43, None, id="SCRIBD-2"),
        pytest.param("https://si.frajer.net/readmsg.aspx?msgid=4151313",
                     "200", "100", "12000", "0.3", 17_142.86, None, id="SI-30PCT"),
    ],
)  # fmt: skip
def test_published_trigger(
    source: str, quantity: str, price: str, loan: str, rate: str | None, value: float | None, trigger: float | None
) -> None:
    found = explained({"A": (quantity, price)}, loan, rate)

    assert found.distance.drop_value is not None
    assert found.positions[0].trigger_down is not None
    if value:  # published to the cent or to the dollar
        assert found.distance.drop_value / 100 == pytest.approx(value, abs=0.011 if value % 1 else 0.5), source
    if trigger:
        assert found.positions[0].trigger_down / PRICE_SCALE == pytest.approx(trigger, abs=0.005), source


@pytest.mark.parametrize(
    ("market_value", "rate", "percent"),
    [pytest.param("200", None, 33.33, id="SCRIBD-1"), pytest.param("500", "0.3", 42.86, id="SCRIBD-2")],
)
def test_published_drop(market_value: str, rate: str | None, percent: float) -> None:
    """SCRIBD: https://www.scribd.com/doc/144509885/Margin-Call-Calculations."""
    drop = explained({"A": (market_value, "100")}, "10000" if rate is None else "20000", rate).distance.drop

    assert drop is not None
    assert round(100 * drop, 2) == percent


def test_a_call_ends_where_the_price_covers_the_loan() -> None:
    """INVESTOPEDIA-1: https://www.investopedia.com/university/margin/margin2.asp, 5,000 at 30 %: 7,142.86, 35.71."""
    found = explained({"A": ("200", "35")}, "5000", "0.3")

    assert found.margin_call_triggered
    assert found.positions[0].trigger_up is not None
    assert found.positions[0].trigger_up / PRICE_SCALE == pytest.approx(35.71, abs=0.005)
    assert found.distance.rise_value == pytest.approx(714_286, abs=1)
    assert found.positions[0].trigger_down is found.distance.drop is None


def test_a_short_call_opens_above_its_credit() -> None:
    """S7BLOG-SHORT: http://finra-series-7-exam-review.blogspot.com/2014/05/margin-outline_8.html: 130,000 / 1.3."""
    found = explained({"A": ("-1000", "80")}, "-130000", rules=FINRA)

    assert found.distance.rise_value == pytest.approx(-10_000_000, abs=1)
    assert found.distance.rise == pytest.approx(0.25, abs=1e-6)
    assert found.positions[0].trigger_up == pytest.approx(100 * PRICE_SCALE, rel=1e-6)


def test_a_trigger_counts_what_the_others_ask() -> None:
    """TORCH-344: https://github.com/TorchTrade/torchtrade/issues/344: 99.40, and 95.40 if the others were ignored."""
    # equity 5; the other position asks 4 and stands: 16 of 25 %
    found = explained({"A": ("1", "100"), "B": ("16", "1")}, "111", rules=margin_rules(parse_policy({
        "id": "t", "version": "1", "title": "t",
        "house": {"long": rule("long", rate=0.25), "symbols": {"A": rule("a", long=0.004, short=1)}},
    })))  # fmt: skip

    assert found.margin_excess == 60
    assert found.positions[0].trigger_down == pytest.approx(99.40 * PRICE_SCALE, abs=0.01 * PRICE_SCALE)


def test_no_loan_no_boundary() -> None:
    found = explained({"A": ("10", "100")}, "0")

    assert (found.distance.drop, found.distance.rise, found.distance.drop_value) == (None, None, None)
    assert found.positions[0].trigger_down is found.positions[0].trigger_up is None


def test_a_cent_of_loan_calls_at_a_drop_of_one() -> None:
    distance = explained({"A": ("1", "9999999.99")}, "0.01").distance

    assert (distance.drop, distance.drop_value) == (1.0, 0)


def test_a_client_without_figures_has_no_distance() -> None:
    book, prices, instruments = columns({"A": ("10", "100")}, "500")
    unpriced = replace(prices, price=np.zeros(1, np.int64))

    found = distances(book, unpriced, instruments, FLAT)

    assert np.isnan([found.drop[0], found.rise[0]]).all()
