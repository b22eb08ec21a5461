"""Stress ladders over HTTP: the requirement is recomputed on each rung."""

import pytest
from httpx import AsyncClient

from tests.fakes import FakeProvider
from tests.margin.test_margin import client_with


async def test_the_default_ladder_goes_from_minus_to_plus_half(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = await client_with(risk, provider, {"AAPL": (100, "200")}, loan=10000)

    ladder = (await risk.get(f"/margin/{client_id}/stress")).json()

    assert ladder["policy"] == {"id": "flat", "version": "1"}
    assert [rung["shock"] for rung in ladder["rungs"]] == [n / 10 for n in range(-5, 6)]
    # at -40 %: value 12,000, equity 2,000, requirement 3,000
    assert ladder["rungs"][1] == {
        "shock": -0.4,
        "portfolio_value": 12000.0,
        "net_equity": 2000.0,
        "margin_requirement": 3000.0,
        "margin_shortfall": 1000.0,
        "unsecured_loss": 0.0,
        "margin_call_triggered": True,
    }


async def test_unsecured_loss_begins_where_equity_is_gone(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = await client_with(risk, provider, {"AAPL": (100, "200")}, loan=10000)

    [rung] = (await risk.get(f"/margin/{client_id}/stress?shocks=-0.6")).json()["rungs"]

    assert (rung["net_equity"], rung["unsecured_loss"]) == (-2000.0, 2000.0)


async def test_one_name_moves_alone(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = await client_with(risk, provider, {"AAPL": (100, "200"), "TSLA": (10, "100")})

    ladder = (await risk.get(f"/margin/{client_id}/stress?shocks=0.5,-0.5,0.5&symbol=tsla")).json()

    assert [(rung["shock"], rung["portfolio_value"]) for rung in ladder["rungs"]] == [(-0.5, 20500.0), (0.5, 21500.0)]


async def test_a_name_that_is_not_held_is_404(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = await client_with(risk, provider, {"AAPL": (100, "200")})

    assert (await risk.get(f"/margin/{client_id}/stress?symbol=TSLA")).status_code == 404


@pytest.mark.parametrize("shocks", ["-1", "-1.5", "abc", "", "0.1,", "11", "0.12345", "NaN", ",".join(["0.1"] * 102)])
async def test_shocks_that_make_no_sense_are_refused(risk: AsyncClient, provider: FakeProvider, shocks: str) -> None:
    client_id = await client_with(risk, provider, {})

    assert (await risk.get(f"/margin/{client_id}/stress", params={"shocks": shocks})).status_code == 422
    assert (await risk.get("/margin/stress", params={"shocks": shocks})).status_code == 422


async def test_the_books_ladder_sums_the_clients_and_counts_the_incomplete(
    risk: AsyncClient, provider: FakeProvider
) -> None:
    await client_with(risk, provider, {"AAPL": (100, "200")}, loan=10000)
    await client_with(risk, provider, {"AAPL": (100, "200")}, loan=12000)
    unpriced = await client_with(risk, provider, {})
    await risk.put(f"/positions/{unpriced}/NOPE", json={"quantity": 1, "cost_basis": 1})

    [rung] = (await risk.get("/margin/stress?shocks=-0.5")).json()["rungs"]

    # value 10,000 each: equity 0 and -2,000, requirement 2,500
    assert rung == {
        "shock": -0.5,
        "calls": 2,
        "margin_shortfall": 7000.0,
        "unsecured_loss": 2000.0,
        "incomplete": 1,
    }
