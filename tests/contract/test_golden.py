"""
The document and an explanation, byte for byte as they were.

A change of either is a change of the contract: renew the file on purpose, with `python -m tests.contract.test_golden`
for the document, and say so in the changelog.
"""

import json
import re
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from httpx import AsyncClient
from pydantic import SecretStr

from app.composition import create_app
from config import Settings
from tests.fakes import FakeProvider

GOLDEN = Path(__file__).parent / "golden"
#: What differs from run to run: moments, ages, and the id of the client.
_MOMENT = re.compile(r'"(timestamp|prices_as_of)":"[^"]+"')
_AGE = re.compile(r'"age_seconds":[0-9]+')
_CLIENT = re.compile(r'"clientId":[0-9]+')


def as_text(document: dict[str, Any]) -> str:
    """Return the document as its file has it: one line a member, in its own order."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def fixed(answer: str) -> str:
    """Return an answer without what differs from run to run."""
    answer = _MOMENT.sub(r'"\1":"T"', answer)
    return _CLIENT.sub('"clientId":1', _AGE.sub('"age_seconds":0', answer))


def test_the_document_is_as_it_was(app: FastAPI) -> None:
    assert as_text(app.openapi()) == (GOLDEN / "openapi.json").read_text()


async def test_an_explanation_is_as_it_was(risk: AsyncClient, provider: FakeProvider) -> None:
    """A long, a fund of three times, a short, a fraction, a pound stock; in a call, under each policy."""
    prices = {"AAPL": "175.5", "TQQQ": "80.07", "TSLA": "251.03", "NVDA": "0.875"}
    for symbol, price in prices.items():
        provider.give(symbol, price)
    provider.give("VOD.L", "0.7512", currency="GBP")
    provider.give("GBPUSD=X", "1.2719", currency="USD")
    created = await risk.post("/clients", json={"name": "Golden", "loan": 40000.5})
    client_id = created.json()["id"]
    leverage = {"leverage": 3, "marginable": True, "house_rate": None}
    quantities = {"AAPL": 100, "TQQQ": 55.25, "TSLA": -20, "NVDA": 1000.123457, "VOD.L": 3000}
    for symbol, quantity in quantities.items():
        await risk.get(f"/stocks/{symbol}")
        body = {"quantity": quantity, "cost_basis": 100}
        (await risk.put(f"/positions/{client_id}/{symbol}", json=body)).raise_for_status()
    (await risk.put("/instruments/TQQQ", json=leverage)).raise_for_status()

    answer = await risk.get(f"/margin/{client_id}/explain")
    policies = [
        await risk.post(f"/margin/{client_id}/simulate", json={"policy": "finra_4210", "cash": cash})
        for cash in (0, 12000)
    ]

    lines = [fixed(response.text) for response in (answer, *policies)]
    assert "\n".join(lines) + "\n" == (GOLDEN / "explain.txt").read_text()


if __name__ == "__main__":
    application = create_app(
        Settings(
            _env_file=None,
            database_url=SecretStr("postgresql://nobody@127.0.0.1:9/none"),
            secret_key=SecretStr("0123456789abcdef0123456789abcdef"),
        )
    )
    (GOLDEN / "openapi.json").write_text(as_text(application.openapi()))
