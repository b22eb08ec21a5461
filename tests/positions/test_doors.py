"""Every door refuses what is no share by its form, with the name of its kind, and stores one spelling."""

from decimal import Decimal
from urllib.parse import quote

import httpx
import pytest

from app.models import Margin, Position
from tests.fakes import FakeProvider
from tests.margin.test_margin import client_with

NO_SHARES = {
    "AAPL  240621C00190000": "option",
    "msft261218c00400000": "option",
    "^GSPC": "index",
    "ES=F": "future",
    "CLZ26.NYM": "future",
    "EURUSD=X": "currency",
    "US0378331005": "isin",
    "037833100": "cusip",
}
SPELLINGS = {"BRK.B": "BRK-B", "BRK B": "BRK-B", "BAC PRL": "BAC-PL", "ABC WS": "ABC-WT", "700.HK": "0700.HK"}


@pytest.mark.parametrize(("symbol", "kind"), NO_SHARES.items())
async def test_no_door_lets_in_what_is_no_share(
    risk: httpx.AsyncClient, provider: FakeProvider, symbol: str, kind: str
) -> None:
    client_id = await client_with(risk, provider, {}, loan=5)
    provider.give(symbol.upper(), "10")
    traded = {"symbol": symbol, "quantity": 1, "price": 10}
    file = f'clientId,symbol,quantity,cost_basis\n{client_id},"{symbol}",1,1\n'

    put = await risk.put(f"/positions/{client_id}/{quote(symbol)}", json={"quantity": 1, "cost_basis": 1})
    trade = await risk.post(f"/positions/{client_id}/trades", json=traded)
    simulated = await risk.post(f"/margin/{client_id}/simulate", json={"trades": [traded]})
    headers, params = {"Content-Type": "text/csv"}, {"kind": "positions"}
    imported = await risk.post("/imports", params=params, headers=headers, content=file)

    for answer in (put, trade, simulated):
        assert answer.status_code == 422, answer.text
        assert kind in answer.text.lower()
    report = imported.json()
    assert report["state"] == "refused"
    assert [error["line"] for error in report["errors"]] == [2]
    assert kind in imported.text.lower()
    assert not await Position.filter(client_id=client_id).exists()
    assert (await Margin.get(client_id=client_id)).loan == 5


@pytest.mark.parametrize(("written", "stored"), SPELLINGS.items())
async def test_every_door_stores_one_spelling(
    risk: httpx.AsyncClient, provider: FakeProvider, written: str, stored: str
) -> None:
    client_id = await client_with(risk, provider, {})
    provider.give(stored, "10")
    file = f'clientId,symbol,quantity,cost_basis\n{client_id},"{written}",3,1\n'

    put = await risk.put(f"/positions/{client_id}/{quote(written)}", json={"quantity": 1, "cost_basis": 1})
    trade = await risk.post(f"/positions/{client_id}/trades", json={"symbol": written, "quantity": 1, "price": 10})
    imported = await risk.post(
        "/imports", params={"kind": "positions"}, headers={"Content-Type": "text/csv"}, content=file
    )

    assert (put.status_code, trade.status_code) == (201, 201)
    assert imported.json()["state"] == "stored"
    held = await Position.filter(client_id=client_id)
    assert [(position.symbol, position.quantity) for position in held] == [(stored, Decimal(3))]
