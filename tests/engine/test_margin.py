"""What a margin report promises beside its figures: determinism, missing prices, limits, threads, read-only columns."""

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.book import Book, Instruments, Prices
from app.engine.exact import COMPLETE, OVER_LIMIT, UNPRICED
from app.engine.margin import MarginReport, margin_report, position_report
from app.engine.rules import MarginRules
from app.engine.units import MISSING, NOT_ASKED, PRICE_LIMIT, QUANTITY_LIMIT
from app.policies.load import builtin_policy
from app.policies.translate import margin_rules
from tests.engine.build import FLAT_25

FINRA = margin_rules(builtin_policy("finra_4210"))


def one_client(
    quantity: Sequence[int], price: Sequence[int], loan: int = 0, rate: int = -1
) -> tuple[Book, Prices, Instruments]:
    count = len(quantity)
    book = Book(
        np.array([1]), np.array([0, count]), np.arange(count, dtype=np.int32), np.array(quantity, np.int64),
        np.array([loan]), np.array([rate]), tuple(f"S{i}" for i in range(count)),
    )  # fmt: skip
    return book, Prices(np.array(price, np.int64)), Instruments.plain(count)


def large_book(clients: int) -> tuple[Book, Prices, Instruments]:
    rng = np.random.default_rng(11)
    counts = rng.integers(0, 30, clients)
    counts[-5:] = 0  # the last ones hold nothing
    offsets = np.concatenate([[0], np.cumsum(counts)])
    positions, symbols = int(offsets[-1]), 500
    quantity = rng.integers(1, 10**9, positions) * rng.choice([-1, 1, 1], positions)
    price = rng.integers(1, 10**11, symbols)
    price[7] = 0
    book = Book(
        np.arange(clients), offsets, rng.integers(0, symbols, positions, np.int32), quantity,
        rng.integers(-(10**8), 10**8, clients), rng.choice([-1, 4000], clients), tuple(map(str, range(symbols))),
    )  # fmt: skip
    return book, Prices(price), Instruments.plain(symbols)


def bytes_of(report: MarginReport) -> list[bytes]:
    return [getattr(report, name).tobytes() for name in MarginReport.__slots__]


@pytest.mark.parametrize("rules", [FLAT_25, FINRA])
def test_any_number_of_threads_gives_the_same_bytes(rules: MarginRules) -> None:
    columns = (*large_book(20_000), rules)

    one = bytes_of(margin_report(*columns, threads=1))

    assert all(bytes_of(margin_report(*columns, threads=threads)) == one for threads in (2, 3, 7, None))


def test_concurrent_callers_get_the_same_bytes() -> None:
    columns = (*large_book(20_000), FINRA)
    one = bytes_of(margin_report(*columns, threads=1))

    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: bytes_of(margin_report(*columns, threads=2)), range(12)))

    assert all(report == one for report in reports)


def test_missing_price_spoils_only_its_holders() -> None:
    book, prices, instruments = large_book(2_000)
    holders = [bool((book.symbol_index[a:b] == 7).any()) for a, b in zip(book.offsets, book.offsets[1:], strict=False)]

    report = margin_report(book, prices, instruments, FLAT_25)

    assert report.complete.tolist() == [not holds for holds in holders]
    assert (report.status[holders] == UNPRICED).all()
    assert (report.margin_requirement[holders] == MISSING).all()
    assert (report.margin_shortfall[~np.array(holders)] >= 0).all()


def test_figures_of_positions_add_up_to_the_clients_row() -> None:
    columns = (*large_book(2_000), FINRA)

    report, lines = position_report(*columns)

    assert bytes_of(report) == bytes_of(margin_report(*columns))
    for c in np.flatnonzero(report.complete)[:500]:
        held = slice(columns[0].offsets[c], columns[0].offsets[c + 1])
        assert lines.margin_requirement[held].sum() == report.margin_requirement[c]
        assert lines.market_value[held].sum() == report.portfolio_value[c]


def test_three_positions_of_33_33_ask_24_99() -> None:
    """A quarter of 33.33 is 8.3325; each position is rounded to 8.33 before the sum (the contract's own example)."""
    report = margin_report(*one_client([10**6] * 3, [33_33 * 10**6] * 3), FLAT_25)

    assert report.margin_requirement[0] == 24_99


@pytest.mark.parametrize(("quantity", "cents"), [(500_000, 13), (-500_000, -13), (499_999, 12), (500_001, 13)])
def test_half_a_cent_is_rounded_away_from_zero(quantity: int, cents: int) -> None:
    """Half a unit at 0.25 is worth 12.5 cents."""
    assert margin_report(*one_client([quantity], [25 * 10**6]), FLAT_25).portfolio_value[0] == cents


@given(
    quantity=st.integers(1, QUANTITY_LIMIT) | st.sampled_from([1, QUANTITY_LIMIT]),
    price=st.integers(1, PRICE_LIMIT) | st.sampled_from([1, PRICE_LIMIT]),
    sign=st.sampled_from([-1, 1]),
)
def test_a_value_is_exact_or_refused(quantity: int, price: int, sign: int) -> None:
    cents = int(Fraction(quantity * price, 10**12) + Fraction(1, 2))

    report = margin_report(*one_client([sign * quantity], [price]), FLAT_25)

    assert report.status[0] == (OVER_LIMIT if cents >= 10**14 else COMPLETE)
    assert report.portfolio_value[0] == (MISSING if cents >= 10**14 else sign * cents)


@given(value=st.integers(0, 10**14 - 1), half=st.integers(-2, 2), price=st.integers(1, 10**13))
def test_values_next_to_half_a_cent_are_exact(value: int, half: int, price: int) -> None:
    """The quantity is the one whose value is nearest to value + 1/2 cents."""
    quantity = min(max(1, (value * 10**12 + 10**12 // 2) // price + half), QUANTITY_LIMIT)
    cents = int(Fraction(quantity * price, 10**12) + Fraction(1, 2))

    report = margin_report(*one_client([quantity], [price]), FLAT_25)

    assert report.portfolio_value[0] == (MISSING if cents >= 10**14 else cents)


def test_the_largest_account_below_the_limit_is_exact() -> None:
    """Two positions, together a cent below 1e12."""
    report = margin_report(*one_client([10**18 - 1, -(10**16)], [99 * 10**6, 99 * 10**6]), FLAT_25)
    value = [int(Fraction(q * 99 * 10**6, 10**12) + Fraction(1, 2)) for q in (10**18 - 1, 10**16)]

    assert report.long_market_value[0] == value[0]
    assert report.short_market_value[0] == -value[1]
    assert value[0] + value[1] < 10**14


def test_the_limit_of_gross_value_counts_longs_and_shorts() -> None:
    at_limit = margin_report(*one_client([5 * 10**17, -5 * 10**17], [10**8, 10**8]), FLAT_25)
    below = margin_report(*one_client([5 * 10**17, -5 * 10**17 + 10**4], [10**8, 10**8]), FLAT_25)

    assert (at_limit.status[0], below.status[0]) == (OVER_LIMIT, COMPLETE)
    assert below.margin_requirement[0] == 25 * 10**12


def test_equality_is_no_call() -> None:
    enough = margin_report(*one_client([1000 * 10**6], [100 * 10**8], loan=7_500_000), FLAT_25)
    short_of_a_cent = margin_report(*one_client([1000 * 10**6], [100 * 10**8], loan=7_500_001), FLAT_25)

    assert (enough.margin_excess[0], enough.margin_shortfall[0]) == (0, 0)
    assert (short_of_a_cent.margin_excess[0], short_of_a_cent.margin_shortfall[0]) == (-1, 1)


def test_a_layer_that_asks_nothing_is_marked_not_zero() -> None:
    flat = margin_report(*one_client([10**6], [10**8]), FLAT_25)
    finra = margin_report(*one_client([10**6], [10**8]), FINRA)
    own_rate = margin_report(*one_client([10**6], [10**8], rate=4000), FINRA)

    assert (flat.exchange_requirement[0], flat.house_requirement[0]) == (NOT_ASKED, 25)
    assert (finra.exchange_requirement[0], finra.house_requirement[0]) == (25, NOT_ASKED)
    assert (own_rate.exchange_requirement[0], own_rate.house_requirement[0], own_rate.margin_requirement[0]) == (
        25,
        40,
        40,
    )


def test_without_a_dollar_rate_dollar_rules_leave_holders_unpriced() -> None:
    book, prices, instruments = one_client([10**6], [10**8])
    unknown = Prices(prices.price, 0)

    assert not margin_report(book, unknown, instruments, FINRA).complete[0]
    assert margin_report(book, unknown, instruments, FLAT_25).complete[0]


def test_empty_books_and_clients_without_positions_are_complete() -> None:
    book, prices, instruments = one_client([], [], loan=500)
    report = margin_report(book, prices, instruments, FLAT_25)

    assert report.complete.tolist() == [True]
    assert (report.net_equity[0], report.margin_requirement[0], report.margin_shortfall[0]) == (-500, 0, 500)


def test_columns_may_be_read_only() -> None:
    book, prices, instruments = one_client([10**6], [10**8])
    for column in (book.offsets, book.symbol_index, book.quantity, book.loan, book.client_rate, prices.price):
        column.flags.writeable = False

    assert Book(
        book.client_ids, book.offsets, book.symbol_index, book.quantity, book.loan, book.client_rate, book.symbols
    )
    assert margin_report(book, prices, instruments, FLAT_25).portfolio_value[0] == 100


@pytest.mark.parametrize(
    "broken",
    [
        {"offsets": np.array([0, 2])},
        {"offsets": np.array([1, 1])},
        {"symbol_index": np.array([1], np.int32)},
        {"symbol_index": np.array([-1], np.int32)},
        {"quantity": np.array([0])},
        {"quantity": np.array([-QUANTITY_LIMIT - 1])},
        {"loan": np.array([10**14])},
        {"client_rate": np.array([10_001])},
        {"client_rate": np.array([-2])},
        {"client_ids": np.array([1, 2])},
    ],
)
def test_a_book_that_does_not_fit_together_is_refused(
    broken: dict[str, np.ndarray[tuple[int], np.dtype[np.int64]]],
) -> None:
    book, _, _ = one_client([10**6], [10**8])
    columns = {name: getattr(book, name) for name in Book.__slots__}

    with pytest.raises(AssertionError):
        Book(**{**columns, **broken})


def test_importing_with_a_warm_cache_compiles_nothing() -> None:
    """The compiler's own event says whether a function was compiled."""
    code = """
from numba.core import event
with event.install_recorder("numba:compile") as compiled:
    import app.engine.margin
assert not compiled.buffer, compiled.buffer
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@given(
    quantity=st.integers(8 * 10**17, 95 * 10**16),
    price=st.integers(1, 5_000),
    usd_rate=st.integers(7 * 10**8, 8 * 10**8),
)
def test_dollar_amounts_a_share_beyond_the_value_limit_are_exact(quantity: int, price: int, usd_rate: int) -> None:
    """Nearly 1e12 shares of a stock worth next to nothing ask 2.50 dollars each: more cents than a float64 counts."""
    book, prices, instruments = one_client([-quantity], [price])
    floor = int(Fraction(5 * usd_rate, 2) + Fraction(1, 2))

    report = margin_report(book, Prices(prices.price, usd_rate), instruments, FINRA)

    assert report.exchange_requirement[0] == int(Fraction(quantity * floor, 10**12) + Fraction(1, 2))
