"""A client that openapi-python-client makes of the document works without a line of hand-written HTTP."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server import PASSWORD, Server

_FILES = ("text/csv", "application/jsonl")
_CALLS = """
import json, sys
from risk_client import AuthenticatedClient, Client
from risk_client.api.auth import create_token
from risk_client.api.margin import get_margin
from risk_client.api.positions import list_positions
from risk_client.api.stocks import get_stock, list_stocks
from risk_client.models import LoginIn

url, username, password = sys.argv[1:]
tokens = create_token.sync(client=Client(url), body=LoginIn(username=username, password=password))
client = AuthenticatedClient(url, token=tokens.access_token)
print(json.dumps({
    "stock": get_stock.sync("AAPL", client=client).to_dict(),
    "stocks": [stock.to_dict() for stock in list_stocks.sync(client=client)],
    "positions": list_positions.sync(CLIENT_ID, client=client).to_dict(),
    "margin": get_margin.sync(CLIENT_ID, client=client).to_dict(),
}))
"""


@pytest.fixture(scope="module")
def generated(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a package `risk_client` in it, generated from the document that the server gives."""
    folder = tmp_path_factory.mktemp("generated")
    document = folder / "openapi.json"
    document.write_text(httpx.get(f"{server.url}/openapi.json").text)
    scripts = sysconfig.get_path("scripts")
    path = os.pathsep.join((scripts, os.environ["PATH"]))  # noqa: TID251 - it runs ruff by name
    config = folder / "config.json"  # a file to import is bytes to the client
    config.write_text(json.dumps({"content_type_overrides": dict.fromkeys(_FILES, "application/octet-stream")}))
    command = [f"{scripts}/openapi-python-client", "generate", "--path", str(document), "--meta=none"]
    command += ["--config", str(config)]
    result = subprocess.run(
        [*command, "--output-path", str(folder / "risk_client"), "--fail-on-warning"],
        env={"PATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_generated_client_logs_in_and_makes_the_core_calls(server: Server, generated: Path) -> None:
    client_id = _client_with_a_loan(server)

    command = [sys.executable, "-c", _CALLS.replace("CLIENT_ID", str(client_id)), server.url, "admin", PASSWORD]
    result = subprocess.run(command, cwd=generated, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr
    answers: dict[str, Any] = json.loads(result.stdout)
    assert (answers["stock"]["symbol"], answers["stock"]["current_price"]) == ("AAPL", 175.5)
    assert "AAPL" in {stock["symbol"] for stock in answers["stocks"]}
    assert answers["positions"] == {
        "clientId": client_id,
        "positions": [{"symbol": "AAPL", "quantity": 100, "cost_basis": 150.0}],
    }
    # 100 x 175.50 = 17550.00; a quarter of it is 4387.50; 17550.00 - 14000.00 = 3550.00, which lacks 837.50.
    assert {key: value for key, value in answers["margin"].items() if key != "timestamp"} == {
        "clientId": client_id,
        "portfolio_value": 17550.0,
        "loan_amount": 14000.0,
        "net_equity": 3550.0,
        "margin_requirement": 4387.5,
        "margin_shortfall": 837.5,
        "margin_call_triggered": True,
    }


def _client_with_a_loan(server: Server) -> int:
    """Store a client who holds 100 AAPL and owes 14,000."""
    with server.caller() as http:
        client = http.post("/clients", json={"name": "Generated", "loan": 14000}).raise_for_status().json()
        position = {"quantity": 100, "cost_basis": 150}
        http.put(f"/positions/{client['id']}/AAPL", json=position).raise_for_status()
        return int(client["id"])
