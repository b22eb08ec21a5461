"""What waits for one subscriber, and what differs between two books."""

from datetime import UTC, datetime

import numpy as np
import pytest

from app.auth.sessions import Session
from app.auth.types import Caller, Role
from app.book.types import Holdings
from app.book.valuation import BookValuation, ValuationRules, value_book
from app.engine.book import Book, Instruments, Prices
from app.events import live_figures as figures
from app.events.subscription import Subscription
from app.events.types import Ending, EventKind, Filter, StreamEvent, SubscriptionRequest
from app.policies.active import ActivePolicy
from app.policies.load import builtin_policy

_SESSION = Session(Caller(user_id=1, username="ada", role=Role.RISK), generation=0, expires_at=0)
_AT = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def subscription() -> Subscription:
    return Subscription(SubscriptionRequest(session=_SESSION, filter=Filter(client_id=1)), queue_size=3)


async def test_events_come_in_order_and_only_those_that_are_wanted(subscription: Subscription) -> None:
    for number, client_id in ((1, 1), (2, 2), (3, 1)):
        subscription.offer(_state(number, client_id))

    assert _ids(await subscription.take(1)) == [1, 3]
    assert await subscription.take(0.01) == []


async def test_events_up_to_the_position_are_known(subscription: Subscription) -> None:
    subscription.position = 2
    for number in (1, 2, 3):
        subscription.offer(_state(number))

    assert _ids(await subscription.take(1)) == [3]


async def test_a_full_queue_ends_it_behind_what_waits(subscription: Subscription) -> None:
    for number in range(1, 9):
        subscription.offer(_state(number))

    assert _ids(await subscription.take(1)) == [1, 2, 3]
    assert await subscription.take(1) is None
    assert (subscription.ending, subscription.position) == (Ending.SLOW, 3)
    assert not subscription.is_caught_up


async def test_of_a_figure_the_latest_comes(subscription: Subscription) -> None:
    figures_ = [StreamEvent(kind=EventKind.MARGIN, at=_AT, client_id=1, data={"n": number}) for number in range(5)]
    for figure in figures_:
        subscription.offer_figure(figure)
    subscription.offer(_state(7))

    batch = await subscription.take(1)

    assert batch is not None
    assert [(event.kind, event.data) for event in batch] == [("state", {}), ("margin", {"n": 4})]


async def test_who_is_signed_out_reads_nothing_more(subscription: Subscription) -> None:
    subscription.offer(_state(1))
    subscription.end(Ending.SIGNED_OUT)

    assert await subscription.take(1) is None


def test_a_difference_has_changed_new_and_no_other_clients() -> None:
    before = _valued({1: 10, 2: 20, 5: 50}, price=100)
    after = _valued({1: 10, 2: 21, 4: 40}, price=100)

    found = figures.difference(before, after)

    assert after.holdings.book.client_ids[found.rows].tolist() == [2, 4]
    assert found.symbols == frozenset()


def test_a_difference_is_looked_for_among_the_clients_that_may_differ() -> None:
    before = _valued({1: 10, 2: 20, 3: 30, 5: 50}, price=100)
    after = _valued({1: 11, 2: 21, 3: 30, 4: 40}, price=100)

    found = figures.difference(before, after, [np.array([2, 3]), np.array([4, 5])])

    assert after.holdings.book.client_ids[found.rows].tolist() == [2, 4]


def test_another_price_changes_its_holders() -> None:
    found = figures.difference(_valued({1: 10, 2: 20}, price=100), _valued({1: 10, 2: 20}, price=101))

    assert found.rows.tolist() == [0, 1]
    assert found.symbols == {"AAPL"}


def test_the_difference_from_an_empty_book_is_everything() -> None:
    found = figures.difference(_valued({}, price=100), _valued({1: 10}, price=100))

    assert found.rows.tolist() == [0]


def test_a_snapshot_of_everybody_is_bounded_and_begins_with_the_most_urgent() -> None:
    loans = {number: 1000 + number for number in range(1, 1001)}
    valued = _valued(dict.fromkeys(loans, 10), price=150, loans=list(loans.values()))

    events = figures.snapshot(valued, Filter(), currency="USD")

    margins = [event.client_id for event in events if event.kind is EventKind.MARGIN]
    assert margins == list(range(1000, 1000 - figures.MOST_MARGINS, -1))


def _state(number: int, client_id: int = 1) -> StreamEvent:
    return StreamEvent(kind=EventKind.STATE, at=_AT, id=number, client_id=client_id, data={})


def _ids(batch: list[StreamEvent] | None) -> list[int | None]:
    assert batch is not None
    return [event.id for event in batch]


def _valued(holdings: dict[int, int], *, price: int, loans: list[int] | None = None) -> BookValuation:
    """Return a book of clients by id with units of one stock; price and loans in dollars."""
    count = len(holdings)
    book = Book(
        client_ids=np.array(list(holdings), np.int64),
        offsets=np.arange(count + 1, dtype=np.int64),
        symbol_index=np.zeros(count, np.int32),
        quantity=np.array([units * 1_000_000 for units in holdings.values()], np.int64),
        loan=np.array([100 * loan for loan in loans or [0] * count], np.int64),
        client_rate=np.full(count, -1, np.int64),
        symbols=("AAPL",),
    )
    prices = Prices(np.array([price * 10**8], np.int64))
    policy = ActivePolicy.of(builtin_policy("flat"))
    return value_book(Holdings(book, prices, Instruments.plain(1)), ValuationRules(policy, warning_cushion=0.05))
