"""Nothing that opens a door is ever logged."""

import json
from pathlib import Path
from urllib.parse import quote

import httpx

from tests.process.postgres import PASSWORD as DATABASE_PASSWORD
from tests.process.postgres import PostgreSQL
from tests.process.service import logged, service
from tests.server import ADMIN, PASSWORD, SECRET


def test_logs_of_logins_refusals_and_an_outage_hold_no_secret(data_dir: Path, postgres: PostgreSQL) -> None:
    url, long_gone = postgres.url(), "a.wrong.token"
    with service(data_dir, DATABASE_URL=url, RISK_LOG_FORMAT="json", RISK_LOG_LEVEL="debug") as server:
        form = {"grant_type": "password", "username": ADMIN, "password": PASSWORD}
        tokens = httpx.post(f"{server.url}/auth/token", data=form).json()
        refused = httpx.post(f"{server.url}/auth/token", data=form | {"password": "swordfish"})
        httpx.get(f"{server.url}/clients", headers={"Authorization": f"Bearer {long_gone}"})
        with server.caller() as caller:
            user = {"username": "grace", "password": "correct horse", "role": "risk"}
            assert caller.post("/users", json=user).status_code == 201
            assert caller.post("/users", json=user | {"password": 7}).status_code == 422
            httpx.post(f"{server.url}/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
            postgres.stop()
            away = caller.get("/clients").status_code
            postgres.start()
    log = logged(server) + server.log.read_text()

    assert (refused.status_code, away) == (401, 503)
    assert all(json.loads(line) for line in logged(server).splitlines())
    assert "login refused" in log
    secrets = [PASSWORD, SECRET, DATABASE_PASSWORD, quote(DATABASE_PASSWORD), "swordfish", "correct horse", long_gone]
    secrets += [tokens["access_token"], tokens["refresh_token"]]
    assert [secret for secret in secrets if secret in log] == []
