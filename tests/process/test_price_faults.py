"""Yahoo answers wrongly, or not at all: what becomes of calls, from the real client to what the desk sees."""

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import httpx
import pytest

from tests.clusters import create_database
from tests.operations.pages import parse
from tests.process.postgres import PostgreSQL
from tests.process.service import Server, logged, seconds_until, service
from tests.standin.server import Standin
from tests.standin.world import Fault, Kind, World

POLL_SECONDS: Final = 0.1
DAY: Final = 86_400
#: How long the source is throttled and silent in turn; 60 is a real minute of each, with the pauses of the service.
OUTAGE_SECONDS: Final = float(os.environ.get("PRICE_OUTAGE_SECONDS", "0"))  # noqa: TID251 - of the test
#: A market that never closes, so that every poll comes in time.
ALWAYS_OPEN: Final = "CCC"
_numbers = count()
_log = logging.getLogger(__name__)  # figures: pytest --log-cli-level=info


@dataclass(frozen=True, slots=True)
class Desk:
    """
    A symbol of its own at 100, and two clients at a distance from a call.

    `long` holds 100 on a loan of 6,000: equity 4,000 where 2,500 are asked. `short` owes 100 against a credit of
    20,000: equity 10,000, likewise.
    """

    server: Server
    http: httpx.Client
    yahoo: World
    symbol: str
    long: int
    short: int

    def quote(self, price: float, **fields: object) -> None:
        """Let the source say this from now on."""
        self.yahoo.quote(self.symbol, price, **self._fields(fields))

    def quote_once(self, price: float, **fields: object) -> None:
        """Let the source say this in its next answer alone."""
        self.yahoo.quote_once(self.symbol, price, **self._fields(fields))

    def _fields(self, fields: dict[str, object]) -> dict[str, Any]:
        return {"exchange": ALWAYS_OPEN, "previous_close": None, "market_time": time.time()} | fields

    def polls(self, number: int = 4) -> None:
        """Wait until the source was asked so many times, and what it said last was dealt with."""
        asked = self.yahoo.counts[Kind.QUOTE]
        self.until(lambda: self.yahoo.counts[Kind.QUOTE] > asked + number)

    def until(self, condition: Callable[[], object], *, seconds: float = 20) -> float:
        took = seconds_until(lambda: bool(condition()), at_most=seconds)
        assert took <= seconds
        return took

    def calls(self, client_id: int | None = None) -> list[dict[str, Any]]:
        """Return every case of these clients, also closed ones."""
        asked = [self.long, self.short] if client_id is None else [client_id]
        return [case for id_ in asked for case in self.http.get("/margin-calls", params={"clientId": id_}).json()]

    def position(self, client_id: int | None = None) -> dict[str, Any]:
        """Return a line of an explanation: what the desk sees of a price."""
        explanation = self.http.get(f"/margin/{client_id or self.long}/explain").raise_for_status().json()
        line: dict[str, Any] = explanation["positions"][0]
        return line

    def refused(self, reason: str) -> float:
        page = parse(httpx.get(f"{self.server.url}/metrics").text)
        return page.value("risk_prices_refused_total", reason=reason)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return what the service logged under this name of this symbol; a time of day may look like one."""
        lines = [json.loads(line) for line in logged(self.server).splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event and self.symbol in line["symbols"]]


@pytest.fixture(scope="module")
def server(standin: Standin, postgres: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("faults")
    settings = standin.environment(folder / "cache") | {
        "DATABASE_URL": asyncio.run(create_database(postgres.url(), migrated=True)),
        "RISK_POLL_SECONDS": str(POLL_SECONDS),
        "RISK_PRICE_TTL_SECONDS": "0",
        "RISK_CALL_SETTLE_SECONDS": "0",
        "RISK_LOG_FORMAT": "json",
    }
    with service(folder / "data", **settings) as running:
        yield running


@pytest.fixture
def desk(server: Server, standin: Standin) -> Iterator[Desk]:
    yahoo = standin.world
    yahoo.fail(None)
    symbol = f"T{next(_numbers)}"
    with server.caller() as http:
        long = _client(http, loan=6_000, symbol=symbol, quantity=100)
        short = _client(http, loan=-20_000, symbol=symbol, quantity=-100)
        desk = Desk(server, http, yahoo, symbol, long, short)
        desk.quote(100.0)
        desk.until(lambda: http.get(f"/margin/{long}").status_code == httpx.codes.OK)
        yield desk
        for client_id in (long, short):
            http.delete(f"/positions/{client_id}/{symbol}")
    yahoo.fail(None)


def _client(http: httpx.Client, *, loan: int, symbol: str, quantity: float) -> int:
    """Make a client that is at no moment short of margin: a credit comes first, a debit last."""
    made = http.post("/clients", json={"name": "Ada", "loan": min(loan, 0)}).raise_for_status()
    client_id: int = made.json()["id"]
    path = f"/positions/{client_id}/{symbol}"
    http.put(path, json={"quantity": quantity, "cost_basis": 90}).raise_for_status()
    http.patch(f"/clients/{client_id}", json={"loan": loan}).raise_for_status()
    return client_id


@pytest.mark.parametrize(
    ("price", "fields", "reason"),
    [
        (10_000.0, {}, "jump"),
        (1.0, {}, "jump"),
        (0, {}, "zero"),
        (-100.0, {}, "negative"),
        (float("nan"), {}, "not_finite"),
        (20.0, {"currency": "EUR"}, "currency"),
        (20.0, {"market_time": time.time() - DAY}, "older"),
    ],
    ids=["x 100", "x 0.01", "zero", "negative", "NaN", "another currency", "yesterday's"],
)
def test_one_wrong_answer_opens_no_call_and_is_counted(
    desk: Desk, price: float, fields: dict[str, Any], reason: str
) -> None:
    refused = desk.refused(reason)

    desk.quote_once(price, **fields)
    desk.polls()

    assert desk.calls() == []
    assert desk.refused(reason) == refused + 1
    line = desk.position()
    assert (line["price"], line["currency"], line["basis"]) == (100.0, "USD", "live")
    assert httpx.get(f"{desk.server.url}/health/ready").status_code == httpx.codes.OK
    told = [] if reason == "older" else [{"reason": reason, "symbols": [desk.symbol], "count": 1}]
    assert [
        {name: line[name] for name in ("reason", "symbols", "count")} for line in desk.logged("prices not used")
    ] == (told)


def test_one_wrong_exchange_rate_opens_no_call(desk: Desk) -> None:
    desk.yahoo.quote("EURUSD=X", 1.25, quote_type="CURRENCY", exchange="CCY", market_time=time.time())
    symbol = f"{desk.symbol}.DE"
    desk.yahoo.quote(symbol, 80.0, currency="EUR", exchange=ALWAYS_OPEN, previous_close=None)
    client_id = _client(desk.http, loan=6_000, symbol=symbol, quantity=100)
    desk.until(lambda: desk.http.get(f"/margin/{client_id}").status_code == httpx.codes.OK)

    desk.yahoo.quote_once("EURUSD=X", 0.0125, quote_type="CURRENCY", exchange="CCY", market_time=time.time())
    desk.polls(8)

    assert desk.calls(client_id) == []
    assert desk.position(client_id)["fx"] == 1.25
    desk.http.delete(f"/positions/{client_id}/{symbol}")


def test_a_fall_of_60_percent_is_used_on_the_second_answer_and_its_call_waits_for_the_desk(desk: Desk) -> None:
    waited = desk.refused("jump")

    desk.quote(40.0)
    took = desk.until(lambda: desk.calls(desk.long))

    _log.info("60 %% down: call after %.2f s, a poll every %.1f s", took, POLL_SECONDS)
    (case,) = desk.calls()
    # 100 x 40 = 4,000 less 6,000 owed: equity -2,000, required 25 % of 4,000.
    assert (case["state"], case["amount"], case["price_basis"]) == ("unconfirmed", 3000.0, "live")
    assert case["unconfirmed_reasons"] == ["jump"]
    assert (case["doubt"]["best"], case["doubt"]["worst"]) == (0.0, 3000.0)
    assert desk.refused("jump") == waited + 1


def test_a_split_of_four_for_one_adjusts_its_holders_and_opens_no_call(desk: Desk) -> None:
    desk.yahoo.split(desk.symbol, 4, 1, at=time.time() + 1)
    desk.quote(25.0)
    desk.until(lambda: desk.position()["price"] == 25)
    desk.polls()

    assert desk.calls() == []
    held = [desk.http.get(f"/positions/{id_}").json()["positions"] for id_ in (desk.long, desk.short)]
    assert held == [
        [{"symbol": desk.symbol, "quantity": 400, "cost_basis": 22.5}],
        [{"symbol": desk.symbol, "quantity": -400, "cost_basis": 22.5}],
    ]
    assert desk.http.get(f"/margin/{desk.long}").json()["net_equity"] == 4_000


def test_a_split_that_is_reported_late_takes_back_the_call_that_its_price_opened(desk: Desk) -> None:
    desk.quote(25.0)
    desk.until(lambda: desk.calls(desk.long))

    desk.yahoo.split(desk.symbol, 4, 1, at=time.time() + 1)
    desk.until(lambda: [(case["state"], case["manner"]) for case in desk.calls()] == [("cancelled", "doubt cleared")])

    assert desk.http.get(f"/positions/{desk.long}").json()["positions"][0]["quantity"] == 400


@pytest.mark.skipif(not OUTAGE_SECONDS, reason="PRICE_OUTAGE_SECONDS=60 runs it, for a real minute of each")
@pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.HANG])
def test_a_minute_without_the_source_opens_no_call_and_ends_by_itself(desk: Desk, fault: Fault) -> None:
    desk.yahoo.fail(fault, Kind.QUOTE, Kind.CHART)
    desk.quote(101.0)
    asked = desk.yahoo.counts[Kind.QUOTE]
    time.sleep(OUTAGE_SECONDS)
    seen = desk.position()
    asked = desk.yahoo.counts[Kind.QUOTE] - asked
    ready = httpx.get(f"{desk.server.url}/health/ready").status_code
    desk.yahoo.fail(None)
    took = desk.until(lambda: desk.position()["price"] == 101.0, seconds=300)

    said = [line for line in logged(desk.server).splitlines() if "not refreshed" in line or "not usable" in line]
    page = parse(httpx.get(f"{desk.server.url}/metrics").text)
    _log.info("%s for %.0f s: asked %s times, back after %.1f s, ready %s", fault, OUTAGE_SECONDS, asked, took, ready)
    _log.info("seen: %s", {name: seen[name] for name in ("price", "basis", "age_seconds")})
    _log.info("log: %s", said)
    _log.info(
        "calls by outcome: %s",
        {
            dict(labels)["outcome"]: value
            for (name, labels), value in page.samples.items()
            if name == "risk_provider_calls_total"
        },
    )
    assert desk.calls() == []
    assert (seen["price"], ready) == (100.0, 200)
