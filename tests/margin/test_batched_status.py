"""Reads of margin that share a statement: each gets its own answer, and none an old one."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
import pytest
from fastapi import FastAPI
from tortoise import connections

from app.auth.types import Caller
from app.book import client_loader as book
from app.core.errors import MissingPricesError, NotFoundError
from app.database.connections import DATABASE_DOWN
from app.margin import service as margin_service
from app.margin.service import MarginLoader, MarginStatus
from app.models import Client, Margin, MarketData, Position, Role
from app.policies.active import ActivePolicy
from app.policies.load import builtin_policy

DESK = Caller(user_id=1, username="desk", role=Role.RISK)
RULES = ActivePolicy.of(builtin_policy("flat")).rules


@pytest.fixture
async def committed(app: FastAPI) -> AsyncIterator[None]:
    """Let the test commit; empty the tables afterwards."""
    yield
    await connections.get("default").execute_script("truncate position, margin, client, market_data cascade")


@pytest.fixture
def loader() -> MarginLoader:
    return MarginLoader(rules=RULES, base_currency="USD", seconds=10)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note how many clients each statement asks for."""
    sizes: list[int] = []
    load = book.load_clients

    async def count(connection, client_ids, **kwargs):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN003, ANN202 - passed on
        sizes.append(len(client_ids))
        return await load(connection, client_ids, **kwargs)

    monkeypatch.setattr(margin_service, "load_clients", count)
    return sizes


async def price(symbol: str, value: int) -> None:
    now = datetime.now(UTC)
    await MarketData.create(
        symbol=symbol, current_price=Decimal(value), currency="USD", timestamp=now, fetched_at=now, source="yahoo"
    )


async def add_client(*symbols: str, loan: int = 0) -> int:
    """Store a client with one unit of each symbol."""
    client = await Client.create(name="Ada")
    await Margin.create(client=client, loan=Decimal(loan))
    for symbol in symbols:
        await Position.create(client=client, symbol=symbol, quantity=Decimal(1), cost_basis=Decimal(1))
    client_id: int = client.id
    return client_id


async def ask(loader: MarginLoader, *client_ids: int, caller: Caller = DESK) -> list[MarginStatus | BaseException]:
    return await asyncio.gather(
        *(loader.status(client_id, caller=caller) for client_id in client_ids), return_exceptions=True
    )


@pytest.mark.usefixtures("db")
async def test_those_who_come_together_share_a_statement_and_get_each_its_own_answer(
    loader: MarginLoader, statements: list[int]
) -> None:
    await price("AAPL", 100)
    first, second = await add_client("AAPL", loan=10), await add_client(loan=-5)
    unpriced = await add_client("AAPL", "ZZZ", "GONE")
    bound = Caller(user_id=2, username="bound", role=Role.CLIENT, client_id=second)

    *answers, foreign = await asyncio.gather(
        ask(loader, second, first, 2**53 - 1, unpriced, first, second), ask(loader, first, caller=bound)
    )

    [[in_credit, in_debt, nobody, missing, again, _]] = answers
    assert isinstance(in_credit, MarginStatus)
    assert isinstance(in_debt, MarginStatus)
    assert isinstance(again, MarginStatus)
    assert [in_credit.client_id, in_credit.net_equity, in_credit.margin_requirement] == [second, 5, 0]
    assert [in_debt.client_id, in_debt.net_equity, in_debt.margin_requirement] == [first, 90, 25]
    assert again.net_equity == 90
    assert isinstance(nobody, NotFoundError)
    assert isinstance(missing, MissingPricesError)
    assert list(missing.symbols) == ["GONE", "ZZZ"]
    assert isinstance(foreign[0], NotFoundError)
    assert statements == [4]  # the four ids that were asked for by who may see them


@pytest.mark.usefixtures("db")
async def test_more_than_a_statement_takes_are_served_by_several(loader: MarginLoader, statements: list[int]) -> None:
    ids = [await add_client(loan=-number) for number in range(70)]

    answers = await ask(loader, *ids)

    assert [answer.net_equity for answer in answers if isinstance(answer, MarginStatus)] == list(range(70))
    assert sum(statements) == 70
    assert max(statements) == 64


@pytest.mark.usefixtures("committed")
async def test_no_answer_is_older_than_a_write_that_was_acknowledged_before_its_request(loader: MarginLoader) -> None:
    client_id = await add_client()
    stop = False

    async def read_on() -> int:
        count = 0
        while not stop:
            await loader.status(client_id, caller=DESK)
            count += 1
        return count

    others = [asyncio.create_task(read_on()) for _ in range(8)]
    for loan in range(1, 101):
        await Margin.filter(client_id=client_id).update(loan=Decimal(loan))
        assert (await loader.status(client_id, caller=DESK)).loan_amount == loan
    stop = True
    assert min(await asyncio.gather(*others)) > 0


@pytest.mark.usefixtures("db")
async def test_who_is_cancelled_leaves_the_others_as_they_are(loader: MarginLoader) -> None:
    ids = [await add_client(loan=-number) for number in range(5)]
    tasks = [asyncio.create_task(loader.status(client_id, caller=DESK)) for client_id in ids]
    await asyncio.sleep(0)  # all of them wait now

    tasks[0].cancel()
    tasks[3].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    cancelled = [isinstance(answer, asyncio.CancelledError) for answer in answers]
    assert cancelled == [True, False, False, True, False]
    assert [answer.net_equity for answer in answers if isinstance(answer, MarginStatus)] == [1, 2, 4]
    assert (await loader.status(ids[0], caller=DESK)).net_equity == 0


@pytest.mark.usefixtures("committed")
async def test_a_connection_that_breaks_fails_those_whom_it_served_each_by_its_own_error(
    loader: MarginLoader, database_url: str
) -> None:
    ids = [await add_client(loan=-number) for number in range(3)]
    other = await asyncpg.connect(database_url)
    try:
        async with other.transaction():
            await other.execute("lock table margin in access exclusive mode")
            waiting = asyncio.create_task(ask(loader, *ids))
            blocked = "select pg_terminate_backend(pid) from pg_stat_activity where $1 = any(pg_blocking_pids(pid))"
            while not await other.fetch(blocked, other.get_server_pid()):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)
            answers = await waiting
    finally:
        await other.close()

    assert all(isinstance(answer, DATABASE_DOWN) for answer in answers)
    assert len({id(answer) for answer in answers}) == len(ids)
    assert (await loader.status(ids[2], caller=DESK)).net_equity == 2


@pytest.mark.usefixtures("db")
async def test_who_comes_while_one_is_served_alone_goes_together(loader: MarginLoader, statements: list[int]) -> None:
    ids = [await add_client(loan=-number) for number in range(4)]
    await ask(loader, ids[0])

    alone = asyncio.create_task(loader.status(ids[0], caller=DESK))
    await asyncio.sleep(0)
    answers = await ask(loader, *ids[1:])

    assert (await alone).net_equity == 0
    assert [answer.net_equity for answer in answers if isinstance(answer, MarginStatus)] == [1, 2, 3]
    assert sorted(statements) == [1, 1, 3]


@pytest.mark.usefixtures("db")
async def test_one_served_alone_who_is_cancelled_holds_up_nobody(loader: MarginLoader) -> None:
    ids = [await add_client(loan=-number) for number in range(3)]
    await ask(loader, ids[0])

    alone = asyncio.create_task(loader.status(ids[0], caller=DESK))
    await asyncio.sleep(0)
    others = asyncio.create_task(ask(loader, *ids[1:]))
    await asyncio.sleep(0)
    alone.cancel()

    assert [answer.net_equity for answer in await others if isinstance(answer, MarginStatus)] == [1, 2]
    assert alone.cancelled()


@pytest.mark.usefixtures("committed")
async def test_a_statement_that_hangs_fails_in_time_and_holds_up_nobody_after(database_url: str) -> None:
    loader = MarginLoader(rules=RULES, base_currency="USD", seconds=0.2)
    client_id = await add_client(loan=-1)
    other = await asyncpg.connect(database_url)
    try:
        async with other.transaction():
            await other.execute("lock table margin in access exclusive mode")
            [answer] = await ask(loader, client_id)
    finally:
        await other.close()

    assert isinstance(answer, TimeoutError)
    assert (await loader.status(client_id, caller=DESK)).net_equity == 1
