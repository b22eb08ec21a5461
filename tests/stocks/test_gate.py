"""What the price gate lets pass: the decision alone, without a database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.providers.types import Quote, Refusal, ShareSplit
from app.stocks.doubt import DoubtReason
from app.stocks.gate import SPLIT_PATIENCE, judge_one, may_be_split
from app.stocks.types import Accepted, Decision, OnHold, PriceFeed, StoredPrice
from tests.fakes import FakeProvider

LIMIT = Decimal("0.3")
LIMITS = PriceFeed(FakeProvider(), "USD", LIMIT)
NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)  # a Friday, New York is open
POLL = timedelta(seconds=15)
STORED = StoredPrice(Decimal(100), "USD", NOW, "yahoo")
FOUR_FOR_ONE = ShareSplit("AAPL", NOW + timedelta(days=3), (NOW + timedelta(days=3)).date(), Decimal(4), Decimal(1))


def quote(price: str | Decimal, *, polls: int = 1, **changes: object) -> Quote:
    """Return an answer that many polls after the stored price."""
    at = NOW + polls * POLL
    made = Quote("AAPL", Decimal(price), "USD", market_time=at, fetched_at=at, source="yahoo")
    return replace(made, **changes)  # type: ignore[arg-type] # fields by name


def judge(answer: Quote, known: StoredPrice | None = STORED, splits: tuple[ShareSplit, ...] | None = ()) -> Decision:
    return judge_one(answer, known, splits=splits, limits=LIMITS)


def used(decision: Decision, *splits: ShareSplit) -> bool:
    """Return whether the quote becomes the stored price with these splits, whatever is left to doubt about it."""
    return isinstance(decision, Accepted) and decision.splits == splits


def holding(decision: Decision, known: StoredPrice = STORED) -> StoredPrice:
    """Return what is stored after a decision to wait."""
    assert isinstance(decision, OnHold)
    return replace(known, pending=decision.pending)


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        ("0", Refusal.ZERO),
        ("-0.0", Refusal.ZERO),
        ("-1", Refusal.NEGATIVE),
        ("NaN", Refusal.NOT_FINITE),
        ("sNaN", Refusal.NOT_FINITE),
        ("Infinity", Refusal.NOT_FINITE),
        ("-Infinity", Refusal.NOT_FINITE),
    ],
)
def test_what_is_no_price_is_refused_also_as_the_first_one(price: str, reason: Refusal) -> None:
    assert judge(quote(price)) is reason
    assert judge(quote(price), None) is reason


def test_another_currency_waits_for_the_desk_however_often_it_is_said() -> None:
    first = judge(quote("100", currency="EUR"))
    second = judge(quote("100", currency="EUR", polls=2), holding(first))

    assert isinstance(first, OnHold)
    assert first.doubt is None  # one wrong answer opens nothing
    assert isinstance(second, OnHold)
    assert second.pending.reason is DoubtReason.CURRENCY
    assert second.doubt is not None


def test_an_older_price_is_refused_and_one_of_the_same_moment_is_used() -> None:
    assert judge(quote("100", market_time=NOW - timedelta(days=1))) is Refusal.OLDER
    assert judge(quote("101", market_time=NOW)) == Accepted()


@pytest.mark.parametrize("price", ["70", "100", "130"])
def test_a_change_up_to_the_limit_is_used_at_once(price: str) -> None:
    assert judge(quote(price)) == Accepted()


@pytest.mark.parametrize("price", ["69.99", "130.01", "1", "10000"])
def test_a_change_beyond_the_limit_waits_and_is_used_on_the_second_answer(price: str) -> None:
    waiting = holding(judge(quote(price)))

    assert used(judge(quote(price, polls=2), waiting))


def test_one_wrong_answer_is_forgotten_by_a_right_one() -> None:
    waiting = holding(judge(quote("10000")))

    assert judge(quote("100.5", polls=2), waiting) == Accepted()


def test_the_same_answer_from_a_cache_is_no_second_one() -> None:
    waiting = holding(judge(quote("40")))

    again = judge(quote("40"), waiting)

    assert again == OnHold(waiting.pending)  # type: ignore[arg-type] # it is not None


def test_a_third_price_waits_in_place_of_the_second() -> None:
    waiting = holding(judge(quote("40")))
    third = holding(judge(quote("5000", polls=2), waiting))

    assert third.pending is not None
    assert third.pending.price == 5000
    assert judge(quote("40", polls=3), third) != Accepted()
    assert used(judge(quote("5001", polls=3), third))


def test_a_second_answer_older_than_the_first_waits_itself() -> None:
    waiting = holding(judge(quote("40", polls=2)))

    assert isinstance(judge(quote("40", polls=3, market_time=NOW + POLL), waiting), OnHold)


def test_a_refused_answer_between_two_does_not_undo_the_first() -> None:
    waiting = holding(judge(quote("40")))

    assert judge(quote("NaN", polls=2), waiting) is Refusal.NOT_FINITE
    assert used(judge(quote("40", polls=3), waiting))


def test_after_a_week_without_prices_a_jump_needs_no_more_than_its_second_answer() -> None:
    week_later = 7 * 24 * 60 * 4
    waiting = holding(judge(quote("40", polls=week_later)))

    assert used(judge(quote("41", polls=week_later + 1), waiting))


@pytest.mark.parametrize("source", ["sample", "desk"])
def test_a_market_price_replaces_a_sample_or_a_desk_price_whatever_its_size(source: str) -> None:
    assert judge(quote("1"), replace(STORED, source=source)) == Accepted()


def test_a_desk_price_yields_to_no_older_one_and_no_other_currency() -> None:
    entered = replace(STORED, source="desk")

    assert judge(quote("100", market_time=NOW - POLL), entered) is Refusal.OLDER
    assert judge(quote("100", currency="EUR"), entered) is Refusal.CURRENCY


def test_what_the_desk_enters_is_used_as_it_is() -> None:
    entered = quote("1", source="desk", currency="EUR", market_time=NOW - timedelta(days=1))

    assert judge(entered) == Accepted()


def test_another_source_starts_afresh() -> None:
    replayed = quote("1", source="replay", market_time=datetime(2020, 2, 19, 21, tzinfo=UTC))

    assert judge(replayed) == Accepted()


def test_a_sample_never_replaces_a_market_price() -> None:
    assert judge(quote("100", source="sample", market_time=NOW - POLL)) is Refusal.OLDER


def test_a_reported_split_explains_a_jump() -> None:
    monday = quote("25.5", polls=3 * 24 * 60 * 4 + 1)

    assert may_be_split(monday, STORED, limits=LIMITS)
    assert judge(monday, splits=(FOUR_FOR_ONE,)) == Accepted((FOUR_FOR_ONE,))


def test_a_split_that_does_not_explain_the_jump_is_not_applied() -> None:
    crash = judge(quote("60", polls=3 * 24 * 60 * 4 + 1), splits=(FOUR_FOR_ONE,))

    assert isinstance(crash, OnHold)


def test_a_crash_on_the_day_of_a_split_is_used_with_the_split_on_the_second_answer() -> None:
    polls = 3 * 24 * 60 * 4
    crash = quote("10", polls=polls, previous_close=Decimal("25.2"))
    waiting = holding(judge(crash, splits=(FOUR_FOR_ONE,)))
    again = quote("10", polls=polls + 1, previous_close=Decimal("25.2"))

    assert used(judge(again, waiting, splits=(FOUR_FOR_ONE,)), FOUR_FOR_ONE)


def test_a_split_to_which_the_price_does_not_fit_waits_for_the_desk() -> None:
    decision = judge(quote("10", polls=3 * 24 * 60 * 4), splits=(FOUR_FOR_ONE,))

    assert isinstance(decision, OnHold)
    assert decision.pending.reason is DoubtReason.SPLIT
    assert decision.actions == (FOUR_FOR_ONE,)


def test_a_spin_off_in_the_field_of_splits_waits_and_puts_its_holders_in_doubt() -> None:
    spin_off = replace(FOUR_FOR_ONE, numerator=Decimal(1281), denominator=Decimal(1000))
    polls = 3 * 24 * 60 * 4
    first = judge(quote("78", polls=polls, previous_close=Decimal("78.06")), splits=(spin_off,))
    known = holding(first)
    second = judge(quote("78", polls=polls + 1, previous_close=Decimal("78.06")), known, splits=(spin_off,))

    assert isinstance(second, OnHold)
    assert second.actions == (spin_off,)
    assert second.doubt is not None
    assert (second.doubt.low, second.doubt.high) == (Decimal(78), Decimal(100))


def test_an_earnings_gap_that_starts_at_our_close_leaves_no_doubt_and_any_other_jump_does() -> None:
    polls = 3 * 24 * 60 * 4
    gap = [quote("65", polls=polls + n, previous_close=Decimal("100.5")) for n in range(2)]
    fall = [quote("65", polls=polls + n) for n in range(2)]

    assert judge(gap[1], holding(judge(gap[0]))) == Accepted()
    doubted = judge(fall[1], holding(judge(fall[0])))
    assert isinstance(doubted, Accepted)
    assert doubted.doubt is not None
    assert (doubted.doubt.reason, doubted.doubt.low, doubted.doubt.high) == ("jump", Decimal(65), Decimal(100))


def test_several_splits_count_together() -> None:
    reverse = replace(FOUR_FOR_ONE, numerator=Decimal(1), denominator=Decimal(10))

    assert judge(quote("250", polls=3 * 24 * 60 * 4 + 1), splits=(FOUR_FOR_ONE, reverse)) == Accepted(
        (FOUR_FOR_ONE, reverse)
    )


def test_a_small_split_shows_by_the_previous_close() -> None:
    five_for_four = replace(FOUR_FOR_ONE, numerator=Decimal(5))
    five_for_four = replace(five_for_four, denominator=Decimal(4))
    monday = quote("84", polls=3 * 24 * 60 * 4 + 1, previous_close=Decimal(80))

    assert may_be_split(monday, STORED, limits=LIMITS)
    assert judge(monday, splits=(five_for_four,)) == Accepted((five_for_four,))


def test_the_previous_close_says_nothing_within_a_session() -> None:
    assert not may_be_split(quote("80", previous_close=Decimal(80)), STORED, limits=LIMITS)


def test_a_jump_waits_while_the_source_cannot_say_whether_it_is_a_split_but_not_for_ever() -> None:
    waiting = holding(judge(quote("25"), splits=None))
    still = holding(judge(quote("25", polls=2), waiting, None))
    polls = 1 + SPLIT_PATIENCE // POLL

    assert isinstance(judge(quote("25", polls=polls - 1), still, None), OnHold)
    assert used(judge(quote("25", polls=polls), still, None))


PRICES = st.one_of(
    st.decimals(min_value="0.0001", max_value="1000000", places=4),
    st.sampled_from([Decimal(text) for text in ("0", "-3", "NaN", "Infinity", "100", "10000", "1", "40")]),
)
ANSWERS = st.lists(
    st.tuples(PRICES, st.sampled_from(["USD", "USD", "USD", "EUR"]), st.integers(-3, 3), st.booleans()), max_size=12
)


def run(answers: list[tuple[Decimal, str, int, bool]], known: StoredPrice = STORED, *, start: int = 1) -> StoredPrice:
    """Let answers pass one after the other; return what is stored then."""
    for poll, (price, currency, late, can_ask) in enumerate(answers, start=start):
        answer = quote(price, polls=poll, currency=currency, market_time=NOW + (poll + late) * POLL)
        decision = judge(answer, known, () if can_ask else None)
        if isinstance(decision, OnHold):
            known = replace(known, pending=decision.pending)
        elif isinstance(decision, Accepted):
            assert answer.price.is_finite()
            assert answer.price > 0
            assert answer.currency == known.currency
            assert answer.market_time >= known.market_time
            near_stored = abs(answer.price - known.price) <= LIMIT * known.price
            near_pending = known.pending and abs(answer.price - known.pending.price) <= LIMIT * known.pending.price
            assert near_stored or near_pending
            known = StoredPrice(answer.price, answer.currency, answer.market_time, answer.source)
    return known


@given(ANSWERS)
def test_whatever_comes_what_is_used_is_near_what_was_used_or_confirmed(
    answers: list[tuple[Decimal, str, int, bool]],
) -> None:
    run(answers)


@given(ANSWERS, st.decimals(min_value="0.0001", max_value="1000000", places=4))
def test_whatever_came_before_a_price_that_stays_is_used_by_its_second_answer(
    answers: list[tuple[Decimal, str, int, bool]], price: Decimal
) -> None:
    known = run([*answers, (price, "USD", 4, True), (price, "USD", 4, True)])

    assert known.price == price
