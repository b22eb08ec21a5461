"""Many writers at once, seen from another connection: the order of ids is the order of commits."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest
from fastapi import FastAPI
from tortoise.transactions import in_transaction

from app.audit import recorder
from app.audit import service as audit
from app.audit.recorder import Change, Touches
from app.clients import service as clients_service
from app.events import outbox as events
from app.models import BookChange, Client, Event, Instrument, MarketData, Position, PriceHistory
from app.positions import service as positions_service
from app.positions.service import PositionRecord
from app.stocks import intake
from app.stocks.types import PriceFeed
from tests.audit.conftest import DESK, last_id
from tests.fakes import FakeProvider

_WRITERS = 50


@pytest.fixture
async def real(app: FastAPI) -> AsyncIterator[None]:
    """Let writes be committed; what can be deleted is deleted afterwards."""
    yield
    await Position.all().delete()
    await Client.filter(name="at once").delete()
    await Event.all().delete()
    for table in (MarketData, PriceHistory, Instrument):
        await table.filter(symbol__startswith="ZZZ").delete()


async def _write(n: int) -> None:
    client = await clients_service.create_client(name="at once", loan=Decimal(n), margin_requirement=None, caller=DESK)
    await positions_service.put_position(
        client.id,
        PositionRecord(symbol="AAPL", quantity=Decimal(1), cost_basis=Decimal(1)),
        base_currency="USD",
        caller=DESK,
    )


async def _watch(outside: asyncpg.Connection, base: int, stop: asyncio.Event) -> int:
    """Look again and again: what is visible never has a hole; return how often a new state was seen."""
    states = set()
    while not stop.is_set():
        count, last = await outside.fetchrow("select count(*), max(id) from audit_entry where id > $1", base)
        assert count == (last or base) - base
        states.add(count)
    return len(states)


async def test_fifty_writers_make_one_chain_in_the_order_of_their_commits(
    real: None, outside: asyncpg.Connection
) -> None:
    base, stop = await last_id(), asyncio.Event()
    watcher = asyncio.create_task(_watch(outside, base, stop))

    await asyncio.gather(*(_write(n) for n in range(_WRITERS)))
    stop.set()

    assert await watcher > 2  # it saw the chain grow
    found = await audit.verify(after=base or None, limit=1_000_000, known=None)
    assert (found.intact, found.entries) == (True, 2 * _WRITERS)
    assert await last_id() == base + 2 * _WRITERS  # ids have no gaps


async def test_a_change_of_the_book_is_seen_and_notified_after_the_commit_only(
    real: None, outside: asyncpg.Connection
) -> None:
    notified: asyncio.Queue[str] = asyncio.Queue()
    await outside.add_listener("book", lambda *message: notified.put_nowait(message[2]))
    newest = "select xid, client_ids, symbols from book_change order by id desc limit 1"
    before = await outside.fetchrow(newest)

    async with in_transaction() as transaction:
        change = Change(action="update", entity="client", entity_id=7, client_id=7, before={}, after={"n": 1})
        await recorder.record(change, actor="desk", touches=Touches(client_ids=[7], symbols=["AAPL"]))
        (row,) = await transaction.execute_query_dict("select pg_current_xact_id()::text::bigint as xid")
        assert await outside.fetchrow(newest) == before
        assert notified.empty()

    assert tuple(await outside.fetchrow(newest)) == (row["xid"], "[7]", '["AAPL"]')
    assert await asyncio.wait_for(notified.get(), 5) == "book"


async def test_a_change_that_touches_nothing_of_the_book_tells_nobody(real: None, outside: asyncpg.Connection) -> None:
    count = "select count(*) from book_change"
    before = await outside.fetchval(count)

    async with in_transaction():
        await recorder.record(Change(action="create", entity="user", entity_id=1), actor="desk")

    assert await outside.fetchval(count) == before


async def test_prices_are_told_when_they_changed_and_only_then(
    real: None, provider: FakeProvider, outside: asyncpg.Connection
) -> None:
    provider.reset()
    for symbol in ("ZZZ1", "ZZZ2"):
        provider.give(symbol, "100.10")
    base = await outside.fetchval("select coalesce(max(id), 0) from book_change")

    for _ in range(2):
        await intake.store_quotes(provider.quotes.values(), feed=PriceFeed(provider, "USD"))

    changes = await outside.fetch("select client_ids, symbols from book_change where id > $1", base)
    # One change, whose symbols are a set: the plan of the statement, which may change with statistics, orders them.
    assert [(ids, sorted(json.loads(symbols))) for ids, symbols in changes] == [("[]", ["ZZZ1", "ZZZ2"])]


async def test_events_are_seen_after_the_commit_in_order_with_a_notification(
    real: None, outside: asyncpg.Connection
) -> None:
    notified: asyncio.Queue[str] = asyncio.Queue()
    await outside.add_listener("event", lambda *message: notified.put_nowait(message[2]))
    stored = "select kind, client_id, symbol, data from event order by id"

    async with in_transaction():
        await events.publish("state", 7, None, {"state": "call"})
        await events.publish_all(
            [events.NewEvent(kind="margin_call", client_id=n, symbol="AAPL", data={"id": n}) for n in (9, 8)]
        )
        assert await outside.fetch(stored) == []

    assert [tuple(event) for event in await outside.fetch(stored)] == [
        ("state", 7, None, '{"state": "call"}'),
        ("margin_call", 9, "AAPL", '{"id": 9}'),
        ("margin_call", 8, "AAPL", '{"id": 8}'),
    ]
    assert await asyncio.wait_for(notified.get(), 5) == "event"


async def test_ids_of_events_are_in_the_order_of_commits(real: None, outside: asyncpg.Connection) -> None:
    stop = asyncio.Event()

    async def publish(n: int) -> None:
        async with in_transaction():
            await events.publish("state", n, None, {})
            await asyncio.sleep(0.001)

    async def watch() -> None:
        """Read on behind the last id seen, as a subscriber does; nothing may appear before it later."""
        last, seen = 0, 0
        while not stop.is_set() or seen < _WRITERS:
            rows = await outside.fetch("select id from event where id > $1 order by id", last)
            last, seen = rows[-1]["id"] if rows else last, seen + len(rows)
            assert await outside.fetchval("select count(*) from event where id <= $1", last) == seen

    watcher = asyncio.create_task(watch())
    await asyncio.gather(*(publish(n) for n in range(_WRITERS)))
    stop.set()

    await asyncio.wait_for(watcher, 5)


async def test_events_and_book_changes_are_kept_as_long_as_promised(db: None) -> None:
    now = datetime.now(UTC)
    for days in (31, 29):
        await Event.create(at=now - timedelta(days=days), kind="state", client_id=days, data={})
    for minutes in (59, 61):
        await BookChange.create(xid=1, at=now - timedelta(minutes=minutes), client_ids=[minutes], symbols=[])

    await events.prune(days=30)
    await recorder.prune_book_changes(hours=1)

    assert [event.client_id for event in await Event.all()] == [29]
    assert [change.client_ids for change in await BookChange.filter(xid=1)] == [[59]]
