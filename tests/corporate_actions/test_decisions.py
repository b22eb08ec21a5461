"""What the desk decides about corporate actions, over HTTP."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from app.corporate_actions.decisions import run_due
from app.models import AuditEntry, CorporateAction, MarketData, Position, PriceHistory, Role
from tests.conftest import LoginAs
from tests.fakes import FakeProvider
from tests.margin.test_margin import client_with

TODAY = date.today()  # noqa: DTZ011 - a day is enough


async def entered(risk: httpx.AsyncClient, **fields: object) -> dict[str, Any]:
    body = {"symbol": "AAPL", "kind": "split", "ratio": [2, 1], "ex_date": TODAY.isoformat()} | fields
    response = await risk.post("/corporate-actions", json=body)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def decide(risk: httpx.AsyncClient, action: dict[str, Any], what: str, **body: object) -> httpx.Response:
    return await risk.post(f"/corporate-actions/{action['id']}/{what}", json={"reason": "The notice says so."} | body)


@pytest.fixture
async def holder(risk: httpx.AsyncClient, provider: FakeProvider) -> int:
    client_id = await client_with(risk, provider, {"AAPL": (100, "50")}, loan=0)
    await Position.filter(client_id=client_id).update(updated_at=datetime(2020, 1, 1, tzinfo=UTC))
    return client_id


async def quantity(client_id: int) -> float:
    return float((await Position.get(client_id=client_id, symbol="AAPL")).quantity)


async def test_an_action_that_is_applied_reaches_every_holder_once(risk: httpx.AsyncClient, holder: int) -> None:
    action = await entered(risk)

    applied = await decide(risk, action, "apply")
    again = await decide(risk, action, "apply")

    assert applied.status_code == 200, applied.text
    assert (applied.json()["state"], applied.json()["ratio"], applied.json()["clients"]) == ("applied", [2.0, 1.0], 1)
    assert await quantity(holder) == 200
    assert again.status_code == 409
    assert await AuditEntry.filter(entity="instrument", entity_id="AAPL", action="split").count() == 1


async def test_a_dismissed_one_leaves_units_and_frees_the_price_that_waited(
    risk: httpx.AsyncClient, holder: int
) -> None:
    action = await entered(risk, ratio=[1281, 1000])

    dismissed = await decide(risk, action, "dismiss")

    assert dismissed.json()["state"] == "dismissed"
    assert dismissed.json()["reason"] == "The notice says so."
    assert await quantity(holder) == 100


async def test_another_ratio_may_be_given_and_one_is_needed(risk: httpx.AsyncClient, holder: int) -> None:
    action = await entered(risk, kind="merger", ratio=None)

    without = await decide(risk, action, "apply")
    applied = await decide(risk, action, "apply", ratio=[3, 2])

    assert without.status_code == 422
    assert "ratio" in without.text
    assert applied.status_code == 200
    assert await quantity(holder) == 150


async def test_what_is_scheduled_runs_once_on_its_day(risk: httpx.AsyncClient, holder: int) -> None:
    action = await entered(risk)
    later = (TODAY + timedelta(days=3)).isoformat()

    scheduled = await decide(risk, action, "apply", effective_on=later)
    assert scheduled.json()["state"] == "scheduled"
    assert await run_due() == 0
    assert await quantity(holder) == 100

    await CorporateAction.filter(id=action["id"]).update(effective_on=TODAY - timedelta(days=2))
    assert [await run_due(), await run_due()] == [1, 0]
    assert await quantity(holder) == 200


async def test_the_list_is_filtered_and_the_same_one_is_entered_once(risk: httpx.AsyncClient) -> None:
    action = await entered(risk, symbol="brk.b")

    found = (await risk.get("/corporate-actions", params={"state": "pending", "symbol": "BRK-B"})).json()
    twice = await risk.post(
        "/corporate-actions",
        json={"symbol": "BRK/B", "kind": "split", "ratio": [4, 1], "ex_date": TODAY.isoformat()},
    )

    assert [row["id"] for row in found] == [action["id"]]
    assert twice.status_code == 409


async def test_a_client_decides_nothing(login_as: LoginAs, holder: int) -> None:
    client = await login_as(Role.CLIENT, client_id=holder)

    assert (await client.get("/corporate-actions")).status_code == 403
    assert (await client.post("/corporate-actions/1/apply", json={"reason": "mine"})).status_code == 403


async def test_a_price_that_is_held_back_is_used_once_the_desk_accepts_it(
    risk: httpx.AsyncClient, provider: FakeProvider
) -> None:
    provider.give("VOD.L", "0.75", currency="GBP")
    await risk.get("/stocks/VOD.L")
    provider.give("VOD.L", "75", currency="GBP")
    for _ in range(3):
        held = await risk.get("/stocks/VOD.L")
        assert (held.json()["current_price"], held.headers["X-Price-Origin"]) == (0.75, "stored")

    accepted = await risk.post("/stocks/VOD.L/accept", json={"reason": "It is quoted in pence now."})
    again = await risk.post("/stocks/VOD.L/accept", json={"reason": "Once more."})

    assert accepted.json()["current_price"] == 75
    assert again.status_code == 409
    assert await PriceHistory.filter(symbol="VOD.L", price=75).exists()


async def test_a_price_that_waited_in_another_currency_is_used_with_its_currency(
    risk: httpx.AsyncClient, holder: int
) -> None:
    now = datetime.now(UTC)
    await MarketData.filter(symbol="AAPL").update(
        pending_price=25, pending_currency="CAD", pending_time=now, pending_fetched_at=now, pending_since=now,
        pending_reason="split",
    )  # fmt: skip
    action = await entered(risk)

    await decide(risk, action, "apply")

    stored = await MarketData.get(symbol="AAPL")
    assert (stored.current_price, stored.currency, stored.pending_price) == (Decimal(25), "CAD", None)
    assert (await PriceHistory.get(symbol="AAPL", price=25)).currency == "CAD"
    assert await quantity(holder) == 200


async def test_one_that_cannot_be_applied_goes_back_to_the_desk_and_holds_up_no_other(
    risk: httpx.AsyncClient, holder: int
) -> None:
    await Position.create(client_id=holder, symbol="MSFT", quantity="999999999999", cost_basis=1)
    await Position.filter(symbol="MSFT").update(updated_at=datetime(2020, 1, 1, tzinfo=UTC))
    later = (TODAY + timedelta(days=3)).isoformat()
    stuck, other = await entered(risk, symbol="MSFT"), await entered(risk)
    for action in (stuck, other):
        assert (await decide(risk, action, "apply", effective_on=later)).json()["state"] == "scheduled"
    await CorporateAction.all().update(effective_on=TODAY - timedelta(days=2))

    assert [await run_due(), await run_due()] == [1, 0]

    states = {row["symbol"]: row["state"] for row in (await risk.get("/corporate-actions")).json()}
    assert states == {"MSFT": "pending", "AAPL": "applied"}
    assert await quantity(holder) == 200
    assert await AuditEntry.filter(entity_id="MSFT", action="unschedule").count() == 1
