"""Estimated rows against whole numbers: every rate, values up to where estimates end and beyond."""

import numpy as np
import pytest

from app.engine.arrays import Int64
from app.engine.book import Book, Instruments, Prices
from app.engine.estimate import LIMIT
from app.engine.margin import margin_report
from app.engine.rules import FLAT_25, ClientRate, Layer, MarginRules, Side
from app.engine.units import PRICE_SCALE, QUANTITY_SCALE, RATE_SCALE

CENT = PRICE_SCALE // 100
AT_LEAST = MarginRules(house=Layer(long=Side(0), client_rate=ClientRate.AT_LEAST))


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


def cent_prices(count: int) -> tuple[Prices, Instruments]:
    return Prices(np.full(count, CENT)), Instruments.plain(count)


@pytest.mark.parametrize("rules", [FLAT_25, AT_LEAST], ids=["flat", "layered"])
@pytest.mark.parametrize("largest", [10**4, 10**8, int(LIMIT) // 20])
def test_a_share_of_a_value_is_rounded_half_up_at_every_rate(rules: MarginRules, largest: int) -> None:
    rates = np.arange(RATE_SCALE + 1)
    values = np.random.default_rng(largest).integers(1, largest, (len(rates), 20))

    report = margin_report(cents_book(values, rates), *cent_prices(20), rules)

    shares = (values * rates[:, None] + RATE_SCALE // 2) // RATE_SCALE
    assert np.array_equal(report.house_requirement, shares.sum(axis=1))


@pytest.mark.parametrize("rules", [FLAT_25, AT_LEAST], ids=["flat", "layered"])
def test_values_on_both_sides_of_where_estimates_end_are_exact(rules: MarginRules) -> None:
    values = np.concatenate([int(LIMIT) + np.arange(-500, 500), 10**11 - np.arange(1, 500)])[:, None]
    rates = np.resize(np.arange(1, RATE_SCALE + 1, 37), len(values))

    report = margin_report(cents_book(values, rates), *cent_prices(1), rules)

    assert np.array_equal(report.long_market_value, values[:, 0])
    assert np.array_equal(report.house_requirement, (values[:, 0] * rates + RATE_SCALE // 2) // RATE_SCALE)


@pytest.mark.parametrize("rules", [FLAT_25, AT_LEAST], ids=["flat", "layered"])
@pytest.mark.parametrize("price", [CENT // 2, 5 * CENT // 2, 3 * CENT // 1000])
def test_values_at_and_beside_half_a_cent_round_away_from_zero(rules: MarginRules, price: int) -> None:
    wholes = np.arange(1, 2001) * QUANTITY_SCALE
    quantity = np.concatenate([wholes - 1, wholes, wholes + 1])
    quantity = np.concatenate([quantity, -quantity])
    book = Book(
        client_ids=np.arange(1, len(quantity) + 1),
        offsets=np.arange(len(quantity) + 1),
        symbol_index=np.zeros(len(quantity), np.int32),
        quantity=quantity,
        loan=np.zeros(len(quantity), np.int64),
        client_rate=np.full(len(quantity), -1),
        symbols=("S0",),
    )

    report = margin_report(book, Prices(np.array([price])), Instruments.plain(1), rules)

    scale = QUANTITY_SCALE * CENT
    values = np.sign(quantity) * ((2 * np.abs(quantity) * price + scale) // (2 * scale))
    assert np.array_equal(report.portfolio_value, values)
