"""What was recorded since a test began, and the database as its owner sees it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest
from tortoise import connections

from app.audit.hash_chain import Head
from app.auth.types import Caller
from app.models import AuditEntry, Role
from tests.conftest import LoginAs

Recorded = Callable[[], Awaitable[list[AuditEntry]]]

DESK = Caller(user_id=0, username="desk", role=Role.RISK)


@pytest.fixture
async def admin(login_as: LoginAs) -> httpx.AsyncClient:
    """Call as an administrator, whose name is `admin0`."""
    return await login_as(Role.ADMIN)


@pytest.fixture
async def recorded(db: None) -> Recorded:
    """Return the entries since the test began."""
    start = await last_id()

    async def since() -> list[AuditEntry]:
        return await AuditEntry.filter(id__gt=start).order_by("id")

    return since


@pytest.fixture
async def outside(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Look at the database from a connection of its own."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def last_id() -> int:
    entry = await AuditEntry.all().order_by("-id").first()
    return entry.id if entry else 0


async def head() -> Head:
    """Return the chain's last entry."""
    entry = await AuditEntry.all().order_by("-id").first()
    assert entry is not None
    return Head(id=entry.id, hash=entry.hash)


async def sql(statement: str, *parameters: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = await connections.get("default").execute_query_dict(statement, list(parameters))
    return rows
