"""Margin over HTTP under the flat policy: the contract's own examples."""

from typing import Any

import pytest
from httpx import AsyncClient

from tests.fakes import FakeProvider


async def client_with(
    risk: AsyncClient,
    provider: FakeProvider,
    holdings: dict[str, tuple[float, str]],
    *,
    loan: float = 0,
    rate: float | None = None,
) -> int:
    """Store a client; holdings are quantity and price by symbol."""
    created = await risk.post("/clients", json={"name": "Ada", "loan": loan, "margin_requirement": rate})
    client_id = int(created.json()["id"])
    for symbol, (quantity, price) in holdings.items():
        provider.give(symbol, price)
        assert (await risk.get(f"/stocks/{symbol}")).status_code == 200
        put = await risk.put(f"/positions/{client_id}/{symbol}", json={"quantity": quantity, "cost_basis": 1})
        assert put.status_code == 201
    return client_id


async def margin(risk: AsyncClient, client_id: int) -> dict[str, Any]:
    response = await risk.get(f"/margin/{client_id}")
    assert response.status_code == 200, response.text
    return dict(response.json())


async def test_margin_has_the_fields_of_the_contract_in_its_order(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = await client_with(risk, provider, {"AAPL": (100, "200")}, loan=10000)

    answer = await margin(risk, client_id)

    assert answer.pop("timestamp").endswith("Z")
    assert list(answer.items()) == [
        ("clientId", client_id),
        ("portfolio_value", 20000.0),
        ("loan_amount", 10000.0),
        ("net_equity", 10000.0),
        ("margin_requirement", 5000.0),
        ("margin_shortfall", 0.0),
        ("margin_call_triggered", False),
    ]


@pytest.mark.parametrize(
    ("value", "loan", "shortfall", "call"),
    [
        ("100000", 75000, 0.0, False),  # equality is no call
        ("100000", 75000.01, 0.01, True),
        ("100000", 80000, 5000.0, True),
        ("12000", 10000, 1000.0, True),  # open-exam-prep.com, Series 7, chapter 9
        ("12000", 8000, 0.0, False),  # the SEC's own example
    ],
)
async def test_a_call_begins_where_equity_is_below_the_requirement(
    risk: AsyncClient, provider: FakeProvider, value: str, loan: float, shortfall: float, *, call: bool
) -> None:
    client_id = await client_with(risk, provider, {"AAPL": (1, value)}, loan=loan)

    answer = await margin(risk, client_id)

    assert (answer["margin_shortfall"], answer["margin_call_triggered"]) == (shortfall, call)


async def test_each_position_is_rounded_to_the_cent(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = await client_with(risk, provider, dict.fromkeys(("AAA", "BBB", "CCC"), (1, "33.33")))

    assert (await margin(risk, client_id))["margin_requirement"] == 24.99  # 3 x 8.3325 rounded, not 99.99 x 0.25


async def test_a_short_position_asks_of_its_absolute_value(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = await client_with(risk, provider, {"TSLA": (-10, "250")}, loan=-4000)

    answer = await margin(risk, client_id)

    assert (answer["portfolio_value"], answer["net_equity"], answer["margin_requirement"]) == (-2500.0, 1500.0, 625.0)


async def test_a_clients_own_rate_replaces_the_flat_one(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = await client_with(risk, provider, {"AAPL": (100, "200")}, rate=0.4)

    assert (await margin(risk, client_id))["margin_requirement"] == 8000.0


async def test_a_client_without_positions_needs_nothing(risk: AsyncClient, provider: FakeProvider) -> None:
    answer = await margin(risk, await client_with(risk, provider, {}))

    assert (answer["portfolio_value"], answer["margin_requirement"], answer["margin_call_triggered"]) == (0, 0, False)
    assert "-0.0" not in str(answer)


async def test_a_loan_without_positions_is_short_by_the_whole_of_it(risk: AsyncClient, provider: FakeProvider) -> None:
    answer = await margin(risk, await client_with(risk, provider, {}, loan=2500))

    assert (answer["net_equity"], answer["margin_shortfall"], answer["margin_call_triggered"]) == (-2500, 2500, True)


async def test_a_price_never_seen_is_named_and_never_counts_as_zero(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = await client_with(risk, provider, {"AAPL": (100, "200")})
    await risk.put(f"/positions/{client_id}/MSFT", json={"quantity": 1, "cost_basis": 1})

    response = await risk.get(f"/margin/{client_id}")

    assert (response.status_code, response.json()["symbols"]) == (409, ["MSFT"])


async def test_a_foreign_stock_counts_at_its_fx_rate(risk: AsyncClient, provider: FakeProvider) -> None:
    provider.give("EURUSD=X", "1.10")
    provider.give("SAP.DE", "200", currency="EUR")
    client_id = await client_with(risk, provider, {})
    await risk.get("/stocks/SAP.DE")
    await risk.put(f"/positions/{client_id}/SAP.DE", json={"quantity": 10, "cost_basis": 1})

    assert (await margin(risk, client_id))["portfolio_value"] == 2200.0


async def test_a_foreign_stock_without_a_rate_is_unpriced(risk: AsyncClient, provider: FakeProvider) -> None:
    provider.give("SAP.DE", "200", currency="EUR")
    client_id = await client_with(risk, provider, {})
    await risk.get("/stocks/SAP.DE")
    await risk.put(f"/positions/{client_id}/SAP.DE", json={"quantity": 10, "cost_basis": 1})

    response = await risk.get(f"/margin/{client_id}")

    assert (response.status_code, response.json()["symbols"]) == (409, ["SAP.DE"])
