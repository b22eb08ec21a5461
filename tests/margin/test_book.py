"""The book over HTTP: totals, states, ranking, pages."""

from typing import Any

import pytest
from httpx import AsyncClient

from app.models import Role
from tests.conftest import LoginAs
from tests.fakes import FakeProvider
from tests.margin.test_margin import client_with


@pytest.fixture
async def clients(risk: AsyncClient, provider: FakeProvider) -> dict[str, int]:
    """Value 100,000 each, except the one that is not priced and the one that holds nothing."""
    ids = {
        name: await client_with(risk, provider, {"AAPL": (1000, "100")}, loan=loan)
        for name, loan in {"ok": 10_000, "deep": 90_000, "warning": 72_000, "call": 76_000}.items()
    }
    ids["empty"] = await client_with(risk, provider, {})
    ids["incomplete"] = await client_with(risk, provider, {})
    await risk.put(f"/positions/{ids['incomplete']}/NOPE", json={"quantity": 1, "cost_basis": 1})
    return ids


async def book(risk: AsyncClient, query: str = "") -> dict[str, Any]:
    response = await risk.get(f"/margin{query}")
    assert response.status_code == 200, response.text
    return dict(response.json())


async def test_totals_sum_the_complete_clients(risk: AsyncClient, clients: dict[str, int]) -> None:
    answer = await book(risk)

    items = answer.pop("items")
    assert answer.pop("timestamp").endswith("Z")
    assert answer == {
        "policy": {"id": "flat", "version": "1"},
        "clients": 6,
        "calls": 2,
        "warnings": 1,
        "incomplete": 1,
        "portfolio_value": 400_000.0,
        "loan_amount": 248_000.0,
        "net_equity": 152_000.0,
        "margin_requirement": 100_000.0,
        "margin_shortfall": 16_000.0,  # 15,000 and 1,000
    }
    assert len(items) == 6


async def test_the_most_urgent_come_first(risk: AsyncClient, clients: dict[str, int]) -> None:
    by_shortfall = [item["clientId"] for item in (await book(risk))["items"]]
    by_cushion = [item["clientId"] for item in (await book(risk, "?sort=cushion"))["items"]]

    assert by_shortfall[:2] == [clients["deep"], clients["call"]]
    assert by_cushion[:4] == [clients[name] for name in ("deep", "call", "warning", "ok")]


@pytest.mark.parametrize("state", ["call", "warning", "ok", "incomplete"])
async def test_a_state_filters_the_items_not_the_totals(risk: AsyncClient, clients: dict[str, int], state: str) -> None:
    answer = await book(risk, f"?state={state}")

    expected = {"call": {"call", "deep"}, "warning": {"warning"}, "ok": {"ok", "empty"}, "incomplete": {"incomplete"}}
    assert {item["clientId"] for item in answer["items"]} == {clients[name] for name in expected[state]}
    assert {item["state"] for item in answer["items"]} == {state}
    assert answer["clients"] == 6


@pytest.mark.parametrize("sort", ["shortfall", "cushion", "distance"])
async def test_pages_hold_every_client_once(risk: AsyncClient, clients: dict[str, int], sort: str) -> None:
    whole = [item["clientId"] for item in (await book(risk, f"?sort={sort}"))["items"]]
    url: str | None = f"/margin?sort={sort}&limit=2"
    seen: list[int] = []
    while url:
        response = await risk.get(url)
        seen += [item["clientId"] for item in response.json()["items"]]
        url = response.links.get("next", {}).get("url")

    assert seen == whole
    assert sorted(seen) == sorted(clients.values())


async def test_an_incomplete_client_has_no_figures(risk: AsyncClient, clients: dict[str, int]) -> None:
    [item] = (await book(risk, "?state=incomplete"))["items"]

    unknown = ("portfolio_value", "net_equity", "margin_requirement", "margin_shortfall", "cushion", "drop", "rise")
    assert all(item[name] is None for name in unknown)


async def test_an_empty_book_is_empty(risk: AsyncClient) -> None:
    answer = await book(risk)

    assert (answer["clients"], answer["items"], answer["margin_shortfall"]) == (0, [], 0.0)


async def test_the_book_is_the_desks(risk: AsyncClient, login_as: LoginAs, clients: dict[str, int]) -> None:
    caller = await login_as(Role.CLIENT, client_id=clients["ok"])

    assert (await caller.get("/margin")).status_code == 403
    assert (await caller.get("/margin/stress")).status_code == 403


@pytest.mark.parametrize("query", ["?sort=name", "?state=bad", "?limit=0", "?limit=1001", "?after=17", "?after=x~1"])
async def test_what_makes_no_sense_is_refused(risk: AsyncClient, query: str) -> None:
    assert (await risk.get(f"/margin{query}")).status_code == 422


async def test_a_published_warning_is_a_warning(risk: AsyncClient, provider: FakeProvider) -> None:
    # lukelittle, FINRA 4210 margin risk monitor: 500 at 280, loan 100,000: excess 5,000, at most 5 % of the value
    client_id = await client_with(risk, provider, {"TSLA": (500, "280")}, loan=100_000)

    [item] = (await book(risk))["items"]

    assert (item["clientId"], item["state"]) == (client_id, "warning")
