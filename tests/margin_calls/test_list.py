"""The list of margin calls against every call looked at one by one, whatever order they were opened in."""

import random
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Literal

import pytest

from app.auth.types import Caller
from app.margin_calls import service as calls_service
from app.margin_calls import store
from app.margin_calls.types import CallFilters, StateFilter
from app.models import CallState, CallType, MarginCall, Role

START = datetime(2026, 1, 1, tzinfo=UTC)
DESK = Caller(user_id=1, username="desk", role=Role.RISK, client_id=None)
STATES: list[StateFilter | None] = [None, "open", "unconfirmed", "met"]
TYPES: list[Literal["house", "exchange"] | None] = [None, "house"]
CLOSED = (CallState.MET, CallState.CANCELLED)


@pytest.fixture
async def calls(db: None) -> list[MarginCall]:
    """Store 60 calls of 30 clients, opened at times in no order; at most one of each type is open."""
    dice = random.Random(1)  # noqa: S311 - no secret
    calls = []
    for number in range(60):
        state = dice.choice([CallState.OPEN, CallState.UNCONFIRMED]) if number < 30 else dice.choice(CLOSED)
        at = START + timedelta(hours=dice.randrange(100))
        call = await MarginCall.create(
            client_id=1 + number % 30,
            type=dice.choice(list(CallType)),
            state=state,
            amount=1,
            outstanding=0,
            opened_at=at,
            due_at=at,
            closed_at=at if state in CLOSED else None,
            policy_id="flat",
            policy_version="1",
            price_basis="live",
            snapshot={},
        )
        calls.append(call)
    return calls


def matches(call: MarginCall, filters: CallFilters) -> bool:
    return (
        (filters.client_id is None or call.client_id == filters.client_id)
        and (filters.type is None or call.type == filters.type)
        and (
            filters.state is None
            or (call.closed_at is None if filters.state == "open" else call.state == filters.state)
        )
        and (filters.opened_from is None or call.opened_at >= filters.opened_from)
        and (filters.opened_to is None or call.opened_at < filters.opened_to)
    )


async def pages(filters: CallFilters, *, limit: int) -> list[int]:
    """Follow the list to its end."""
    found: list[int] = []
    while page := await calls_service.list_calls(filters, caller=DESK, after=found[-1] if found else None, limit=limit):
        found += [call.id for call in page]
        assert len(page) <= limit
    return found


@pytest.mark.parametrize("near", [1, 7, 2_000])
async def test_every_filter_finds_its_calls_in_order(
    calls: list[MarginCall], near: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_NEAR", near)
    times = [None, START, START + timedelta(hours=40), START + timedelta(hours=99)]

    for client_id, state, kind, start, end in product([None, 3], STATES, TYPES, times, times):
        filters = CallFilters(client_id=client_id, state=state, type=kind, opened_from=start, opened_to=end)
        expected = [call.id for call in calls if matches(call, filters)]
        assert await pages(filters, limit=5) == expected, filters
