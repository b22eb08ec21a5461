"""Instruments over HTTP: what the source says, what the desk keeps."""

from typing import Any

import pytest
from httpx import AsyncClient

from app.models import Role
from tests.conftest import LoginAs
from tests.fakes import FakeProvider

PLAIN = {"leverage": 1.0, "marginable": True, "house_rate": None}


async def test_a_quote_makes_its_instrument_known(risk: AsyncClient, provider: FakeProvider) -> None:
    provider.give("SAP.DE", "200", currency="EUR")
    provider.give("EURUSD=X", "1.1")
    await risk.get("/stocks/SAP.DE")

    listed = (await risk.get("/instruments")).json()

    assert listed == [{"symbol": "SAP.DE", "name": None, "currency": "EUR", "quote_type": "EQUITY", **PLAIN}]


async def test_what_the_desk_keeps_survives_the_next_quote(risk: AsyncClient, provider: FakeProvider) -> None:
    kept = {"leverage": -2.0, "marginable": False, "house_rate": 0.55}
    first = await risk.put("/instruments/sqqq", json=kept)
    provider.give("SQQQ", "10")
    await risk.get("/stocks/SQQQ")

    known = await risk.get("/instruments/SQQQ")

    assert first.status_code == 201
    assert known.json() == {"symbol": "SQQQ", "name": None, "currency": "USD", "quote_type": "EQUITY", **kept}
    assert (await risk.put("/instruments/SQQQ", json={})).json() == known.json() | PLAIN


@pytest.mark.parametrize(
    "body",
    [{"leverage": 0.5}, {"leverage": 10.5}, {"leverage": -0.99}, {"house_rate": 0}, {"house_rate": 3.1}, {"name": "X"}],
    ids=str,
)
async def test_what_makes_no_sense_is_refused(risk: AsyncClient, body: dict[str, Any]) -> None:
    response = await risk.put("/instruments/TQQQ", json=body)

    assert response.status_code == 422
    assert (await risk.get("/instruments/TQQQ")).status_code == 404


async def test_client_users_read_instruments_and_do_not_change_them(risk: AsyncClient, login_as: LoginAs) -> None:
    client_id = (await risk.post("/clients", json={"name": "Ada"})).json()["id"]
    await risk.put("/instruments/TQQQ", json={"leverage": 3})
    caller = await login_as(Role.CLIENT, client_id=client_id)

    assert (await caller.get("/instruments/TQQQ")).status_code == 200
    assert (await caller.put("/instruments/TQQQ", json={})).status_code == 403
