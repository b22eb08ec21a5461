"""What can only be seen from outside: a cold start, a shutdown while Yahoo hangs, the stand-in as a process."""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.standin.server import Standin
from tests.standin.world import Fault, Kind, World

ROOT = Path(__file__).parents[2]

FETCH = """
import asyncio, sys
from app.core.errors import ProviderError
from app.providers.registry import build_provider
from app.providers.yahoo import client as yahoo_client
from tests.providers.context import source_context

assert "yfinance" not in sys.modules and "pandas" not in sys.modules
yahoo_client.REQUEST_SECONDS = {request_seconds}

async def main():
    provider = build_provider("yahoo", source_context())
    provider._source._call_seconds = {call_seconds}
    try:
        batches = await asyncio.gather(*(provider.fetch(["AAPL"]) for _ in range(100)))
        print(*{{str(batch.quotes["AAPL"].price) for batch in batches}})
    except ProviderError as error:
        print("ProviderError:", error)
    await provider.aclose()

asyncio.run(main())
"""


def run_fetch(
    standin: Standin, cache: Path, *, request_seconds: float = 5, call_seconds: float = 8
) -> subprocess.CompletedProcess[str]:
    """Let a hundred tasks of a new process ask for AAPL at once."""
    return subprocess.run(
        [sys.executable, "-c", FETCH.format(request_seconds=request_seconds, call_seconds=call_seconds)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **standin.environment(cache)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def world(standin: Standin) -> World:
    standin.world.reset()
    standin.world.quote("AAPL", 190.5)
    return standin.world


def test_cold_process_asks_for_cookie_crumb_and_one_quote(standin: Standin, world: World, tmp_path: Path) -> None:
    result = run_fetch(standin, tmp_path)

    assert (result.stdout.strip(), result.stderr) == ("190.5", "")
    assert world.counts == {Kind.COOKIE: 1, Kind.CRUMB: 1, Kind.QUOTE: 1}


def test_request_that_hangs_does_not_hold_up_the_end_of_the_process(
    standin: Standin, world: World, tmp_path: Path
) -> None:
    world.fail(Fault.HANG)
    started = time.monotonic()

    result = run_fetch(standin, tmp_path, request_seconds=25, call_seconds=2)

    assert result.stdout == "ProviderError: Yahoo Finance takes too long.\n"
    assert result.returncode == 0
    assert world.counts == {Kind.COOKIE: 1}  # given up in the middle of a request
    assert time.monotonic() - started < 15


def test_hanging_cookie_host_costs_no_more_than_our_limit(standin: Standin, world: World, tmp_path: Path) -> None:
    world.fail(Fault.HANG, Kind.COOKIE, Kind.CONSENT)
    world.crumbs.add("")  # this Yahoo asks for no crumb

    result = run_fetch(standin, tmp_path, request_seconds=0.3, call_seconds=5)

    assert result.stdout == "190.5\n"  # yfinance's own limit for a cookie is 30 s


def test_standin_as_a_process_is_steered_over_http(tmp_path: Path) -> None:
    environment = tmp_path / "standin.env"
    quotes = json.dumps({"AAPL": {"price": 190.5}})
    command = [sys.executable, "-m", "tests.standin", "--quotes", quotes, "--environment", str(environment)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip().removeprefix("HTTPS_PROXY=")
            put(f"{address}/quotes", {"MSFT": {"price": 400.0, "currency": "USD"}})
            put(f"{address}/fault", {"quote": "broken"})
            with urllib.request.urlopen(f"{address}/counts", timeout=5) as response:  # noqa: S310 (our own address)
                assert json.load(response) == {}
            assert f"HTTPS_PROXY={address}" in environment.read_text()
        finally:
            process.terminate()
    assert process.returncode == 0


def put(url: str, body: object) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), method="PUT")  # noqa: S310 (our own address)
    with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310 (likewise)
        assert response.status == 200
