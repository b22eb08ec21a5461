"""Estimated rows against whole numbers: every rate, values up to where estimates end and beyond."""

from decimal import Decimal
from fractions import Fraction
from math import gcd

import numpy as np
import pytest

from app.engine.arrays import Int64
from app.engine.book import Book, Instruments, Prices
from app.engine.exact import COMPLETE, OVER_LIMIT
from app.engine.float_fast_path import ABOVE_CENTS, LIMIT
from app.engine.margin import margin_report
from app.engine.rules import ClientRateEffect, Concentration, Layer, MarginRules, ShareStep, Side, Style
from app.engine.units import MISSING, NOT_ASKED, PRICE_SCALE, QUANTITY_LIMIT, QUANTITY_SCALE, RATE_SCALE, divide, scaled
from tests.engine.build import FLAT_25

CENT = PRICE_SCALE // 100
AT_LEAST = MarginRules(house=Layer(long=Side(0), client_rate=ClientRateEffect.AT_LEAST))


def cents_book(values: Int64, rates: Int64) -> Book:
    """Return clients (one a row) who hold so many cents, each symbol a unit of one cent."""
    clients, held = values.shape
    return Book(
        client_ids=np.arange(1, clients + 1),
        offsets=np.arange(clients + 1) * held,
        symbol_index=np.tile(np.arange(held, dtype=np.int32), clients),
        quantity=values.reshape(-1) * QUANTITY_SCALE,
        loan=np.zeros(clients, np.int64),
        client_rate=rates,
        symbols=tuple(f"S{s}" for s in range(held)),
    )


def one_position_each(quantity: Int64) -> Book:
    """Return clients who hold so many millionths of one symbol."""
    clients = len(quantity)
    return Book(
        client_ids=np.arange(1, clients + 1),
        offsets=np.arange(clients + 1),
        symbol_index=np.zeros(clients, np.int32),
        quantity=quantity,
        loan=np.zeros(clients, np.int64),
        client_rate=np.full(clients, -1),
        symbols=("S0",),
    )


def cent_prices(count: int) -> tuple[Prices, Instruments]:
    return Prices(np.full(count, CENT)), Instruments.plain(count)


def smallest_tie(rate: int) -> int | None:
    """Return the least number of cents of which this rate asks half a cent beyond whole ones."""
    common = gcd(rate, RATE_SCALE)
    if RATE_SCALE // 2 % common:
        return None
    period = RATE_SCALE // common
    return RATE_SCALE // 2 // common * pow(rate // common, -1, period) % period


@pytest.mark.parametrize("rules", [FLAT_25, AT_LEAST], ids=["flat", "layered"])
@pytest.mark.parametrize("largest", [10**4, 10**8, int(LIMIT) // 20])
def test_a_share_of_a_value_is_rounded_half_up_at_every_rate(rules: MarginRules, largest: int) -> None:
    rates = np.arange(RATE_SCALE + 1)
    values = np.random.default_rng(largest).integers(1, largest, (len(rates), 20))

    report = margin_report(cents_book(values, rates), *cent_prices(20), rules)

    shares = (values * rates[:, None] + RATE_SCALE // 2) // RATE_SCALE
    assert np.array_equal(report.house_requirement, shares.sum(axis=1))


@pytest.mark.parametrize("rules", [FLAT_25, AT_LEAST], ids=["flat", "layered"])
def test_half_a_cent_of_a_share_is_rounded_up_at_every_rate_that_has_one(rules: MarginRules) -> None:
    rng = np.random.default_rng(1)
    tied = {rate: tie for rate in range(1, RATE_SCALE + 1) if (tie := smallest_tie(rate)) is not None}
    rates, smallest = np.array(list(tied)), np.array(list(tied.values()))
    period = RATE_SCALE // np.gcd(rates, RATE_SCALE)
    values = smallest[:, None] + period[:, None] * rng.integers(0, 10**5, (len(rates), 15))
    assert (values * rates[:, None] % RATE_SCALE == RATE_SCALE // 2).all()

    report = margin_report(cents_book(values, rates), *cent_prices(15), rules)

    shares = (values * rates[:, None] + RATE_SCALE // 2) // RATE_SCALE
    assert np.array_equal(report.house_requirement, shares.sum(axis=1))


@pytest.mark.parametrize("rules", [FLAT_25, AT_LEAST], ids=["flat", "layered"])
def test_values_on_both_sides_of_where_estimates_end_are_exact(rules: MarginRules) -> None:
    values = np.concatenate([int(LIMIT) + np.arange(-500, 500), 10**11 - np.arange(1, 500)])[:, None]
    rates = np.resize(np.arange(1, RATE_SCALE + 1, 37), len(values))

    report = margin_report(cents_book(values, rates), *cent_prices(1), rules)

    assert np.array_equal(report.long_market_value, values[:, 0])
    assert np.array_equal(report.house_requirement, (values[:, 0] * rates + RATE_SCALE // 2) // RATE_SCALE)


def test_the_factor_leaves_values_above_the_exact_ones_whatever_three_roundings_do() -> None:
    above = (Fraction(ABOVE_CENTS) * 10**12 - 1) * 2**53

    assert above > 3
    assert above + 3 < 2**53 / 2**50


@pytest.mark.parametrize("rules", [FLAT_25, AT_LEAST], ids=["flat", "layered"])
@pytest.mark.parametrize("zeros", range(9))
@pytest.mark.parametrize("digits", [7, 12_349, 100_000_007, 3_999_999_999])
def test_values_as_near_to_half_a_cent_as_a_price_lets_them_be_are_rounded_right(
    rules: MarginRules, zeros: int, digits: int
) -> None:
    price, scale = digits * 10**zeros, QUANTITY_SCALE * CENT
    assert gcd(digits, 10) == 1
    period = scale // 10**zeros  # of quantities whose values have the same part of a cent
    nearest = [(period // 2 - off) * pow(digits, -1, period) % period for off in range(-2, 3)]
    whole = [quantity + period * 10**k for quantity in nearest for k in range(12)]
    held = sorted({q for q in nearest + whole if 0 < q <= QUANTITY_LIMIT and q * price < 100 * int(LIMIT) * scale})
    assert held

    report = margin_report(one_position_each(np.array(held)), Prices(np.array([price])), Instruments.plain(1), rules)

    assert report.portfolio_value.tolist() == [(2 * q * price + scale) // (2 * scale) for q in held]


@pytest.mark.parametrize("rules", [FLAT_25, AT_LEAST], ids=["flat", "layered"])
@pytest.mark.parametrize("price", [CENT // 2, 5 * CENT // 2, 3 * CENT // 1000])
def test_values_at_and_beside_half_a_cent_round_away_from_zero(rules: MarginRules, price: int) -> None:
    wholes = np.arange(1, 2001) * QUANTITY_SCALE
    quantity = np.concatenate([wholes - 1, wholes, wholes + 1])
    quantity = np.concatenate([quantity, -quantity])
    report = margin_report(one_position_each(quantity), Prices(np.array([price])), Instruments.plain(1), rules)

    scale = QUANTITY_SCALE * CENT
    values = np.sign(quantity) * ((2 * np.abs(quantity) * price + scale) // (2 * scale))
    assert np.array_equal(report.portfolio_value, values)


def test_an_amount_a_share_below_rate_x_price_still_counts_where_the_value_rounds_to_nothing() -> None:
    """300 % of 0.45 cents, taken as 0, ask nothing; 1.50 a share of so little ask a cent."""
    quantity = -np.arange(1, 20_000)
    rules = MarginRules(exchange=Layer(short=Side(3 * RATE_SCALE, per_share=3 * PRICE_SCALE // 2)))

    report = margin_report(one_position_each(quantity), Prices(np.array([PRICE_SCALE])), Instruments.plain(1), rules)

    value, floor = (np.floor(-quantity / 10_000 * factor + 0.5).astype(np.int64) for factor in (1, 1.5))
    assert np.array_equal(report.exchange_requirement, np.maximum(3 * value, floor))


def test_a_house_that_asks_those_alone_who_have_a_rate_asks_nothing_of_the_others() -> None:
    rules = MarginRules(exchange=Layer(long=Side(2500)), house=Layer(client_rate=ClientRateEffect.REPLACES))

    report = margin_report(cents_book(np.full((2, 1), 1000), np.array([-1, 4000])), *cent_prices(1), rules)

    assert report.house_requirement.tolist() == [NOT_ASKED, 400]
    assert report.margin_requirement.tolist() == [250, 400]


@pytest.mark.parametrize(("dollars", "status"), [("4.99999999", COMPLETE), ("100", OVER_LIMIT)])
def test_amounts_a_share_far_beyond_the_value_are_exact_or_refused(dollars: str, status: int) -> None:
    """A trillion shares at 1e-8 are worth 10,000; a dollar a share of them asks a trillion."""
    size, floor = QUANTITY_LIMIT - 1, scaled(Decimal(dollars), PRICE_SCALE)
    rules = MarginRules(exchange=Layer(short=Side(3000, per_share=floor)))

    report = margin_report(one_position_each(np.array([-size])), Prices(np.array([1])), Instruments.plain(1), rules)

    exact = divide(size * floor, QUANTITY_SCALE * CENT)
    assert report.status.tolist() == [status]
    assert report.exchange_requirement.tolist() == [exact if status == COMPLETE else MISSING]


def test_concentration_asks_nothing_of_a_side_of_which_the_house_asks_nothing() -> None:
    steps = Concentration(Style.GREATER_OF, long=(ShareStep(1000, 5000),))
    rules = MarginRules(exchange=Layer(long=Side(2500)), house=Layer(short=Side(3000)), concentration=steps)

    report = margin_report(cents_book(np.full((1, 1), 1000), np.array([-1])), *cent_prices(1), rules)

    assert (report.house_requirement.tolist(), report.margin_requirement.tolist()) == ([0], [250])
