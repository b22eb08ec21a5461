"""First and later starts, with and without demo data."""

import logging
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import httpx

from app import demo
from tests.clusters import create_database
from tests.process.postgres import PostgreSQL
from tests.process.service import launch, run, service
from tests.server import Server, wait_until_ready
from tests.standin.fixtures import standin
from tests.standin.server import Standin

__all__ = ["standin"]

_log = logging.getLogger(__name__)  # figures: pytest --log-cli-level=info


def clients(server: Server) -> dict[str, int]:
    with server.caller() as caller:
        return {client["name"]: client["id"] for client in caller.get("/clients").json()}


def test_demo_data_comes_once_offline_and_a_second_shell_finds_the_server(data_dir: Path) -> None:
    begin = monotonic()
    with service(data_dir, "--demo", RISK_ADMIN_PASSWORD="", RISK_SECRET_KEY="") as server:
        _log.info("first_start_seconds: %s", round(monotonic() - begin, 2))
        password = (data_dir / "passwords" / "admin").read_text().strip()
        with server.caller("admin", password) as caller:
            before = caller.get("/clients").json()
            origin = caller.get("/stocks/AAPL").headers
        second_shell = run("insert_data.py", data_dir)
        with server.caller("admin", password) as caller:
            assert caller.get("/clients").json() == before
        said = server.log.read_text()
    begin = monotonic()
    with service(data_dir, "--demo", RISK_ADMIN_PASSWORD="", RISK_SECRET_KEY="") as server:
        _log.info("second_start_seconds: %s", round(monotonic() - begin, 2))
        with server.caller("admin", password) as caller:
            assert caller.get("/clients").json() == before

    assert [client["name"] for client in before] == [case.name for case in demo.CASES]
    assert (origin["X-Price-Origin"], origin["X-Price-Basis"]) == ("stored", "estimate")
    assert second_shell.returncode == 0
    assert "0 demo clients stored, 9 were there already." in second_shell.stdout
    assert "sample prices of 2026-01-02 stand in" in second_shell.stdout
    assert f"API and documentation: {server.url.rpartition(':')[0]}:" in said
    assert password not in said  # shown at a terminal alone
    for path in [data_dir / "secret_key", *(data_dir / "passwords").iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_demo_is_never_put_into_a_named_database_uninvited(data_dir: Path, postgres: PostgreSQL) -> None:
    with service(data_dir, "--demo", DATABASE_URL=await create_database(postgres.url())) as server:
        assert clients(server) == {}


async def test_two_services_start_at_once_on_one_empty_database(data_dir: Path, postgres: PostgreSQL) -> None:
    url = await create_database(postgres.url())
    pair = [launch(data_dir, DATABASE_URL=url) for _ in range(2)]
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda server: wait_until_ready(server, seconds=60), pair))
        for server in pair:
            with server.caller() as caller:
                assert caller.get("/auth/me").json()["role"] == "admin"
    finally:
        for server in pair:
            server.process.terminate()
        for server in pair:
            server.process.wait(20)


async def test_seeding_before_any_start_uses_the_source_s_prices(
    data_dir: Path, unmigrated_dir: Path, standin: Standin
) -> None:
    standin.world.reset()
    for symbol in demo.symbols():
        standin.world.quote(symbol, 321.5, currency="EUR" if symbol.endswith(".DE") else "USD")
    standin.world.quote("EURUSD=X", 1.25, quote_type="CURRENCY")
    source = standin.environment(data_dir.parent / "cache")

    first = run("insert_data.py", unmigrated_dir, **source)
    second = run("insert_data.py", unmigrated_dir, **source)

    assert first.returncode == second.returncode == 0
    assert "9 demo clients stored, 0 were there already." in first.stdout
    assert "New user ada (kept in " in first.stdout
    assert second.stdout == "0 demo clients stored, 9 were there already.\n"
    with service(unmigrated_dir) as server:
        ids = clients(server)
        desk = (unmigrated_dir / "passwords" / "desk").read_text().strip()
        with server.caller("desk", desk) as caller:
            calls = {
                name for name, number in ids.items() if caller.get(f"/margin/{number}").json()["margin_call_triggered"]
            }
        ada = (unmigrated_dir / "passwords" / "ada").read_text().strip()
        with server.caller("ada", ada) as caller:
            assert caller.get(f"/margin/{ids['Ada - comfortable']}").status_code == httpx.codes.OK
            assert caller.get(f"/margin/{ids['Ben - near a call']}").status_code == httpx.codes.NOT_FOUND
    assert calls == {"Cleo - in a margin call", "Gus - a loan without positions"}
