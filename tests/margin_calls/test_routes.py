"""Margin calls over HTTP: filters, rows that a caller may see, forms, the daily record."""

import csv
import io
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.models import MarginCall, Role
from tests.conftest import LoginAs
from tests.margin_calls.conftest import MONDAY, Desk, only_call


@pytest.fixture
async def calls(desk: Desk) -> list[MarginCall]:
    """Three clients: a call met on Monday by a deposit, one of Tuesday that stands, an unconfirmed one of Tuesday."""
    await desk.price("AAPL", "96")
    await desk.price("OLD", "96", age=timedelta(days=7))
    ada, bob = (
        await desk.client(loan="7500", AAPL="100"),
        await desk.client(name="=HYPERLINK(1)", loan="7300", AAPL="100"),
    )
    eve = await desk.client(loan="7400", OLD="100")
    await desk.review(ada)
    desk.wait(hours=1)
    await desk.set_loan(ada, "7000")
    await desk.review(ada)
    desk.wait(days=1)
    await desk.review(bob, eve)
    return [await only_call(client) for client in (ada, bob, eve)]


async def test_a_call_has_the_documented_form(risk: httpx.AsyncClient, calls: list[MarginCall]) -> None:
    bob = calls[1]

    (call,) = (await risk.get("/margin-calls", params={"clientId": bob.client_id})).json()

    assert call == {
        "id": bob.id,
        "clientId": bob.client_id,
        "type": "house",
        "state": "open",
        "amount": 100.0,
        "outstanding": 100.0,
        "opened_at": "2026-03-03T16:30:00Z",
        "due_at": "2026-03-10T20:00:00Z",
        "closed_at": None,
        "manner": None,
        "restriction": None,
        "policy": {"id": "flat", "version": bob.policy_version},
        "price_basis": "live",
        "unconfirmed_reasons": [],
        "doubt": None,
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [0, 1, 2]),
        ({"state": "open"}, [1, 2]),
        ({"state": "unconfirmed"}, [2]),
        ({"state": "met"}, [0]),
        ({"type": "house"}, [0, 1, 2]),
        ({"type": "exchange"}, []),
        ({"opened_from": (MONDAY + timedelta(days=1)).isoformat()}, [1, 2]),
        ({"opened_to": (MONDAY + timedelta(days=1)).isoformat()}, [0]),
    ],
)
async def test_filters(
    risk: httpx.AsyncClient, calls: list[MarginCall], query: dict[str, str], expected: list[int]
) -> None:
    found = (await risk.get("/margin-calls", params=query)).json()
    own = {call.id for call in calls}
    assert [call["id"] for call in found if call["id"] in own] == [calls[index].id for index in expected]


async def test_pages_follow_each_other(risk: httpx.AsyncClient, calls: list[MarginCall]) -> None:
    first = await risk.get("/margin-calls", params={"limit": 2, "after": calls[0].id - 1})
    second = await risk.get(first.links["next"]["url"])
    assert [call["id"] for call in first.json() + second.json()] == [call.id for call in calls]
    assert "next" not in second.links


async def test_a_call_adds_snapshot_and_history(risk: httpx.AsyncClient, calls: list[MarginCall]) -> None:
    ada = calls[0]

    call = (await risk.get(f"/margin-calls/{ada.id}")).json()

    assert call["snapshot"]["clientId"] == ada.client_id
    assert call["snapshot"]["margin_shortfall"] == call["amount"] == 300.0
    assert call["snapshot"]["positions"][0]["price"] == 96.0
    assert [(step["from_state"], step["to_state"], step["amount"]) for step in call["history"]] == [
        (None, "open", 300.0),
        ("open", "met", 0.0),
    ]
    assert (call["manner"], call["liquidations_12_months"]) == ("deposit", 0)


async def test_cures_by_liquidation_are_counted_over_twelve_months(risk: httpx.AsyncClient, desk: Desk) -> None:
    desk.now = datetime.now(UTC) - timedelta(days=400)
    await desk.price("AAPL", "96")
    ada = await desk.client(loan="7500", AAPL="100")
    for _ in range(3):  # 400 days ago, 200 days ago, today
        await desk.review(ada)
        await desk.trade(ada, "AAPL", "-20", "96")
        await desk.review(ada)
        await desk.trade(ada, "AAPL", "20", "96")
        desk.wait(days=200)

    first, *_ = calls = await MarginCall.filter(client_id=ada)

    assert [call.manner for call in calls] == ["sale"] * 3
    assert (await risk.get(f"/margin-calls/{first.id}")).json()["liquidations_12_months"] == 2


async def test_a_client_sees_its_own_calls_without_the_notes_of_the_desk(
    risk: httpx.AsyncClient, login_as: LoginAs, calls: list[MarginCall]
) -> None:
    mine, other = calls[1], calls[0]
    await risk.post(f"/margin-calls/{mine.id}/notes", json={"note": "sell him out on Friday"})
    bob = await login_as(Role.CLIENT, client_id=mine.client_id)

    assert [call["id"] for call in (await bob.get("/margin-calls")).json()] == [mine.id]
    assert [step["note"] for step in (await bob.get(f"/margin-calls/{mine.id}")).json()["history"]] == [None, None]
    assert (await bob.get(f"/margin-calls/{other.id}")).status_code == 404
    assert (await bob.get("/margin-calls", params={"clientId": other.client_id})).status_code == 404
    assert (await bob.post(f"/margin-calls/{mine.id}/cancel", json={"reason": "no"})).status_code == 403
    assert (await bob.get("/margin-calls/daily-record", params={"date": "2026-03-02"})).status_code == 403


async def test_the_desk_confirms_extends_and_cancels(risk: httpx.AsyncClient, calls: list[MarginCall]) -> None:
    eve = calls[2].id

    confirmed = await risk.post(f"/margin-calls/{eve}/confirm", json={"reason": "checked", "restriction": "close_only"})
    assert (confirmed.json()["state"], confirmed.json()["restriction"]) == ("open", "close_only")
    again = await risk.post(f"/margin-calls/{eve}/confirm", json={"reason": "checked"})
    assert (again.status_code, again.headers["content-type"]) == (409, "application/problem+json")
    extended = await risk.post(
        f"/margin-calls/{eve}/extend", json={"reason": "wire on its way", "due_at": "2099-01-02T21:00:00Z"}
    )
    assert (extended.json()["state"], extended.json()["due_at"]) == ("extended", "2099-01-02T21:00:00Z")
    cancelled = await risk.post(f"/margin-calls/{eve}/cancel", json={"reason": "the price was wrong"})
    assert (cancelled.json()["state"], cancelled.json()["outstanding"]) == ("cancelled", 0.0)

    history = (await risk.get(f"/margin-calls/{eve}")).json()["history"]
    assert [(step["to_state"], step["actor"], step["note"]) for step in history] == [
        ("unconfirmed", "monitor", None),
        ("open", "risk0", "checked"),
        ("extended", "risk0", "wire on its way"),
        ("cancelled", "risk0", "the price was wrong"),
    ]


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": " "}, {"reason": "x", "restriction": "none"}])
async def test_a_reason_is_needed(risk: httpx.AsyncClient, calls: list[MarginCall], body: dict[str, str]) -> None:
    assert (await risk.post(f"/margin-calls/{calls[1].id}/cancel", json=body)).status_code == 422


async def _record(risk: httpx.AsyncClient, calls: list[MarginCall], day: str) -> list[tuple[object, ...]]:
    lines = (await risk.get("/margin-calls/daily-record", params={"date": day})).json()
    own = {call.id for call in calls}
    return [
        (line["id"], line["amount"], line["state"], line["met_at"], line["manner"])
        for line in lines
        if line["id"] in own
    ]


async def test_the_daily_record_says_what_was_required_and_when_and_how_it_was_met(
    risk: httpx.AsyncClient, calls: list[MarginCall]
) -> None:
    ada, bob, eve = (call.id for call in calls)

    assert await _record(risk, calls, "2026-03-01") == []
    assert await _record(risk, calls, "2026-03-02") == [(ada, 300.0, "met", "2026-03-02T16:30:00Z", "deposit")]
    standing = [(bob, 100.0, "open", None, None), (eve, 200.0, "unconfirmed", None, None)]
    assert await _record(risk, calls, "2026-03-03") == standing
    assert await _record(risk, calls, "2026-03-09") == standing


async def test_the_daily_record_shows_the_state_of_that_day(
    risk: httpx.AsyncClient, desk: Desk, calls: list[MarginCall]
) -> None:
    bob = calls[1]
    desk.wait(days=1)
    await desk.set_loan(bob.client_id, "7000")
    await desk.review(bob.client_id)

    tuesday = await _record(risk, [bob], "2026-03-03")
    wednesday = await _record(risk, [bob], "2026-03-04")

    met = ("2026-03-04T16:30:00Z", "deposit")
    assert tuesday == [(bob.id, 100.0, "open", *met)]
    assert wednesday == [(bob.id, 100.0, "met", *met)]


@pytest.mark.parametrize(("query", "accept"), [({"format": "csv"}, "*/*"), ({}, "text/csv")])
async def test_the_daily_record_as_csv_computes_nothing_in_a_spreadsheet(
    risk: httpx.AsyncClient, calls: list[MarginCall], query: dict[str, str], accept: str
) -> None:
    response = await risk.get(
        "/margin-calls/daily-record", params=query | {"date": "2026-03-03"}, headers={"Accept": accept}
    )

    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    lines = {line["id"]: line for line in csv.DictReader(io.StringIO(response.text))}
    line = lines[str(calls[1].id)]
    assert (line["name"], line["clientId"]) == ("'=HYPERLINK(1)", str(calls[1].client_id))
    assert (line["amount"], line["state"], line["met_at"], line["policy"]) == ("100.0", "open", "", "flat 1")


async def test_the_daily_record_has_pages(risk: httpx.AsyncClient, calls: list[MarginCall]) -> None:
    query = {"date": "2026-03-03", "limit": 1, "after": calls[0].id}
    first = await risk.get("/margin-calls/daily-record", params=query)
    second = await risk.get(first.links["next"]["url"])
    assert [line["id"] for line in first.json() + second.json()] == [calls[1].id, calls[2].id]


@pytest.mark.parametrize("day", ["", "yesterday", "2026-02-30"])
async def test_a_day_must_be_one(risk: httpx.AsyncClient, day: str) -> None:
    assert (await risk.get("/margin-calls/daily-record", params={"date": day})).status_code == 422
