"""What the page says of one process."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI

from app.core.errors import ProviderError
from app.models import CallState, CallType, MarginCall
from app.providers.breaker import CircuitBreaker, SourceThrottledError
from app.providers.types import Refusal
from app.stocks import intake
from app.web.deps import get_settings
from config import Settings
from tests.fakes import FakeProvider
from tests.operations.pages import Page, parse


@pytest.fixture
async def here(app: FastAPI, db: None) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


async def _page(http: httpx.AsyncClient) -> Page:
    response = await http.get("/metrics")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return parse(response.text)


async def test_every_promised_series_is_there(here: httpx.AsyncClient) -> None:
    await here.get("/health/live")

    page = await _page(here)

    assert page.names() >= {
        "risk_build_info",
        "risk_clients",
        "risk_event_lag_seconds_count",
        "risk_http_request_seconds_bucket",
        "risk_http_requests_total",
        "risk_leader",
        "risk_open_margin_calls",
        "risk_price_age_seconds_bucket",
        "risk_prices_refused_total",
        "risk_stored_up",
    }


async def test_requests_are_counted_by_route_and_status(here: httpx.AsyncClient) -> None:
    before = await _page(here)
    for _ in range(3):
        await here.get("/clients/7")
    await here.get("/nowhere/7")
    await here.request("TRACE", "/clients/7")

    after = await _page(here)

    def more(name: str, **labels: str) -> float:
        return after.value(name, **labels) - before.value(name, **labels)

    assert more("risk_http_requests_total", method="GET", route="/clients/{clientId}", status="401") == 3
    assert more("risk_http_requests_total", method="GET", route="none", status="404") == 1
    assert more("risk_http_requests_total", method="other", route="/clients/{clientId}", status="405") == 1
    assert more("risk_http_requests_total", method="GET", route="/metrics", status="200") == 1
    assert more("risk_http_request_seconds_count", method="GET", route="/clients/{clientId}") == 3


async def test_no_id_symbol_or_path_becomes_a_label(risk: httpx.AsyncClient, here: httpx.AsyncClient) -> None:
    for path in (
        "/clients/987654321",
        "/positions/987654321",
        "/margin/987654321/explain",
        "/stocks/ZZTOP",
        "/987654321",
    ):
        await risk.get(path)
    await risk.put("/positions/987654321/ZZTOP", json={"quantity": 1, "cost_basis": 1})

    values = (await _page(here)).label_values()

    assert [value for value in values if "987654321" in value or "ZZTOP" in value] == []
    assert "/positions/{clientId}/{symbol}" in values


async def test_stored_figures_agree_with_the_book(
    risk: httpx.AsyncClient, here: httpx.AsyncClient, provider: FakeProvider
) -> None:
    provider.give("AGED", "100", at=datetime.now(UTC) - timedelta(seconds=100))
    provider.give("FRESH", "100")
    for symbol in ("AGED", "FRESH"):
        await risk.get(f"/stocks/{symbol}")
    # Value 100 each; at 25 %: loan 0 is ok, 80 is short by 5, an unknown price leaves it open.
    for symbol, loan in (("AGED", 0), ("AGED", 80), ("UNKNOWN", 0)):
        client = (await risk.post("/clients", json={"name": "Ada", "loan": loan})).json()["id"]
        await risk.put(f"/positions/{client}/{symbol}", json={"quantity": 1, "cost_basis": 100})

    page, book = await _page(here), (await risk.get("/margin")).json()

    states = {state: page.value("risk_clients", state=state) for state in ("ok", "call", "warning", "incomplete")}
    assert states == {"ok": 1, "call": 1, "warning": 0, "incomplete": 1}
    assert (book["clients"], book["calls"], book["incomplete"]) == (3, 1, 1)
    # FRESH is held by nobody, UNKNOWN has no price.
    assert page.value("risk_price_age_seconds_bucket", le="60") == 0
    assert page.value("risk_price_age_seconds_bucket", le="300") == 1
    assert page.value("risk_price_age_seconds_bucket", le="+Inf") == 1
    assert 100 <= page.value("risk_price_age_max_seconds") < 160
    assert page.value("risk_unpriced_symbols") == 1


async def test_open_calls_are_counted_by_type_and_state_and_closed_ones_not(here: httpx.AsyncClient) -> None:
    now = datetime.now(UTC)
    for client_id, state in ((1, CallState.OPEN), (2, CallState.OPEN), (3, CallState.PAST_DUE), (4, CallState.MET)):
        await MarginCall.create(
            client_id=client_id,
            type=CallType.HOUSE,
            state=state,
            amount=10,
            outstanding=10,
            opened_at=now,
            due_at=now,
            closed_at=now if state is CallState.MET else None,
            policy_id="flat",
            policy_version="1",
            price_basis="live",
            snapshot={},
        )

    page = await _page(here)

    assert page.value("risk_open_margin_calls", type="house", state="open") == 2
    assert page.value("risk_open_margin_calls", type="house", state="past_due") == 1
    assert page.total("risk_open_margin_calls") == 3
    assert ("risk_open_margin_calls", frozenset({("type", "exchange"), ("state", "open")})) in page.samples


async def test_calls_to_the_source_are_counted_by_outcome(here: httpx.AsyncClient) -> None:
    before = await _page(here)
    breaker = CircuitBreaker(clock=lambda: 0.0)
    errors: list[Exception | None] = [None, ProviderError("down"), KeyError("other"), SourceThrottledError("slower")]
    for error in errors:
        _attempt(breaker, error)
    _attempt(breaker, None)  # the breaker is open now

    after = await _page(here)

    outcomes = ("ok", "failed", "abandoned", "throttled", "withheld")
    calls = [after.value("risk_provider_calls_total", outcome=outcome) for outcome in outcomes]
    calls_before = [before.value("risk_provider_calls_total", outcome=outcome) for outcome in outcomes]
    assert [now - then for now, then in zip(calls, calls_before, strict=True)] == [1, 1, 1, 1, 1]


def _attempt(breaker: CircuitBreaker, error: Exception | None) -> None:
    try:
        with breaker.attempt():
            if error is not None:
                raise error
    except (ProviderError, KeyError):
        pass


async def test_refused_prices_are_counted_by_reason_and_every_reason_is_there(here: httpx.AsyncClient) -> None:
    before = await _page(here)
    intake.report({"A": Refusal.ZERO, "B": Refusal.JUMP, "C": Refusal.ZERO})

    after = await _page(here)

    name = "risk_prices_refused_total"
    changes = {reason: after.value(name, reason=reason) - before.value(name, reason=reason) for reason in Refusal}
    assert changes == {reason: {Refusal.ZERO: 2, Refusal.JUMP: 1}.get(reason, 0) for reason in Refusal}
    assert (name, frozenset({("reason", "older")})) in after.samples


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("127.8.9.1", {}, 200),
        ("::1", {}, 200),
        ("::ffff:127.0.0.1", {}, 200),
        ("10.0.0.7", {}, 403),
        ("::ffff:10.0.0.7", {}, 403),
        ("localhost", {}, 403),
        ("10.0.0.7", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 403),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 403),
        ("127.0.0.1", {"X-Real-IP": "10.0.0.7"}, 403),
    ],
)
async def test_only_this_machine_may_read_and_no_header_makes_another_one_it(
    app: FastAPI, db: None, peer: str, headers: dict[str, str], status: int
) -> None:
    transport = httpx.ASGITransport(app, client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        response = await client.get("/metrics", headers=headers)

    assert response.status_code == status
    assert ("risk_" in response.text) == (status == 200)


async def test_anybody_may_read_where_that_is_configured(
    app: FastAPI, db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = settings.model_copy(update={"metrics_public": True})
    monkeypatch.setitem(app.dependency_overrides, get_settings, lambda: public)

    transport = httpx.ASGITransport(app, client=("10.0.0.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/metrics")).status_code == 200
