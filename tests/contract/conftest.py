"""A real server with real data, whose price source is the stand-in for Yahoo."""

from collections.abc import Iterator

import pytest

from tests.clusters import create_database
from tests.server import PASSWORD, Server, running_server
from tests.standin.server import Standin

PRICES = {"AAPL": 175.5, "MSFT": 420.0, "TSLA": 250.0, "TQQQ": 80.0, "NVDA": 130.0}
#: Whose price may be forgotten.
NOT_HELD = "NVDA"


@pytest.fixture(scope="session")
async def server_database(database_url: str) -> str:
    """Return the URL of an empty database for the server alone."""
    return await create_database(database_url, migrated=True)


@pytest.fixture(scope="session")
def server(server_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve for the run, limits wide, with clients 1 to 4, their positions, and the users that tests call as."""
    folder = tmp_path_factory.mktemp("server")
    with Standin() as standin:
        for symbol, price in PRICES.items():
            standin.world.quote(symbol, price)
        environment = {
            **standin.environment(folder),
            "DATABASE_URL": server_database,
            "RISK_LOGIN_ATTEMPTS": "1000000",
            "RISK_REQUEST_SECONDS": "60",
            "RISK_WEBHOOK_ALLOW_PRIVATE": "true",  # so that nothing is sent to anybody else
        }
        with running_server(folder, environment) as running:
            _seed(running)
            yield running


def _seed(server: Server) -> None:
    """Store what the document's examples speak of: users 2 to 4, clients 1 to 4, AAPL, two webhooks."""
    with server.caller() as http:
        for name in ("leaver", "comer", "changed"):
            user = {"username": name, "role": "risk", "password": PASSWORD}
            http.post("/users", json=user).raise_for_status()
        for _ in range(2):
            http.post("/webhooks", json={"url": "http://127.0.0.1:65535/"}).raise_for_status()
        for name, loan in (("Ada", 1000), ("Grace", 1000), ("Edsger", 1000), ("Barbara", 0)):
            http.post("/clients", json={"name": name, "loan": loan}).raise_for_status()
        loans = "id,loan\n1,1000\n"
        headers = {"Content-Type": "text/csv"}
        http.post("/imports", params={"kind": "clients"}, headers=headers, content=loans).raise_for_status()
        for symbol in ("MSFT", "TSLA"):
            action = {"symbol": symbol, "kind": "split", "ratio": [2, 1], "ex_date": "2026-01-30"}
            http.post("/corporate-actions", json=action).raise_for_status()
        for symbol in PRICES:
            http.get(f"/stocks/{symbol}").raise_for_status()
            for client_id in () if symbol == NOT_HELD else (1, 2):
                position = {"quantity": 10, "cost_basis": 100}
                http.put(f"/positions/{client_id}/{symbol}", json=position).raise_for_status()
