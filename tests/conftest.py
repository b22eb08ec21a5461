"""One PostgreSQL and one application a run; each test in a transaction that is rolled back."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Protocol

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from tortoise import connections
from tortoise.transactions import in_transaction
from xdist.remote import Producer

from app.auth.access_tokens import AccessClaims
from app.book.valuation import ValuationRules
from app.composition import create_app
from app.core import logs
from app.database.connections import Database, migrate
from app.database.embedded import start_embedded
from app.models import Role, User
from config import Settings
from tests.book.loaded_book import LoadedBook
from tests.clusters import give_up_durability, made_once, make_empty, make_migrated, public_folder, shared_folder
from tests.fakes import FakeProvider, Rollback
from tests.schedule import GroupScheduling, process_group, rank
from tests.standin.fixtures import standin, yahoo, yfinance_cache

#: One stand-in for the whole run: imported anywhere else, a fixture would be another one.
__all__ = ["standin", "yahoo", "yfinance_cache"]


_BOOK_TABLES = "position, margin, client, market_data, price_history, instrument, book_change"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests of real processes, which `scripts/test --quick` leaves out, and let the longest begin first."""
    for item in items:
        if process_group(item.nodeid) is not None:
            item.add_marker("process")
    items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> GroupScheduling:
    """Keep groups together, in the order of the collection."""
    config.option.loadscopereorder = False
    return GroupScheduling(config, log)


class LoginAs(Protocol):
    """Return an HTTP client that calls with the token of a new user."""

    def __call__(self, role: Role, *, client_id: int | None = None) -> Awaitable[httpx.AsyncClient]: ...


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """Return a folder that all workers of the run have in common."""
    return shared_folder(tmp_path_factory, pytestconfig)


@pytest.fixture(scope="session")
def empty_cluster(run_folder: Path) -> Path:
    """Return a data directory to copy, as the first start of the service leaves it, without a schema."""
    return made_once(run_folder, "empty", make_empty)


@pytest.fixture(scope="session")
def migrated_cluster(run_folder: Path) -> Path:
    """Return a data directory to copy, with databases that are migrated."""
    return made_once(run_folder, "migrated", make_migrated)


@pytest.fixture(scope="session")
def database_url(migrated_cluster: Path) -> Iterator[str]:
    """Start a real PostgreSQL for this worker, which waits for no disk; database `risk` is migrated."""
    with public_folder() as folder:
        data_dir = shutil.copytree(migrated_cluster, Path(folder, "data"))
        give_up_durability(data_dir)
        with start_embedded(data_dir) as server:
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
    """
    Let the test commit, so that other connections see it; empty the tables of the book afterwards.

    Ids go on: the audit trail stays, and an id of it must not come again.
    """
    yield
    await connections.get("default").execute_script(f"truncate {_BOOK_TABLES} cascade")


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
