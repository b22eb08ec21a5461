"""Wrong answers, crashes and splits, from the real yfinance to the database: what becomes of prices and holders."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from httpx import AsyncClient
from tortoise import connections

from app.core.errors import ProviderError
from app.corporate_actions import service as splits
from app.models import AuditEntry, BookChange, MarketData, Position, PriceHistory
from app.models import Split as SplitRow
from app.providers.cache import CachedProvider
from app.providers.types import Refusal, ShareSplit
from app.providers.yahoo.source import YahooProvider
from app.stocks import late_splits
from app.stocks import service as stocks_service
from app.stocks.types import PriceFeed
from tests.operations.pages import refused
from tests.standin.world import Fault, Kind, World

HOUR = 3600
DAY = 24 * HOUR


@dataclass(slots=True)
class Desk:
    """A client with 100 AAPL at 100.00 on a loan of 6,000, the price stored as of yesterday."""

    client_id: int
    risk: AsyncClient
    yahoo: World
    provider: CachedProvider

    async def poll(self) -> stocks_service.Refreshed:
        """Refresh what is held, as the monitor does."""
        return await stocks_service.refresh_held(PriceFeed(self.provider, "USD"))

    async def margin(self) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.risk.get(f"/margin/{self.client_id}")).json()
        return answer

    async def price(self) -> Decimal:
        return (await MarketData.get(symbol="AAPL")).current_price


@pytest.fixture
async def desk(risk: AsyncClient, yahoo: World) -> AsyncIterator[Desk]:
    provider = CachedProvider(YahooProvider(), ttl_seconds=0)
    client_id = (await risk.post("/clients", json={"name": "Ada", "loan": 6000})).json()["id"]
    await risk.put(f"/positions/{client_id}/AAPL", json={"quantity": 100, "cost_basis": 90})
    await _age_positions(DAY)
    desk = Desk(client_id, risk, yahoo, provider)
    yahoo.quote("AAPL", 100, market_time=_ago(DAY), previous_close=None)
    await desk.poll()
    assert await desk.price() == 100
    yield desk
    yahoo.fail(None)
    await provider.aclose()


async def _age_positions(seconds: float) -> None:
    """Make positions as old as a book that stood before a split."""
    await connections.get("default").execute_query(
        "update position set updated_at = now() - make_interval(secs => $1)", [seconds]
    )


def _ago(seconds: float) -> int:
    return int(time.time() - seconds)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"price": 10_000.0}, Refusal.JUMP),
        ({"price": 1.0}, Refusal.JUMP),
        ({"price": 0}, Refusal.ZERO),
        ({"price": -100.0}, Refusal.NEGATIVE),
        ({"price": float("nan")}, Refusal.NOT_FINITE),
        ({"price": float("inf")}, Refusal.NOT_FINITE),
        ({"price": 20.0, "currency": "EUR"}, Refusal.CURRENCY),
        ({"price": 20.0, "market_time": _ago(2 * DAY)}, Refusal.OLDER),
    ],
)
async def test_one_wrong_answer_changes_nothing_and_is_counted(
    desk: Desk, fields: dict[str, Any], reason: Refusal
) -> None:
    before = refused(reason)
    desk.yahoo.quote("AAPL", **fields)

    refreshed = await desk.poll()

    assert (refreshed.updated, refreshed.missing) == ([], ["AAPL"])
    assert await desk.price() == 100
    assert await PriceHistory.filter(symbol="AAPL").count() == 1
    assert not (await desk.margin())["margin_call_triggered"]
    assert refused(reason) == before + 1
    desk.yahoo.quote("AAPL", 101.0)
    assert (await desk.poll()).updated == ["AAPL"]
    assert await desk.price() == 101


async def test_a_wrong_answer_and_its_twin_with_a_right_one_between_are_two_first_answers(desk: Desk) -> None:
    for price in (1.0, 100.0, 1.0):
        desk.yahoo.quote("AAPL", price)
        await desk.poll()

    assert await desk.price() == 100


async def test_a_fall_of_60_percent_that_stays_is_used_on_the_second_answer(desk: Desk) -> None:
    desk.yahoo.quote("AAPL", 40.0)

    await desk.poll()
    assert not (await desk.margin())["margin_call_triggered"]
    await desk.poll()

    # 100 x 40 = 4,000 less 6,000 owed: equity -2,000, required 25 % of 4,000.
    assert (await desk.margin())["margin_shortfall"] == 3000


async def test_a_silent_or_throttled_source_leaves_prices_and_calls_as_they_are(desk: Desk) -> None:
    for fault in (Fault.THROTTLED, Fault.DROP):
        desk.yahoo.fail(fault)
        with pytest.raises(ProviderError, match=r"Yahoo Finance|price source"):
            await desk.poll()

    assert await desk.price() == 100
    assert not (await desk.margin())["margin_call_triggered"]


async def test_a_split_of_four_for_one_opens_no_call(desk: Desk) -> None:
    desk.yahoo.split("AAPL", 4, 1, at=_ago(HOUR))
    desk.yahoo.quote("AAPL", 25.5)

    assert (await desk.poll()).updated == ["AAPL"]

    position = await Position.get(client_id=desk.client_id, symbol="AAPL")
    assert (position.quantity, position.cost_basis) == (Decimal(400), Decimal("22.5"))
    margin = await desk.margin()
    assert (margin["portfolio_value"], margin["margin_call_triggered"]) == (10_200, False)


async def test_a_split_is_applied_once_however_often_it_is_seen(desk: Desk) -> None:
    desk.yahoo.split("AAPL", 4, 1, at=_ago(HOUR))
    for price in (25.0, 25.1, 5.0, 5.0, 100.0, 100.0, 25.0, 25.0):
        desk.yahoo.quote("AAPL", price)
        await desk.poll()

    assert await SplitRow.filter(symbol="AAPL").count() == 1
    assert (await Position.get(client_id=desk.client_id)).quantity == 400
    assert await desk.price() == 25


async def test_a_split_that_the_source_moves_within_the_day_is_the_same(desk: Desk) -> None:
    open_at = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
    for effective in (open_at, open_at.replace(hour=5)):
        await splits.apply(ShareSplit("AAPL", effective, open_at.date(), Decimal(4), Decimal(1)))

    assert await SplitRow.all().count() == 1


async def test_a_split_is_in_the_audit_trail_and_told_to_followers_of_the_book(desk: Desk) -> None:
    desk.yahoo.split("AAPL", 4, 1, at=_ago(HOUR))
    desk.yahoo.quote("AAPL", 25.0)
    await desk.poll()

    entry = await AuditEntry.filter(action="split").get()
    assert (entry.actor, entry.entity, entry.entity_id) == ("system", "instrument", "AAPL")
    assert entry.after is not None
    assert (entry.after["ratio"], entry.after["rows"]) == ("4:1", 1)
    changes = await BookChange.all().order_by("-id").limit(2)
    assert [desk.client_id] in [change.client_ids for change in changes]
    assert ["AAPL"] in [change.symbols for change in changes]


async def test_a_position_set_after_the_split_is_in_new_shares_already(desk: Desk) -> None:
    other = (await desk.risk.post("/clients", json={"name": "Ben"})).json()["id"]
    desk.yahoo.split("AAPL", 4, 1, at=_ago(HOUR))
    await desk.risk.put(f"/positions/{other}/AAPL", json={"quantity": 7, "cost_basis": 25})
    desk.yahoo.quote("AAPL", 25.0)

    await desk.poll()

    assert (await Position.get(client_id=other)).quantity == 7
    assert (await Position.get(client_id=desk.client_id)).quantity == 400


async def test_a_small_split_is_found_by_the_previous_close(desk: Desk) -> None:
    desk.yahoo.split("AAPL", 5, 4, at=_ago(HOUR))
    desk.yahoo.quote("AAPL", 84.0, previous_close=80.0)

    await desk.poll()

    assert (await Position.get(client_id=desk.client_id)).quantity == 125


async def test_another_previous_close_without_a_split_delays_nothing(desk: Desk) -> None:
    desk.yahoo.quote("AAPL", 84.0, previous_close=80.0)

    assert (await desk.poll()).updated == ["AAPL"]


async def test_a_split_like_jump_waits_while_splits_cannot_be_asked_for(desk: Desk) -> None:
    desk.yahoo.split("AAPL", 4, 1, at=_ago(HOUR))
    desk.yahoo.quote("AAPL", 25.0)
    desk.yahoo.fail(Fault.BROKEN, Kind.CHART)
    for _ in range(2):
        await desk.poll()
    assert await desk.price() == 100

    desk.yahoo.fail(None)
    await desk.poll()

    assert (await Position.get(client_id=desk.client_id)).quantity == 400
    assert await desk.price() == 25


async def test_what_waits_outlives_a_restart(desk: Desk) -> None:
    desk.yahoo.quote("AAPL", 40.0)
    await desk.poll()
    restarted = CachedProvider(YahooProvider(), ttl_seconds=0)

    await stocks_service.refresh_held(PriceFeed(restarted, "USD"))
    await restarted.aclose()

    assert await desk.price() == 40


async def test_a_split_that_is_reported_after_its_price_was_used_is_applied_once_it_is(desk: Desk) -> None:
    desk.yahoo.quote("AAPL", 25.0)
    for _ in range(2):
        await desk.poll()
    assert (await desk.margin())["margin_call_triggered"]
    assert await late_splits.apply_late(provider=desk.provider) == []

    desk.yahoo.split("AAPL", 4, 1, at=_ago(HOUR))
    assert await late_splits.apply_late(provider=desk.provider) == ["AAPL"]

    assert (await Position.get(client_id=desk.client_id)).quantity == 400
    assert not (await desk.margin())["margin_call_triggered"]
    assert await late_splits.apply_late(provider=desk.provider) == []


async def test_a_late_report_of_a_split_that_explains_nothing_changes_nothing(desk: Desk) -> None:
    desk.yahoo.quote("AAPL", 40.0)
    for _ in range(2):
        await desk.poll()
    desk.yahoo.split("AAPL", 1, 10, at=_ago(HOUR))

    assert await late_splits.apply_late(provider=desk.provider) == []

    assert (await Position.get(client_id=desk.client_id)).quantity == 100


async def test_a_split_that_cannot_be_stored_leaves_its_symbol_as_it_was_and_the_others_go_on(desk: Desk) -> None:
    rich = (await desk.risk.post("/clients", json={"name": "Ben"})).json()["id"]
    await Position.create(client_id=rich, symbol="AAPL", quantity=Decimal("3e11"), cost_basis=1)
    await desk.risk.put(f"/positions/{desk.client_id}/MSFT", json={"quantity": 1, "cost_basis": 1})
    await _age_positions(DAY)
    before = refused(Refusal.SPLIT)
    desk.yahoo.split("AAPL", 4, 1, at=_ago(HOUR))
    desk.yahoo.quote("AAPL", 25.0)
    desk.yahoo.quote("MSFT", 400.0)

    refreshed = await desk.poll()

    assert refreshed == stocks_service.Refreshed(updated=["MSFT"], missing=["AAPL"])
    assert await desk.price() == 100
    assert (await Position.get(client_id=desk.client_id, symbol="AAPL")).quantity == 100
    assert not await SplitRow.exists()
    assert refused(Refusal.SPLIT) == before + 1


async def test_a_listing_that_changes_its_currency_is_refused_until_the_desk_forgets_its_price(desk: Desk) -> None:
    desk.yahoo.quote("AAPL", 92.0, currency="EUR")
    desk.yahoo.quote("EURUSD=X", 1.25, quote_type="CURRENCY")
    for _ in range(3):
        await desk.poll()
    assert await desk.price() == 100

    assert (await desk.risk.delete("/stocks/AAPL")).status_code == 204
    unpriced = await desk.risk.get(f"/margin/{desk.client_id}")
    await desk.poll()

    assert (unpriced.status_code, unpriced.json()["symbols"]) == (409, ["AAPL"])
    assert (await desk.margin())["portfolio_value"] == 11_500  # 100 x 92 x 1.25
    entry = await AuditEntry.filter(action="forget_price").get()
    assert entry.before is not None
    assert (entry.entity_id, entry.before["currency"]) == ("AAPL", "USD")
    assert (await desk.risk.delete("/stocks/NONE")).status_code == 404


@pytest.mark.parametrize(
    ("quantity", "cost", "ratio", "new_quantity", "new_cost"),
    [
        ("100", "90", "4:1", "400", "22.5"),
        ("-60", "250", "3:1", "-180", "83.33333333"),
        ("12.345678", "10", "3:2", "18.518517", "6.66666667"),
        ("101", "5", "1:10", "10.1", "50"),
        ("0.000001", "100", "1:2", "0.000001", "200"),  # half a millionth rounds away from zero
        ("0.000001", "100", "1:3", None, None),
        ("1", "1234567.891", "1:9", "0.111111", "11111111.019"),
    ],
)
async def test_a_split_multiplies_quantity_and_divides_cost(
    desk: Desk, quantity: str, cost: str, ratio: str, new_quantity: str | None, new_cost: str | None
) -> None:
    await Position.filter(client_id=desk.client_id).update(quantity=Decimal(quantity), cost_basis=Decimal(cost))
    await _age_positions(DAY)
    numerator, denominator = map(Decimal, ratio.split(":"))
    effective = datetime.now(UTC) - timedelta(hours=1)

    done = await splits.apply(ShareSplit("AAPL", effective, effective.date(), numerator, denominator))

    assert done is not None
    assert done.holders == [desk.client_id]
    rows = await Position.filter(client_id=desk.client_id)
    if new_quantity is None or new_cost is None:
        assert rows == []
    else:
        assert [(row.quantity, row.cost_basis) for row in rows] == [(Decimal(new_quantity), Decimal(new_cost))]
