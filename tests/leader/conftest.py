"""A committed world: what the monitor sees is what other connections committed."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from tortoise import connections

_TABLES = "position, margin, client, market_data, price_history, instrument, book_change"


@pytest.fixture
async def committed(app: FastAPI) -> AsyncIterator[None]:
    """Let the test commit; empty the tables afterwards."""
    yield
    await connections.get("default").execute_script(f"truncate {_TABLES} restart identity cascade")
