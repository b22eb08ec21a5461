"""Users with real passwords, limits as in production, and a world of its own for what must happen at once."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx
import pytest
from fastapi import FastAPI
from passlib.context import CryptContext

from app.auth.access_tokens import TokenSigner
from app.auth.login_limits import LoginLimits
from app.auth.passwords import PasswordHasher
from app.auth.service import Auth
from app.models import LoginAttempt, Role, User

PASSWORD = "correct horse battery"
#: Of the same password, made with weaker parameters: Argon2id, 1 MiB, 1 pass.
WEAK_HASH = CryptContext(
    schemes=["argon2"], argon2__type="ID", argon2__memory_cost=1024, argon2__time_cost=1, argon2__parallelism=1
).hash(PASSWORD)
SECRET = "0123456789abcdef0123456789abcdef"

MakeUser = Callable[..., Awaitable[User]]
CallFrom = Callable[[str], httpx.AsyncClient]


class CountingHasher(PasswordHasher):
    """The real hasher, counting how often it checks."""

    def __init__(self) -> None:
        super().__init__()
        self.checks = 0

    def _verify(self, password: str, password_hash: str) -> tuple[bool, str | None]:
        self.checks += 1
        return super()._verify(password, password_hash)


@pytest.fixture
def hasher() -> CountingHasher:
    return CountingHasher()


@pytest.fixture
def auth(app: FastAPI, hasher: CountingHasher) -> Auth:
    """Replace the application's limits, which are wide for other tests, with the default ones."""
    return Auth(
        signer=TokenSigner(SECRET, seconds=900),
        limits=LoginLimits(attempts=5, window_seconds=300),
        refresh_seconds=3600,
        passwords=hasher,
    )


@pytest.fixture
def strict_app(app: FastAPI, auth: Auth) -> Iterator[FastAPI]:
    usual = app.state.auth
    app.state.auth = auth
    yield app
    app.state.auth = usual


@pytest.fixture(scope="session")
async def password_hash() -> str:
    """Return the hash of PASSWORD, made once."""
    return await PasswordHasher().hash(PASSWORD)


@pytest.fixture
def make_user(password_hash: str) -> MakeUser:
    """Store a user with the real password; `role` risk unless said."""

    async def make(username: str, role: Role = Role.RISK, client_id: int | None = None) -> User:
        return await User.create(username=username, password_hash=password_hash, role=role, client_id=client_id)

    return make


@pytest.fixture
async def call_from(strict_app: FastAPI) -> CallFrom:
    """Return a client that calls from an address, without a token."""

    def call(address: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(strict_app, client=(address, 40000))
        return httpx.AsyncClient(transport=transport, base_url="http://test")

    return call


@pytest.fixture
def http(db: None, call_from: CallFrom) -> httpx.AsyncClient:
    """Call in the test's transaction."""
    return call_from("192.0.2.1")


@pytest.fixture
async def shared(strict_app: FastAPI, call_from: CallFrom) -> AsyncIterator[httpx.AsyncClient]:
    """Call outside a transaction, so that requests really meet; what was stored is deleted afterwards."""
    yield call_from("192.0.2.1")
    await User.all().delete()
    await LoginAttempt.all().delete()


async def log_in(http: httpx.AsyncClient, username: str, password: str = PASSWORD) -> httpx.Response:
    return await http.post("/auth/token", data={"username": username, "password": password, "grant_type": "password"})


async def tokens_of(http: httpx.AsyncClient, username: str) -> tuple[dict[str, str], str]:
    """Log in; return the header to send and the refresh token."""
    response = await log_in(http, username)
    assert response.status_code == 200, response.text
    return {"Authorization": f"Bearer {response.json()['access_token']}"}, response.json()["refresh_token"]
