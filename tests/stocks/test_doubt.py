"""Why an answer is held back, and between which prices the true one lies."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from app.stocks.doubt import (
    Doubt,
    DoubtReason,
    Listing,
    after_answer,
    begun,
    begun_by_split,
    held_reason,
    is_ordinary_gap,
    is_same_security,
    limit_of,
)

THEN = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def listing(price: str, currency: str = "USD", *, after: timedelta = timedelta(), **said: str) -> Listing:
    return Listing(Decimal(price), currency, THEN + after, **said)


@pytest.mark.parametrize(
    ("before", "after", "currency", "reason"),
    [
        ("6.55", "0.0631", "GBP", DoubtReason.UNIT),
        ("4.12", "412.5", "GBP", DoubtReason.UNIT),
        ("6.40", "0.0665", "GBP", DoubtReason.UNIT),  # a factor of 96
        ("180", "1.81", "ZAR", DoubtReason.UNIT),
        ("10", "0.1", "ILS", DoubtReason.UNIT),
        ("6.55", "0.0631", "USD", None),  # no subunit is quoted
        ("6.40", "6.42", "GBP", None),
        ("6.40", "0.08", "GBP", None),  # a factor of 80
    ],
)
def test_a_factor_of_a_hundred_is_a_unit(before: str, after: str, currency: str, reason: DoubtReason | None) -> None:
    assert held_reason(listing(before, currency), listing(after, currency), is_jump=True) is reason


def test_another_currency_is_held_whatever_the_number() -> None:
    assert held_reason(listing("10"), listing("10", "EUR"), is_jump=False) is DoubtReason.CURRENCY


def test_another_name_with_a_jump_is_another_security_and_at_the_same_price_is_a_new_name() -> None:
    old, new = listing("300", name="Alpha Social Networks"), listing("40", name="Buffered Outcome Notes")

    assert held_reason(old, new, is_jump=True) is DoubtReason.IDENTITY
    assert held_reason(old, new, is_jump=False) is None


def test_another_kind_after_a_week_of_silence_is_another_security() -> None:
    old, new = listing("300", kind="EQUITY"), listing("301", kind="ETF", after=timedelta(days=8))

    assert held_reason(old, new, is_jump=False) is DoubtReason.IDENTITY


@pytest.mark.parametrize(
    ("before", "after", "is_same"),
    [
        ("Apple Inc", "Apple Inc.", True),
        ("Alpha Social Networks", "Alpha Holdings", True),
        ("VODAFONE GROUP PLC ORD USD0.20 20", "Vodafone Group PLC", True),
        ("Steady Income Fund", "Buffered Income Fund", False),
        ("Alpha Corp", "Beta Corp", False),
        (None, "Beta Corp", True),
    ],
)
def test_a_name_is_the_same_company_s_by_its_own_words(before: str | None, after: str, *, is_same: bool) -> None:
    old, new = Listing(Decimal(1), "USD", THEN, before), Listing(Decimal(1), "USD", THEN, after)

    assert is_same_security(old, new) is is_same


@pytest.mark.parametrize(
    ("leverage", "is_fx", "limit"),
    [("1", False, "0.3"), ("-2", False, "0.6"), ("5", False, "0.9"), ("1", True, "0.05")],
)
def test_the_limit_of_a_jump_grows_with_leverage(leverage: str, limit: str, *, is_fx: bool) -> None:
    assert limit_of(Decimal("0.3"), leverage=Decimal(leverage), is_fx=is_fx) == Decimal(limit)


@pytest.mark.parametrize(
    ("price", "their_close", "is_ordinary"),
    [("65", "100", True), ("65", "102", True), ("65", "103", False), ("55", "100", False), ("179", "99", True)],
)
def test_a_gap_from_our_close_leaves_no_doubt(price: str, their_close: str, *, is_ordinary: bool) -> None:
    close = Decimal(100)
    said = is_ordinary_gap(Decimal(price), stored=close, our_close=close, their_close=Decimal(their_close))

    assert said is is_ordinary


def test_a_pending_split_is_old_units_or_new_ones() -> None:
    doubt = begun_by_split(stored=Decimal(100), price=Decimal(78), new=Decimal(1281), old=Decimal(1000), since=THEN)

    assert (doubt.low, doubt.high) == (Decimal(78), Decimal(100))
    late = begun_by_split(stored=Decimal(2), price=Decimal(20), new=Decimal(1), old=Decimal(10), since=THEN)
    assert (late.low, late.high) == (Decimal(2), Decimal(20))


def jump(to: str, *, no_split: bool = True) -> Doubt:
    begin = begun(DoubtReason.JUMP, stored=Decimal(100), price=Decimal(to), since=THEN)
    return Doubt(begin.reason, begin.low, begin.high, THEN, begin.undoubted, no_split=no_split)


def answers(doubt: Doubt, *prices: str, every: int = 400) -> Doubt | None:
    left: Doubt | None = doubt
    for number, price in enumerate(prices, start=1):
        if left is None:
            return None
        moment = THEN + timedelta(seconds=number * every)
        left = after_answer(left, Decimal(price), market_time=moment, limit=Decimal("0.3"), seconds=900)
    return left


def test_three_answers_over_a_quarter_of_an_hour_end_the_doubt_about_an_ordinary_jump() -> None:
    assert answers(jump("50"), "50", "52") is not None
    assert answers(jump("50"), "50", "52", "51") is None
    assert answers(jump("50"), "50", "52", "51", every=200) is not None  # too soon


def test_time_ends_no_doubt_beyond_a_third_or_without_word_of_splits() -> None:
    assert answers(jump("30"), "30", "30", "30", "30", "30") is not None
    assert answers(jump("50", no_split=False), "50", "50", "50", "50", "50") is not None


def test_an_answer_on_the_old_side_begins_the_count_again_and_one_that_is_back_ends_the_doubt() -> None:
    left = answers(jump("30"), "30", "30", "69.9")  # half-way is 65

    assert left is not None
    assert left.answers == 0
    assert answers(jump("40"), "71") is None


def test_a_further_jump_widens_the_range() -> None:
    left = answers(jump("50"), "20")

    assert left is not None
    assert (left.low, left.high) == (Decimal(20), Decimal(100))
