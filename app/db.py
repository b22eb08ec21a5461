"""Connections and migrations. asyncpg itself reads `DATABASE_URL`, so TLS and socket parameters are libpq's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import asyncpg
from tortoise import Tortoise
from tortoise.exceptions import DBConnectionError
from tortoise.migrations.api import migrate as tortoise_migrate

from app.errors import MigrationError, StartupError

#: What the driver raises while PostgreSQL is down, starting, out of room or too slow to answer.
DATABASE_DOWN: Final[tuple[type[Exception], ...]] = (
    OSError,
    TimeoutError,
    DBConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.QueryCanceledError,
)

_MIGRATIONS: Final = "app.migrations"
_MIGRATION_LOCK: Final = 0x7269_736B  # "risk"
_OLDEST_SERVER: Final = 140_000
_SCHEMES: Final = {"postgres", "postgresql", "asyncpg"}


@dataclass(frozen=True, slots=True)
class Database:
    """How to reach the database, and how much of it to use."""

    url: str
    pool_size: int = 10
    #: 0 behind pgbouncer in transaction mode.
    statement_cache_size: int = 100
    statement_timeout_seconds: float = 15
    connect_timeout_seconds: float = 5

    def __repr__(self) -> str:
        """Say where, never with which password."""
        parts = urlsplit(self.url)
        return f"Database({parts.scheme}://{parts.hostname or ''}{parts.path})"

    async def connect(self, **kwargs: Any) -> asyncpg.Connection:  # noqa: ANN401 - asyncpg's own arguments, passed on
        """
        Open one connection.

        Raises:
            StartupError: the URL cannot be read.
        """
        settings = {"application_name": "margin-risk-service"} | kwargs.pop("server_settings", {})
        try:
            return await asyncpg.connect(
                _dsn(self.url),
                timeout=self.connect_timeout_seconds,
                statement_cache_size=self.statement_cache_size,
                server_settings=settings,
                **kwargs,
            )
        except (ValueError, asyncpg.ClientConfigurationError) as error:
            raise StartupError(f"DATABASE_URL cannot be used: {error}") from error


def tortoise_config(database: Database) -> dict[str, Any]:
    """Return Tortoise's configuration; its pool connects through `Database.connect`."""
    timeout_ms = str(round(database.statement_timeout_seconds * 1000))

    async def connect(
        *_args: object,
        loop: asyncio.AbstractEventLoop,
        connection_class: type[asyncpg.Connection],
        record_class: type[asyncpg.Record],
        **_kwargs: object,
    ) -> asyncpg.Connection:
        return await database.connect(
            loop=loop,
            connection_class=connection_class,
            record_class=record_class,
            server_settings={"statement_timeout": timeout_ms, "timezone": "UTC"},
        )

    credentials = {"minsize": 1, "maxsize": database.pool_size, "connect": connect}
    return {
        "connections": {"default": {"engine": "tortoise.backends.asyncpg", "credentials": credentials}},
        "apps": {"models": {"models": ["app.models"], "migrations": _MIGRATIONS, "default_connection": "default"}},
        "use_tz": True,
        "timezone": "UTC",
    }


async def wait_until_ready(database: Database, *, seconds: float) -> None:
    """
    Return when PostgreSQL answers and is new enough.

    Raises:
        StartupError: it did not within `seconds`, or is older than 14, or refuses us.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            connection = await database.connect()
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
            raise StartupError(f"PostgreSQL refuses the connection: {error}") from error
        except DATABASE_DOWN as error:
            if asyncio.get_running_loop().time() > deadline:
                raise StartupError(f"PostgreSQL does not answer: {str(error) or type(error).__name__}") from error
            await asyncio.sleep(0.2)
            continue
        try:
            _check_version(await connection.fetchval("show server_version_num"))
        finally:
            await connection.close()
        return


async def migrate(database: Database) -> None:
    """
    Bring the schema to this version of the code; safe when several processes do it at once.

    Raises:
        MigrationError: the schema is newer than the code, or a step failed (that step is rolled back).
    """
    async with _advisory_lock(database) as connection:
        await _refuse_newer_schema(connection)
        try:
            await tortoise_migrate(config=tortoise_config(database))
        except DATABASE_DOWN as error:
            raise MigrationError(f"the database went away while migrating: {error}") from error
        finally:
            await Tortoise.close_connections()


@asynccontextmanager
async def session(database: Database) -> AsyncIterator[None]:
    """Connect the models for a command; a server does it in its lifespan."""
    await Tortoise.init(config=tortoise_config(database))
    try:
        yield
    finally:
        await Tortoise.close_connections()


def known_migrations() -> set[str]:
    """Return the names of the migrations that this version of the code carries."""
    folder = Path(__file__).parent / "migrations"
    return {path.stem for path in folder.glob("[0-9]*.py")}


def _dsn(url: str) -> str:
    """Return the URL as libpq writes it."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise StartupError("DATABASE_URL must begin with postgres:// or postgresql://")
    if "ssl" in parse_qs(parts.query):
        raise StartupError("DATABASE_URL: write sslmode=require (or verify-full, disable), not ssl=")
    return "postgresql" + url[len(parts.scheme) :]


def _check_version(version: str) -> None:
    """Refuse a server older than the oldest that the service is tested with."""
    if int(version) < _OLDEST_SERVER:
        raise StartupError(f"PostgreSQL 14 or newer is needed; this server is {int(version) // 10000}")


@asynccontextmanager
async def _advisory_lock(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Hold the migration lock on a connection of its own; the server frees it when the connection ends."""
    connection = await database.connect()
    try:
        await connection.execute("select pg_advisory_lock($1)", _MIGRATION_LOCK)
        yield connection
    finally:
        await connection.close()


async def _refuse_newer_schema(connection: asyncpg.Connection) -> None:
    """Refuse a database that a later version of the code has migrated."""
    if await connection.fetchval("select to_regclass('tortoise_migrations')") is None:
        return
    rows = await connection.fetch("select name from tortoise_migrations where app = 'models'")
    unknown = sorted({row["name"] for row in rows} - known_migrations())
    if unknown:
        raise MigrationError(
            f"the database was migrated by a newer version of the service ({', '.join(unknown)}); "
            "start that version, or restore a backup from before the upgrade"
        )
