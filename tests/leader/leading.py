"""A database of its own with committed clients, and what a leader is made of; for tests of leaders."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final

from tortoise import connections
from tortoise.context import TortoiseContext

from app.book.live_book import LiveBook
from app.book.valuation import ValuationRules
from app.database.connections import Database, tortoise_config
from app.database.notifications import Listener
from app.leader import Leader
from app.margin.explain import MarginSettings
from app.margin_calls.monitor import Reviewer
from app.margin_calls.types import CallSettings
from app.models import CallType
from app.policies.active import ActivePolicy
from app.policies.load import builtin_policy
from app.providers.replay.source import ReplayPlan, ReplayProvider
from app.providers.types import PriceProvider
from app.stocks.monitor import Pace, Refresher
from app.stocks.service import newest_market_time, replay_clock
from app.stocks.types import PriceFeed
from tests.clusters import create_database

WARNING_CUSHION: Final = 0.05


@dataclass(frozen=True, slots=True)
class Account:
    """A client to store: what it owes and holds."""

    loan: Decimal
    held: dict[str, Decimal]


@asynccontextmanager
async def own_database(server_url: str) -> AsyncIterator[Database]:
    """Give a database without a row, to which the models are connected until the block ends."""
    database = Database(url=await create_database(server_url, migrated=True), pool_size=4)
    async with connected(database):
        yield database


@asynccontextmanager
async def connected(database: Database) -> AsyncIterator[None]:
    """Connect the models to a database until the block ends."""
    async with TortoiseContext() as context:
        await context.init(config=tortoise_config(database))
        yield


async def store(accounts: Sequence[Account]) -> list[int]:
    """Store clients at once, behind everybody's back; return their ids."""
    connection = connections.get("default")
    rows = await connection.execute_query_dict(
        "insert into client (name, created_at) select 'replayed', now() from generate_series(1, $1) returning id",
        [len(accounts)],
    )
    ids = sorted(row["id"] for row in rows)
    await connection.execute_query(
        'insert into margin (client_id, loan, "timestamp") select *, now() from unnest($1::bigint[], $2::numeric[])',
        [ids, [account.loan for account in accounts]],
    )
    positions = [(id_, *item) for id_, account in zip(ids, accounts, strict=True) for item in account.held.items()]
    await connection.execute_query(
        "insert into position (client_id, symbol, quantity, cost_basis, updated_at)"
        " select *, 1, now() from unnest($1::bigint[], $2::text[], $3::numeric[])",
        [list(column) for column in zip(*positions, strict=True)],
    )
    return ids


def settings() -> CallSettings:
    """Return the settings of policy `flat` in the days of a replay."""
    return CallSettings(
        MarginSettings(ActivePolicy.of(builtin_policy("flat")), "USD", 1800, None),
        WARNING_CUSHION,
        {CallType.HOUSE: 5, CallType.EXCHANGE: 2},
        replay_clock,
    )


def replaying(file: Path, **days: object) -> ReplayProvider:
    """Return a source that gives another day whenever it is asked."""
    return ReplayProvider(ReplayPlan(file, 1000.0, "USD", **days), newest=partial(newest_market_time, "replay"))  # type: ignore[arg-type] # days


def reviewer() -> Reviewer:
    """Return a reviewer with a book of its own, as another process has it."""
    on = settings()
    return Reviewer(LiveBook(ValuationRules(on.margin.policy, WARNING_CUSHION), base_currency="USD"), settings=on)


def leader(database: Database, provider: PriceProvider, *, pace: float = 0.02) -> tuple[Leader, Listener]:
    """Return a leader that has not begun, and what wakes it; run both."""
    listener = Listener(database, ("book",))
    refresher = Refresher(PriceFeed(provider, "USD"), pace=Pace(pace, is_replay=True))
    made = Leader(
        database, reviewer=reviewer(), refresher=refresher, signal=listener.signal("book"), settings=settings()
    )
    return made, listener
