"""One PostgreSQL and one application a run; each test in a transaction that is rolled back."""

from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack, suppress
from itertools import count
from typing import Protocol

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from tortoise import connections
from tortoise.transactions import in_transaction

from app.auth.access_tokens import AccessClaims
from app.book.valuation import ValuationRules
from app.composition import create_app
from app.core import logs
from app.database.connections import Database, migrate
from app.database.embedded import start_embedded
from app.models import Role, User
from config import Settings
from tests.book.loaded_book import LoadedBook
from tests.fakes import FakeProvider, Rollback
from tests.standin.fixtures import standin, yahoo, yfinance_cache

#: One stand-in for the whole run: imported anywhere else, a fixture would be another one.
__all__ = ["standin", "yahoo", "yfinance_cache"]


_BOOK_TABLES = "position, margin, client, market_data, price_history, instrument, book_change"


class LoginAs(Protocol):
    """Return an HTTP client that calls with the token of a new user."""

    def __call__(self, role: Role, *, client_id: int | None = None) -> Awaitable[httpx.AsyncClient]: ...


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a real PostgreSQL for the run."""
    with start_embedded(tmp_path_factory.mktemp("data")) as server:
        yield server.url


@pytest.fixture(scope="session")
def settings(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(
        _env_file=None,
        database_url=SecretStr(database_url),
        data_dir=tmp_path_factory.mktemp("risk"),
        secret_key=SecretStr("0123456789abcdef0123456789abcdef"),
        login_attempts=1000,
        monitor=False,  # it would look after what is committed, beside tests that commit nothing
    )


@pytest.fixture(scope="session")
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture(scope="session")
async def app(settings: Settings, provider: FakeProvider, database_url: str) -> AsyncIterator[FastAPI]:
    """Serve the application over a schema that migrations built."""
    logs.configure(log_format="text", level="warning")
    await migrate(Database(url=database_url))
    application = create_app(settings, provider=provider)
    # What a test stores is never committed, so no resident copy could follow it.
    application.state.book = LoadedBook(
        ValuationRules(application.state.policy, settings.warning_cushion), base_currency=settings.base_currency
    )
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture
async def db(app: FastAPI, provider: FakeProvider) -> AsyncIterator[None]:
    """Undo whatever the test stores."""
    provider.reset()
    with suppress(Rollback):
        async with in_transaction():
            yield
            raise Rollback


@pytest.fixture
async def committed(app: FastAPI) -> AsyncIterator[None]:
    """Let the test commit, so that other connections see it; empty the tables of the book afterwards."""
    yield
    await connections.get("default").execute_script(f"truncate {_BOOK_TABLES} restart identity cascade")


@pytest.fixture
async def login_as(app: FastAPI, db: None) -> AsyncIterator[LoginAs]:
    """Make users as needed; no password is hashed, since these tests are not about passwords."""
    async with AsyncExitStack() as stack:
        numbers = count()

        async def login(role: Role, *, client_id: int | None = None) -> httpx.AsyncClient:
            name = f"{role}{next(numbers)}"
            user = await User.create(username=name, password_hash="none", role=role, client_id=client_id)
            token = app.state.auth.signer.issue(AccessClaims(user_id=user.id, generation=user.token_generation))
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://test",
                headers={"Authorization": f"Bearer {token}"},
            )
            return await stack.enter_async_context(client)

        yield login


@pytest.fixture
async def risk(login_as: LoginAs) -> httpx.AsyncClient:
    """Call as somebody of the risk desk."""
    return await login_as(Role.RISK)
