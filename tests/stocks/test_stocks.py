"""Prices over HTTP."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from httpx import AsyncClient

from tests.fakes import FakeProvider

MADE_AT = datetime(2024, 3, 28, 10, 30, tzinfo=UTC)


async def test_a_stock_has_the_form_of_the_contract(risk: AsyncClient, provider: FakeProvider) -> None:
    provider.give("AAPL", "175.50", at=MADE_AT)

    response = await risk.get("/stocks/aapl")

    assert response.text == '{"symbol":"AAPL","timestamp":"2024-03-28T10:30:00Z","current_price":175.5}'
    assert response.headers["X-Price-Origin"] == "provider"
    assert response.headers["X-Price-Basis"] == "stale"


async def test_a_price_just_made_is_live(risk: AsyncClient, provider: FakeProvider) -> None:
    provider.give("AAPL", "175.50")

    assert (await risk.get("/stocks/AAPL")).headers["X-Price-Basis"] == "live"


async def test_a_source_that_is_down_leaves_the_stored_price(risk: AsyncClient, provider: FakeProvider) -> None:
    provider.give("AAPL", "175.50", at=MADE_AT)
    first = await risk.get("/stocks/AAPL")
    provider.down = True

    second = await risk.get("/stocks/AAPL")

    assert second.json() == first.json()
    assert second.headers["X-Price-Origin"] == "stored"


async def test_a_source_that_is_down_and_nothing_stored_is_503(risk: AsyncClient, provider: FakeProvider) -> None:
    provider.down = True

    response = await risk.get("/stocks/AAPL")

    assert (response.status_code, response.headers["Retry-After"]) == (503, "7")


async def test_an_unknown_symbol_is_404(risk: AsyncClient) -> None:
    response = await risk.get("/stocks/NOPE")

    assert response.status_code == 404
    assert response.json()["type"] == "urn:problem:not-found"


async def test_an_older_quote_does_not_replace_a_newer_one(risk: AsyncClient, provider: FakeProvider) -> None:
    provider.give("AAPL", "175.50", at=MADE_AT)
    await risk.get("/stocks/AAPL")
    provider.give("AAPL", "1.00", at=MADE_AT - timedelta(seconds=1))

    assert (await risk.get("/stocks/AAPL")).json()["current_price"] == 175.5


async def test_a_price_that_jumps_is_used_if_the_source_stands_by_it(risk: AsyncClient, provider: FakeProvider) -> None:
    provider.give("AAPL", "200", at=MADE_AT)
    await risk.get("/stocks/AAPL")
    provider.give("AAPL", "80", at=MADE_AT + timedelta(minutes=1))
    provider.asked.clear()

    response = await risk.get("/stocks/AAPL")

    assert (response.json()["current_price"], response.headers["X-Price-Origin"]) == (80.0, "provider")
    assert provider.asked == [("AAPL",), ("AAPL",)]


async def test_a_single_wrong_answer_is_not_used(risk: AsyncClient, provider: FakeProvider) -> None:
    provider.give("AAPL", "200", at=MADE_AT)
    await risk.get("/stocks/AAPL")
    provider.once["AAPL"] = Decimal(20_000)
    provider.give("AAPL", "201", at=MADE_AT + timedelta(minutes=1))

    assert (await risk.get("/stocks/AAPL")).json()["current_price"] == 201.0


async def test_an_answer_that_is_not_confirmed_leaves_the_stored_price(
    risk: AsyncClient, provider: FakeProvider
) -> None:
    provider.give("AAPL", "200", at=MADE_AT)
    await risk.get("/stocks/AAPL")
    provider.give("AAPL", "20000", at=MADE_AT + timedelta(minutes=1))
    provider.once["AAPL"] = Decimal(2)

    response = await risk.get("/stocks/AAPL")

    assert (response.json()["current_price"], response.headers["X-Price-Origin"]) == (200.0, "stored")


async def test_stored_stocks_are_listed_by_symbol_without_fx_rates(risk: AsyncClient, provider: FakeProvider) -> None:
    provider.give("MSFT", "420")
    provider.give("SAP.DE", "200", currency="EUR")
    provider.give("EURUSD=X", "1.1")
    for symbol in ("SAP.DE", "MSFT"):
        await risk.get(f"/stocks/{symbol}")

    listed = (await risk.get("/stocks")).json()

    assert [stock["symbol"] for stock in listed] == ["MSFT", "SAP.DE"]
    assert listed[0].keys() == {"symbol", "timestamp", "current_price"}


async def test_history_keeps_every_price_once(risk: AsyncClient, provider: FakeProvider) -> None:
    for minutes, price in ((0, "100"), (1, "101"), (1, "101"), (2, "102")):
        provider.give("AAPL", price, at=MADE_AT + timedelta(minutes=minutes))
        await risk.get("/stocks/AAPL")

    window = await risk.get("/stocks/AAPL/history?from=2024-03-28T10:31:00Z&to=2024-03-28T10:32:00Z")
    pages = await risk.get("/stocks/AAPL/history?limit=2")
    rest = await risk.get(pages.links["next"]["url"])

    assert [point["price"] for point in window.json()] == [101.0]
    assert [point["price"] for point in pages.json() + rest.json()] == [100.0, 101.0, 102.0]


async def test_history_of_a_stock_never_seen_is_404(risk: AsyncClient) -> None:
    assert (await risk.get("/stocks/AAPL/history")).status_code == 404


async def test_a_refresh_asks_once_for_everything_held_and_names_what_is_missing(
    risk: AsyncClient, provider: FakeProvider
) -> None:
    client_id = (await risk.post("/clients", json={"name": "Ada"})).json()["id"]
    for symbol in ("AAPL", "GONE", "SAP.DE"):
        await risk.put(f"/positions/{client_id}/{symbol}", json={"quantity": 1, "cost_basis": 1})
    provider.give("AAPL", "100")
    provider.give("SAP.DE", "200", currency="EUR")
    provider.give("EURUSD=X", "1.1")

    response = await risk.post("/stocks/refresh")

    assert response.json() == {"updated": ["AAPL", "SAP.DE"], "missing": ["GONE"]}
    assert provider.asked == [("AAPL", "GONE", "SAP.DE"), ("EURUSD=X",)]


async def test_a_refresh_from_a_source_that_is_down_is_503(risk: AsyncClient, provider: FakeProvider) -> None:
    client_id = (await risk.post("/clients", json={"name": "Ada"})).json()["id"]
    await risk.put(f"/positions/{client_id}/AAPL", json={"quantity": 1, "cost_basis": 1})
    provider.down = True

    assert (await risk.post("/stocks/refresh")).status_code == 503


@pytest.mark.parametrize("symbol", ["A%20B", "%24", "-AAPL", "a" * 33])
async def test_what_is_no_symbol_is_malformed(risk: AsyncClient, symbol: str) -> None:
    assert (await risk.get(f"/stocks/{symbol}")).status_code == 422


async def test_a_symbol_that_cannot_be_stored_is_no_place_to_go_on_from(risk: AsyncClient) -> None:
    for path in ("/stocks", "/instruments"):
        assert (await risk.get(path, params={"after": "A\x00"})).status_code == 422
