"""Two service processes over one database, and a publisher beside them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, Protocol

import asyncpg
import httpx
import pytest

from app.audit.recorder import LOCK
from app.events.outbox import _PUBLISH
from tests.clusters import create_database
from tests.server import PASSWORD, Server, running_server
from tests.standin.server import Standin

SYMBOL: Final = "AAPL"
_names = count()


@dataclass(frozen=True, slots=True)
class World:
    """What all tests of the stream share; they make clients and users of their own."""

    servers: tuple[Server, Server]
    database_url: str
    standin: Standin


class Login(Protocol):
    """Return an HTTP client that calls as a new user, with its user id."""

    def __call__(self, role: str, client_id: int | None = None, *, server: int = 0) -> Awaitable["Person"]: ...


@dataclass(frozen=True, slots=True)
class Person:
    """A user who is logged in."""

    id: int
    http: httpx.AsyncClient
    token: str


@pytest.fixture(scope="session")
async def events_database(database_url: str) -> str:
    """Return the URL of a migrated database without a row."""
    return await create_database(database_url, migrated=True)


@pytest.fixture(scope="session")
def world(events_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as stack:
        standin = stack.enter_context(Standin())
        standin.world.quote(SYMBOL, 200.0)
        servers = []
        for name in ("one", "two"):
            folder = tmp_path_factory.mktemp(name)
            environment = {
                **standin.environment(folder),
                "DATABASE_URL": events_database,
                "RISK_LOGIN_ATTEMPTS": "1000000",
                "RISK_PRICE_TTL_SECONDS": "0",
                "RISK_STREAM_QUEUE": "200",
                "RISK_MAX_STREAMS_PER_USER": "5",
                "RISK_MONITOR": "false",
            }
            servers.append(stack.enter_context(running_server(folder, environment, seconds=120)))
        yield World((servers[0], servers[1]), events_database, standin)


@pytest.fixture
async def admin(world: World) -> AsyncIterator[httpx.AsyncClient]:
    server = world.servers[0]
    headers = {"Authorization": f"Bearer {await asyncio.to_thread(server.log_in)}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=20) as http:
        yield http


@pytest.fixture
async def client_id(admin: httpx.AsyncClient) -> int:
    """Make a client that holds 10 AAPL, worth 2000 at first."""
    (await admin.get(f"/stocks/{SYMBOL}")).raise_for_status()
    made = int((await admin.post("/clients", json={"name": "Ada", "loan": 1000})).raise_for_status().json()["id"])
    holding = {"quantity": 10, "cost_basis": 100}
    (await admin.put(f"/positions/{made}/{SYMBOL}", json=holding)).raise_for_status()
    return made


@pytest.fixture
async def login(admin: httpx.AsyncClient, world: World) -> AsyncIterator[Login]:
    async with AsyncExitStack() as stack:

        async def make(role: str, client_id: int | None = None, *, server: int = 0) -> Person:
            name = f"{role}{next(_names)}"
            user = {"username": name, "role": role, "password": PASSWORD, "client_id": client_id}
            made = (await admin.post("/users", json=user)).raise_for_status().json()
            token = await asyncio.to_thread(world.servers[server].log_in, name)
            http = httpx.AsyncClient(
                base_url=world.servers[server].url, headers={"Authorization": f"Bearer {token}"}, timeout=20
            )
            return Person(made["id"], await stack.enter_async_context(http), token)

        yield make


@pytest.fixture
async def connection(world: World) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(world.database_url)
    yield connection
    await connection.close()


@pytest.fixture
def publish(connection: asyncpg.Connection) -> Callable[..., Awaitable[None]]:
    """Publish `state` events of a client as the service does, in one transaction; `data` of each."""

    async def send(client_id: int, *data: str) -> None:
        await publish_by(connection, client_id, *data)

    return send


async def publish_by(connection: Any, client_id: int | None, *data: str) -> None:  # noqa: ANN401 - asyncpg's
    """Run the statement by which the service publishes."""
    size = len(data)
    await connection.fetch(_PUBLISH, LOCK, ["state"] * size, [client_id] * size, [None] * size, list(data))
