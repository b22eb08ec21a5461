"""Positions and trades over HTTP."""

from typing import Any

import pytest
from httpx import AsyncClient

from tests.fakes import FakeProvider


@pytest.fixture
async def client_id(risk: AsyncClient) -> int:
    return int((await risk.post("/clients", json={"name": "Ada"})).json()["id"])


async def trade(risk: AsyncClient, client_id: int, symbol: str, quantity: float, price: float) -> dict[str, Any]:
    body = {"symbol": symbol, "quantity": quantity, "price": price}
    response = await risk.post(f"/positions/{client_id}/trades", json=body)
    assert response.status_code == 201, response.text
    return dict(response.json())


async def test_positions_have_the_form_of_the_contract(risk: AsyncClient, client_id: int) -> None:
    await risk.put(f"/positions/{client_id}/aapl", json={"quantity": 100, "cost_basis": 150.0})
    await risk.put(f"/positions/{client_id}/BRK-B", json={"quantity": -0.000001, "cost_basis": 0})

    response = await risk.get(f"/positions/{client_id}")

    expected = (
        f'{{"clientId":{client_id},"positions":['
        '{"symbol":"AAPL","quantity":100,"cost_basis":150.0},{"symbol":"BRK-B","quantity":-1e-6,"cost_basis":0.0}]}'
    )
    assert response.text == expected


async def test_a_client_without_positions_has_an_empty_list(risk: AsyncClient, client_id: int) -> None:
    assert (await risk.get(f"/positions/{client_id}")).json() == {"clientId": client_id, "positions": []}


async def test_setting_a_position_creates_it_once_and_then_replaces_it(risk: AsyncClient, client_id: int) -> None:
    body = {"quantity": 1, "cost_basis": 2}

    statuses = [(await risk.put(f"/positions/{client_id}/AAPL", json=body)).status_code for _ in range(2)]

    assert statuses == [201, 200]


async def test_a_deleted_position_is_gone_and_deleting_it_again_is_404(risk: AsyncClient, client_id: int) -> None:
    await risk.put(f"/positions/{client_id}/AAPL", json={"quantity": 1, "cost_basis": 2})

    statuses = [(await risk.delete(f"/positions/{client_id}/AAPL")).status_code for _ in range(2)]

    assert statuses == [204, 404]


@pytest.mark.parametrize(
    "body",
    [
        {"quantity": 0, "cost_basis": 1},
        {"quantity": 0.0000001, "cost_basis": 1},
        {"quantity": 1e12, "cost_basis": 1},
        {"quantity": 1234567890.123456, "cost_basis": 1},  # 16 digits: no JSON number brings them back
        {"quantity": 1, "cost_basis": -1},
        {"quantity": 1, "cost_basis": 0.000000001},
        {"quantity": 1},
        {"quantity": None, "cost_basis": 1},
    ],
    ids=str,
)
async def test_a_position_out_of_bounds_is_refused(risk: AsyncClient, client_id: int, body: dict[str, Any]) -> None:
    assert (await risk.put(f"/positions/{client_id}/AAPL", json=body)).status_code == 422
    assert (await risk.get(f"/positions/{client_id}")).json()["positions"] == []


@pytest.mark.parametrize("symbol", ["A B", "EURUSD=X", "x" * 33, "%00", "AAPL;"])
async def test_what_is_no_stock_cannot_be_held(risk: AsyncClient, client_id: int, symbol: str) -> None:
    response = await risk.put(f"/positions/{client_id}/{symbol}", json={"quantity": 1, "cost_basis": 1})

    assert response.status_code == 422


async def test_an_account_may_not_outgrow_exact_figures(
    risk: AsyncClient, client_id: int, provider: FakeProvider
) -> None:
    provider.give("BIG", "1000000")
    await risk.get("/stocks/BIG")

    below = await risk.put(f"/positions/{client_id}/BIG", json={"quantity": 999_999, "cost_basis": 1})
    at = await risk.put(f"/positions/{client_id}/BIG", json={"quantity": -1_000_000, "cost_basis": 1})

    assert (below.status_code, at.status_code) == (201, 422)
    assert (await risk.get(f"/positions/{client_id}")).json()["positions"][0]["quantity"] == 999_999


async def test_buying_averages_the_cost_and_grows_the_loan(
    risk: AsyncClient, client_id: int, provider: FakeProvider
) -> None:
    provider.give("AAPL", "100")
    await trade(risk, client_id, "AAPL", 100, 100.0)

    booked = await trade(risk, client_id, "aapl", 50, 130.0)

    # (100 x 100 + 50 x 130) / 150 = 110; 10,000 + 6,500
    position = {"symbol": "AAPL", "quantity": 150, "cost_basis": 110.0}
    assert booked == {"clientId": client_id, "position": position, "loan": 16500.0}


async def test_selling_keeps_the_cost_and_pays_the_loan_back(
    risk: AsyncClient, client_id: int, provider: FakeProvider
) -> None:
    provider.give("AAPL", "100")
    await trade(risk, client_id, "AAPL", 100, 100.0)

    booked = await trade(risk, client_id, "AAPL", -40, 120.0)

    assert booked["position"] == {"symbol": "AAPL", "quantity": 60, "cost_basis": 100.0}
    assert booked["loan"] == 10000 - 4800


async def test_selling_through_zero_opens_a_short_at_the_trade_price(
    risk: AsyncClient, client_id: int, provider: FakeProvider
) -> None:
    provider.give("AAPL", "100")
    await trade(risk, client_id, "AAPL", 10, 100.0)

    booked = await trade(risk, client_id, "AAPL", -25, 120.0)

    assert booked["position"] == {"symbol": "AAPL", "quantity": -15, "cost_basis": 120.0}
    assert booked["loan"] == 1000 - 3000  # negative: the short's proceeds are a credit


async def test_closing_removes_the_position(risk: AsyncClient, client_id: int, provider: FakeProvider) -> None:
    provider.give("AAPL", "100")
    await trade(risk, client_id, "AAPL", 0.3, 100.0)

    assert (await trade(risk, client_id, "AAPL", -0.3, 100.0))["position"] is None
    assert (await risk.get(f"/positions/{client_id}")).json()["positions"] == []


async def test_a_foreign_trade_moves_the_loan_by_the_fx_rate(
    risk: AsyncClient, client_id: int, provider: FakeProvider
) -> None:
    provider.give("SAP.DE", "200", currency="EUR")
    provider.give("EURUSD=X", "1.105")

    booked = await trade(risk, client_id, "SAP.DE", 3, 200.01)

    assert booked["loan"] == 663.03  # 3 x 200.01 x 1.105 = 663.03315


async def test_a_foreign_trade_without_a_rate_is_refused_and_stores_nothing(
    risk: AsyncClient, client_id: int, provider: FakeProvider
) -> None:
    provider.give("SAP.DE", "200", currency="EUR")

    response = await risk.post(f"/positions/{client_id}/trades", json={"symbol": "SAP.DE", "quantity": 1, "price": 200})

    assert (response.status_code, response.json()["symbols"]) == (409, ["EURUSD=X"])
    assert (await risk.get(f"/positions/{client_id}")).json()["positions"] == []


async def test_a_stock_that_nobody_knows_is_not_traded(risk: AsyncClient, client_id: int) -> None:
    response = await risk.post(f"/positions/{client_id}/trades", json={"symbol": "NOPE", "quantity": 1, "price": 1})

    assert response.status_code == 404


async def test_a_trade_that_would_take_a_figure_out_of_bounds_is_refused(
    risk: AsyncClient, client_id: int, provider: FakeProvider
) -> None:
    provider.give("AAPL", "0.01")

    response = await risk.post(
        f"/positions/{client_id}/trades", json={"symbol": "AAPL", "quantity": 999_999_999, "price": 9_999_999}
    )

    assert response.status_code == 422
    assert (await risk.get(f"/clients/{client_id}")).json()["loan"] == 0.0
