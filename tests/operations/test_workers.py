"""Two worker processes behind one address: every page adds up both, whichever answers."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.clusters import create_database
from tests.operations.pages import Page, parse
from tests.server import Server, running_server

_REQUESTS = 60
_POOL = 4
#: Every call over a connection of its own, so that either worker may take it.
_HTTP = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), timeout=10)


@pytest.fixture(scope="module")
async def two_workers_url(database_url: str) -> str:
    return await create_database(database_url, migrated=True)


@pytest.fixture(scope="module")
def server(two_workers_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {
        "DATABASE_URL": two_workers_url,
        "RISK_WORKERS": "2",
        "RISK_POOL_SIZE": str(_POOL),
        "RISK_FORWARDED_ALLOW_IPS": "*",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "TMPDIR": str(tmp_path_factory.mktemp("tmp")),
    }
    with running_server(tmp_path_factory.mktemp("server"), settings, seconds=60) as server:
        _wait_for_pools(server, 2 * _POOL)
        yield server
        folder = _shared_folder(server)
    assert not folder.exists(), "the folder of the counters goes with the service"


def _shared_folder(server: Server) -> Path:
    environment = Path(f"/proc/{_workers(server)[0]}/environ").read_bytes().split(b"\0")
    (folder,) = (entry.partition(b"=")[2] for entry in environment if entry.startswith(b"PROMETHEUS_MULTIPROC_DIR="))
    return Path(folder.decode())


def _workers(server: Server) -> list[int]:
    parent = server.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def _get(server: Server, path: str, **headers: str) -> httpx.Response:
    return _HTTP.get(f"{server.url}{path}", headers=headers)


def _page(server: Server) -> Page:
    return parse(_get(server, "/metrics").raise_for_status().text)


def _wait_for_pools(server: Server, connections: int) -> None:
    deadline = time.monotonic() + 30
    while _page(server).total("risk_db_pool_connections") != connections:
        assert time.monotonic() < deadline, f"the pools never had {connections} connections together"
        time.sleep(0.05)


def _live(page: Page) -> float:
    return page.value("risk_http_requests_total", method="GET", route="/health/live", status="200")


def test_every_request_is_counted_once_whichever_worker_served_it(server: Server) -> None:
    before = _live(_page(server))
    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(lambda _: _get(server, "/health/live").status_code, range(_REQUESTS)))
    time.sleep(0.05)  # a request is counted when its answer is out

    counts = {_live(_page(server)) for _ in range(8)}

    assert statuses == [200] * _REQUESTS
    assert counts == {before + _REQUESTS}


def test_pages_taken_under_load_are_consistent(server: Server) -> None:
    with ThreadPoolExecutor(4) as threads:
        load = threads.map(lambda _: _get(server, "/health/live").status_code, range(_REQUESTS))
        pages = [_page(server) for _ in range(12)]
        assert set(load) == {200}

    counts = [_live(page) for page in pages]
    assert counts == sorted(counts)
    labels = {"method": "GET", "route": "/health/live"}
    for page in pages:
        assert page.value("risk_http_request_seconds_bucket", le="+Inf", **labels) == page.value(
            "risk_http_request_seconds_count", **labels
        )
        assert page.value("risk_stored_up") == 1
        assert page.total("risk_clients") == 0
        assert page.total("risk_db_pool_connections") == 2 * _POOL


def test_one_worker_leads(server: Server) -> None:
    deadline = time.monotonic() + 10
    while _page(server).value("risk_leader") != 1 and time.monotonic() < deadline:
        time.sleep(0.05)

    assert {_page(server).value("risk_leader") for _ in range(6)} == {1}


def test_no_forwarded_address_opens_the_page(server: Server) -> None:
    # Every proxy is trusted here, so the server itself takes the header's address for the caller's.
    assert _get(server, "/metrics", **{"X-Forwarded-For": "127.0.0.1"}).status_code == 403
    assert _get(server, "/metrics", **{"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}).status_code == 403


def test_a_killed_worker_takes_its_gauges_along_and_leaves_its_counters(server: Server) -> None:
    victim = _workers(server)[0]
    before = _live(_page(server))

    os.kill(victim, signal.SIGKILL)

    _wait_for_pools_of_one(server)
    assert _live(_page(server)) == before


def _wait_for_pools_of_one(server: Server) -> None:
    """Return once the page has the other worker's pool alone; a call that the dead one had taken is made again."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if _page(server).total("risk_db_pool_connections") == _POOL:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise AssertionError("the gauges of the dead worker stayed")
