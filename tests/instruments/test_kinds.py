"""Kinds in the words of the price source: what cannot be held, and what has no loan value."""

from dataclasses import replace

import httpx
import pytest

from tests.fakes import FakeProvider
from tests.margin.test_margin import client_with


async def known(risk: httpx.AsyncClient, provider: FakeProvider, symbol: str, kind: str, name: str = "Sample") -> None:
    provider.give(symbol, "20")
    provider.quotes[symbol] = replace(provider.quotes[symbol], quote_type=kind, name=name)
    assert (await risk.get(f"/stocks/{symbol}")).status_code == 200


@pytest.mark.parametrize("kind", ["OPTION", "FUTURE", "INDEX", "CURRENCY"])
async def test_what_is_no_share_cannot_be_held_once_its_kind_is_known(
    risk: httpx.AsyncClient, provider: FakeProvider, kind: str
) -> None:
    client_id = await client_with(risk, provider, {})
    await known(risk, provider, "QTX", kind)

    put = await risk.put(f"/positions/{client_id}/QTX", json={"quantity": 1, "cost_basis": 1})
    trade = await risk.post(f"/positions/{client_id}/trades", json={"symbol": "QTX", "quantity": 1, "price": 1})

    assert (put.status_code, trade.status_code) == (422, 422)
    assert "only shares and funds" in put.text


async def test_what_turns_out_to_be_no_share_has_no_margin(risk: httpx.AsyncClient, provider: FakeProvider) -> None:
    client_id = await client_with(risk, provider, {})
    await risk.put(f"/positions/{client_id}/QTX", json={"quantity": 1, "cost_basis": 1})
    await known(risk, provider, "QTX", "OPTION")

    answers = [await risk.get(f"/margin/{client_id}{path}") for path in ("", "/explain")]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert answers[0].json()["symbols"] == ["QTX"]


async def test_a_mutual_fund_has_no_loan_value_and_is_never_short(
    risk: httpx.AsyncClient, provider: FakeProvider
) -> None:
    client_id = await client_with(risk, provider, {})
    await known(risk, provider, "STEDX", "MUTUALFUND")

    short = await risk.put(f"/positions/{client_id}/STEDX", json={"quantity": -100, "cost_basis": 1})
    await risk.put(f"/positions/{client_id}/STEDX", json={"quantity": 100, "cost_basis": 1})
    simulated = await risk.post(f"/margin/{client_id}/simulate", json={"policy": "finra_4210"})

    assert short.status_code == 422
    assert simulated.json()["after"]["margin_requirement"] == 2000


async def test_funds_whose_name_says_a_leverage_are_listed(risk: httpx.AsyncClient, provider: FakeProvider) -> None:
    await known(risk, provider, "TWOX", "ETF", "Sample Daily Technology Bull 2X Shares")
    await known(risk, provider, "PLAIN", "ETF", "Broad Market Index Fund")

    found = (await risk.get("/instruments", params={"needs": "leverage"})).json()

    assert [row["symbol"] for row in found] == ["TWOX"]
    await risk.put("/instruments/TWOX", json={"leverage": 2})
    assert (await risk.get("/instruments", params={"needs": "leverage"})).json() == []
