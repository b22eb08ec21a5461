"""The trail over HTTP: who may read it, filters, pages, and that its hashes can be checked by anybody."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import AsyncClient

from app.audit import recorder
from app.audit.recorder import Change
from app.audit.schemas import AuditEntryOut
from app.models import Role
from tests.audit.conftest import last_id, sql
from tests.conftest import LoginAs


@pytest.fixture
async def start(db: None) -> int:
    """Store changes of two clients by two actors; return the id before the first."""
    before = await last_id()
    for actor, client_id, symbol in [("desk", 1, "AAPL"), ("monitor", 2, "AAPL"), ("desk", 2, "MSFT")]:
        change = Change(action="create", entity="position", entity_id=symbol, client_id=client_id, after={"n": "1.5"})
        await recorder.record(change, actor=actor)
    return before


async def ids(admin: AsyncClient, start: int, **filters: str | int) -> list[int]:
    """Return which of the stored entries match, counted from 1."""
    response = await admin.get("/audit", params={"after": start, **filters})
    assert response.status_code == 200, response.text
    return [entry["id"] - start for entry in response.json()]


async def test_filters_narrow_and_combine(admin: AsyncClient, start: int) -> None:
    assert await ids(admin, start) == [1, 2, 3]
    assert await ids(admin, start, client_id=2) == [2, 3]
    assert await ids(admin, start, entity="position", entity_id="AAPL") == [1, 2]
    assert await ids(admin, start, entity="user") == []
    assert await ids(admin, start, actor="desk") == [1, 3]
    assert await ids(admin, start, actor="desk", client_id=2) == [3]


async def test_the_window_includes_its_start_and_not_its_end(admin: AsyncClient, start: int) -> None:
    (second,) = await sql("select at from audit_entry where id = $1", start + 2)
    moment = second["at"].isoformat()

    assert await ids(admin, start, **{"from": moment}) == [2, 3]
    assert await ids(admin, start, to=moment) == [1]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert await ids(admin, start, **{"from": tomorrow}) == []
    assert await ids(admin, start, to=tomorrow) == [1, 2, 3]


async def test_pages_hold_every_entry_once_and_keep_the_filter(admin: AsyncClient, start: int) -> None:
    url: str | None = f"/audit?after={start}&actor=desk&limit=1"
    seen: list[int] = []
    while url:
        page = await admin.get(url)
        seen += [entry["id"] - start for entry in page.json()]
        url = page.links.get("next", {}).get("url")

    assert seen == [1, 3]


_MEMBERS = (
    *("previous_hash", "id", "at", "actor", "action", "entity", "entity_id"),
    *("client_id", "before", "after", "request_id"),
)


def hash_by_description(entry: dict[str, Any]) -> str:
    """Hash an entry as the contract document says, from its JSON alone."""
    text = json.dumps([entry[name] for name in _MEMBERS], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


async def test_anybody_can_check_the_hashes_from_the_answer_alone(admin: AsyncClient, start: int) -> None:
    entries = (await admin.get("/audit", params={"after": start})).json()

    assert [hash_by_description(entry) for entry in entries] == [entry["hash"] for entry in entries]
    assert [entry["previous_hash"] for entry in entries[1:]] == [entry["hash"] for entry in entries[:-1]]


def test_the_example_in_the_document_has_the_hash_of_its_content() -> None:
    (example,) = AuditEntryOut.model_json_schema()["examples"]

    assert hash_by_description(example) == example["hash"]


@pytest.mark.parametrize("role", [Role.RISK, Role.CLIENT])
@pytest.mark.parametrize("path", ["/audit", "/audit/verification"])
async def test_nobody_but_admins_reads_the_trail(risk: AsyncClient, login_as: LoginAs, role: Role, path: str) -> None:
    client_id = (await risk.post("/clients", json={"name": "Ada"})).json()["id"]
    caller = await login_as(role, client_id=client_id if role is Role.CLIENT else None)

    assert (await caller.get(path)).status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "after=-1",
        "client_id=0",
        "from=yesterday",
        "to=1",
        "entity=%00",
        "actor=" + "x" * 65,
    ],
)
async def test_a_malformed_filter_is_refused(admin: AsyncClient, query: str) -> None:
    assert (await admin.get(f"/audit?{query}")).status_code == 422


@pytest.mark.parametrize("query", ["head_id=1", f"head_hash={'0' * 64}", "head_id=1&head_hash=x", "limit=0", "after=0"])
async def test_a_malformed_check_is_refused(admin: AsyncClient, query: str) -> None:
    assert (await admin.get(f"/audit/verification?{query}")).status_code == 422
