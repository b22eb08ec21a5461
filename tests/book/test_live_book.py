"""The resident book: after any committed change it is what a load from scratch would be, and never older."""

import asyncio
import random
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from tortoise import connections
from tortoise.transactions import in_transaction

from app.auth.types import Caller
from app.book.live_book import LiveBook, Update
from app.book.valuation import BookValuation, ValuationRules
from app.clients import service as clients_service
from app.engine.margin import MarginReport
from app.events import live_figures as figures
from app.instruments import service as instruments_service
from app.models import Role
from app.policies.active import ActivePolicy
from app.policies.load import builtin_policy
from app.positions import service as positions_service
from app.positions.service import PositionRecord
from app.providers.types import Quote
from app.stocks import intake
from app.stocks.types import PriceFeed
from tests.book.loaded_book import LoadedBook
from tests.fakes import FakeProvider

pytestmark = pytest.mark.usefixtures("committed")

VALUATION = ValuationRules(ActivePolicy.of(builtin_policy("finra_4210")), 0.05)
DESK = Caller(user_id=1, username="desk", role=Role.RISK)
START = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture
def book() -> LiveBook:
    return LiveBook(VALUATION, base_currency="USD")


async def add_client(loan: int = 0) -> int:
    client = await clients_service.create_client(name="Ada", loan=Decimal(loan), margin_requirement=None, caller=DESK)
    return client.id


async def hold(client_id: int, symbol: str, quantity: int) -> None:
    await positions_service.put_position(
        client_id,
        PositionRecord(symbol=symbol, quantity=Decimal(quantity), cost_basis=Decimal(1)),
        base_currency="USD",
        caller=DESK,
    )


async def price(symbol: str, value: str, *, currency: str = "USD", step: int = 0) -> None:
    quote = Quote(symbol, Decimal(value), currency, START + timedelta(seconds=step), datetime.now(UTC), "yahoo")
    await intake.store_quotes([quote], feed=PriceFeed(FakeProvider(), "USD"))


def rows_of(valued: BookValuation) -> dict[int, list[int]]:
    """Return every column of the report, and the state, by client."""
    columns = [getattr(valued.report, field.name).tolist() for field in fields(MarginReport)]
    rows = zip(valued.states.tolist(), *columns, strict=True)
    return {client: list(row) for client, row in zip(valued.holdings.book.client_ids.tolist(), rows, strict=True)}


def holdings_of(valued: BookValuation) -> dict[int, dict[str, int]]:
    book = valued.holdings.book
    return {
        int(client): {book.symbols[book.symbol_index[i]]: int(book.quantity[i]) for i in range(a, b)}
        for client, a, b in zip(book.client_ids, book.offsets, book.offsets[1:], strict=False)
    }


async def assert_like_new(book: LiveBook) -> None:
    """Compare the resident book with one loaded from scratch."""
    resident, loaded = await book.current(), await LoadedBook(VALUATION, "USD").current()
    assert rows_of(resident) == rows_of(loaded)
    assert holdings_of(resident) == holdings_of(loaded)


async def test_every_kind_of_change_reaches_the_resident_book(book: LiveBook) -> None:
    ada, ben = await add_client(1000), await add_client()
    await assert_like_new(book)
    await hold(ada, "AAPL", 100)
    await assert_like_new(book)
    await price("AAPL", "20")
    await assert_like_new(book)
    await hold(ben, "SAP.DE", -5)
    await price("SAP.DE", "200", currency="EUR")
    await assert_like_new(book)
    await price("EURUSD=X", "1.1")
    await assert_like_new(book)
    await instruments_service.put_instrument(
        "AAPL", leverage=Decimal(3), marginable=True, house_rate=Decimal("0.9"), caller=DESK
    )
    await assert_like_new(book)
    await clients_service.update_client(ada, {"loan": Decimal(500), "margin_requirement": Decimal("0.7")}, caller=DESK)
    await assert_like_new(book)
    await positions_service.delete_position(ben, "SAP.DE", caller=DESK)
    await assert_like_new(book)
    await clients_service.delete_client(ben, caller=DESK)
    await assert_like_new(book)


async def test_random_changes_in_any_order_leave_no_trace_of_the_past(book: LiveBook) -> None:
    dice = random.Random(7)  # noqa: S311 - not for secrets
    symbols = [f"S{n}" for n in range(8)]
    ids = [await add_client(dice.randrange(5000)) for _ in range(12)]
    for step in range(60):
        match dice.randrange(4):
            case 0:
                await price(dice.choice(symbols), str(dice.randrange(1, 60)), step=step)
            case 1:
                await hold(dice.choice(ids), dice.choice(symbols), dice.choice((-30, 5, 40)))
            case 2:
                loan = Decimal(dice.randrange(5000))
                await clients_service.update_client(dice.choice(ids), {"loan": loan}, caller=DESK)
            case _:
                ids.append(await add_client(dice.randrange(5000)))
        if dice.random() < 0.4:
            await assert_like_new(book)
    await assert_like_new(book)


async def test_a_change_of_a_transaction_that_commits_late_is_not_missed(book: LiveBook) -> None:
    slow, fast = await add_client(), await add_client()
    await book.current()
    begun, release = asyncio.Event(), asyncio.Event()

    async def commit_late() -> None:
        async with in_transaction():
            await clients_service.lock_client(slow)
            begun.set()
            await release.wait()
            await clients_service.update_client(slow, {"loan": Decimal(77)}, caller=DESK)

    late = asyncio.create_task(commit_late())
    await begun.wait()
    await clients_service.update_client(fast, {"loan": Decimal(55)}, caller=DESK)
    await assert_like_new(book)
    release.set()
    await late

    await assert_like_new(book)


async def test_an_answer_is_never_older_than_an_acknowledged_write(book: LiveBook) -> None:
    ids = [await add_client() for _ in range(5)]
    acknowledged = dict.fromkeys(ids, 0)

    async def write(client_id: int) -> None:
        for loan in range(1, 15):
            await clients_service.update_client(client_id, {"loan": Decimal(loan)}, caller=DESK)
            acknowledged[client_id] = loan

    async def read() -> None:
        while min(acknowledged.values()) < 14:
            known = dict(acknowledged)
            valued = await book.current()
            loans = dict(zip(valued.holdings.book.client_ids.tolist(), valued.holdings.book.loan.tolist(), strict=True))
            assert all(loans[client_id] >= loan * 100 for client_id, loan in known.items())

    await asyncio.gather(*(write(client_id) for client_id in ids), read())


async def test_an_update_names_the_clients_it_touched(book: LiveBook) -> None:
    holder, _, changed = await add_client(), await add_client(), await add_client()
    await hold(holder, "AAPL", 1)
    await price("AAPL", "10")
    updates: list[Update] = []
    book.listen(updates.append)
    await book.current()
    await price("AAPL", "11", step=1)
    await book.current()
    await clients_service.update_client(changed, {"loan": Decimal(1)}, caller=DESK)
    await book.current()
    await book.current()

    touched = [None if u.rows is None else u.after.holdings.book.client_ids[u.rows].tolist() for u in updates]
    assert touched == [None, [holder], [changed]]


async def test_nothing_new_is_the_same_book(book: LiveBook) -> None:
    await add_client()

    assert await book.current() is await book.current()


async def test_distances_are_those_of_the_clients_asked_for(book: LiveBook) -> None:
    ada, ben = await add_client(1000), await add_client(1200)
    await price("AAPL", "20")
    await hold(ada, "AAPL", 100)
    await hold(ben, "AAPL", 100)

    valued = await book.current()

    np.testing.assert_array_equal(valued.distances.drop[[1]], valued.distances_of(np.array([1])).drop)


async def test_however_many_wait_two_looks_serve_them(book: LiveBook) -> None:
    ada = await add_client()
    await book.current()
    hangs, release = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        async with in_transaction():
            await connections.get("default").execute_query("lock table book_change in access exclusive mode")
            hangs.set()
            await release.wait()
            await clients_service.update_client(ada, {"loan": Decimal(77)}, caller=DESK)

    others = len(asyncio.all_tasks()) + 1  # and who hangs
    late = asyncio.create_task(hang())
    await hangs.wait()
    waiting = []
    for _ in range(4):
        waiting += [asyncio.create_task(book.current()) for _ in range(10)]
        await asyncio.sleep(0.05)
    looks = len(asyncio.all_tasks()) - others - len(waiting)
    release.set()
    await late
    _, *served = await asyncio.gather(*waiting, book.current())

    assert looks == 2
    # The first look may have begun before the change; the second one began after it.
    assert {int(valued.holdings.book.loan[0]) for valued in served[9:]} == {7700}


async def test_who_gives_up_while_the_book_follows_loses_no_change_for_the_others(book: LiveBook) -> None:
    ids = [await add_client() for _ in range(3)]
    await book.current()
    for milliseconds in range(12):
        await clients_service.update_client(ids[milliseconds % 3], {"loan": Decimal(milliseconds + 1)}, caller=DESK)
        with suppress(TimeoutError):
            async with asyncio.timeout(milliseconds / 1000):
                await book.current()

        await assert_like_new(book)


async def test_another_loan_is_told_of_a_client_without_figures_too(book: LiveBook) -> None:
    ada = await add_client(1000)
    await hold(ada, "UNPRICED", 1)
    before = await book.current()

    await clients_service.update_client(ada, {"loan": Decimal(7)}, caller=DESK)

    found = figures.difference(before, await book.current())
    assert found.after.holdings.book.client_ids[found.rows].tolist() == [ada]
