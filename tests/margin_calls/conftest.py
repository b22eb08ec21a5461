"""A desk, its clients and its monitor, all in the test's transaction; time is what the test says."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from tortoise import connections

from app.auth.types import Caller
from app.clients import service as clients_service
from app.margin.explain import MarginSettings
from app.margin_calls import review as call_review
from app.margin_calls.review import Reviewed
from app.margin_calls.types import CallSettings
from app.models import CallType, Event, Margin, MarginCall, MarginCallEvent, MarketData, Position, Role
from app.policies.active import ActivePolicy
from app.policies.load import builtin_policy
from app.positions import service as positions_service
from app.positions import trades as trades_service
from app.positions.service import PositionRecord
from app.positions.trades import Trade
from app.stocks.types import PriceFeed
from tests.fakes import FakeProvider

DESK = Caller(user_id=0, username="desk", role=Role.RISK)
#: A Monday, 10:30 in New York.
MONDAY = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)


def settings_of(policy: str, clock: Callable[[], Awaitable[datetime]]) -> CallSettings:
    """Return settings with a built-in policy."""
    settings = MarginSettings(ActivePolicy.of(builtin_policy(policy)), "USD", 1800, None)
    return CallSettings(settings, 0.05, {CallType.HOUSE: 5, CallType.EXCHANGE: 2}, clock)


@dataclass
class Desk:
    """Does what a test says, and then has the monitor look."""

    provider: FakeProvider
    now: datetime = MONDAY
    policy: str = "flat"
    settings: CallSettings = field(init=False)

    def __post_init__(self) -> None:
        self.settings = settings_of(self.policy, self.clock)

    async def clock(self) -> datetime:
        return self.now

    def wait(self, **time: float) -> None:
        """Let time go by."""
        self.now += timedelta(**time)

    def under(self, policy: str) -> None:
        """Go on under another policy, as after a restart."""
        self.policy, self.settings = policy, settings_of(policy, self.clock)

    def under_rules(self, policy: ActivePolicy) -> None:
        """Go on under a policy of one's own."""
        self.settings = replace(self.settings, margin=replace(self.settings.margin, policy=policy))

    async def client(self, *, loan: str, rate: str | None = None, name: str = "Ada", **held: str) -> int:
        """Store a client with positions."""
        own = None if rate is None else Decimal(rate)
        client = await clients_service.create_client(name=name, loan=Decimal(loan), margin_requirement=own, caller=DESK)
        for symbol, quantity in held.items():
            await self.hold(client.id, symbol, quantity)
        return client.id

    async def hold(self, client_id: int, symbol: str, quantity: str) -> None:
        """Set a position, as securities come in or go out."""
        await positions_service.put_position(
            client_id,
            PositionRecord(symbol=symbol, quantity=Decimal(quantity), cost_basis=Decimal(1)),
            base_currency="USD",
            caller=DESK,
        )

    async def trade(self, client_id: int, symbol: str, quantity: str, price: str) -> None:
        await trades_service.book_trade(
            client_id,
            Trade(symbol=symbol, quantity=Decimal(quantity), price=Decimal(price)),
            feed=PriceFeed(self.provider, "USD"),
            caller=DESK,
        )

    async def set_loan(self, client_id: int, loan: str) -> None:
        """Pay in or out."""
        await clients_service.update_client(client_id, {"loan": Decimal(loan)}, caller=DESK)

    async def price(self, symbol: str, price: str, *, age: timedelta = timedelta(0), source: str = "yahoo") -> None:
        """Store a price that the market made some time before this moment (of the wall clock, as its age counts)."""
        moment = datetime.now(UTC) - age
        row = {"current_price": Decimal(price), "currency": "USD", "timestamp": moment, "fetched_at": moment}
        await MarketData.update_or_create(row | {"source": source, "exchange": "CCC"}, symbol=symbol)

    async def review(self, *client_ids: int) -> dict[int, Reviewed]:
        """Have the monitor look at some clients."""
        return await call_review.review(client_ids, settings=self.settings)

    async def pass_due(self) -> int:
        return await call_review.pass_due(settings=self.settings)


@pytest.fixture
async def desk(db: None, provider: FakeProvider) -> Desk:
    return Desk(provider)


async def only_call(client_id: int, kind: CallType = CallType.HOUSE) -> MarginCall:
    """Return the one call of a client and type; fails if there are several."""
    return await MarginCall.get(client_id=client_id, type=kind)


async def history(call: MarginCall) -> list[tuple[str | None, str]]:
    """Return the steps of a call."""
    return [(event.from_state, event.to_state) for event in await MarginCallEvent.filter(call_id=call.id)]


async def events_of(client_id: int) -> list[tuple[str, dict[str, Any]]]:
    """Return what subscribers were told of a client."""
    return [(event.kind, event.data) for event in await Event.filter(client_id=client_id)]


async def owed(client_id: int) -> Decimal:
    return (await Margin.get(client_id=client_id)).loan


async def forget(client_id: int) -> None:
    """Take a client's positions away behind everybody's back."""
    await Position.filter(client_id=client_id).delete()


async def sql(statement: str, *parameters: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = await connections.get("default").execute_query_dict(statement, list(parameters))
    return rows


Http = httpx.AsyncClient
