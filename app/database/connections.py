"""Connections and migrations. asyncpg itself reads `DATABASE_URL`, so TLS and socket parameters are libpq's."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import asyncpg
import structlog
from tortoise.context import TortoiseContext
from tortoise.exceptions import BaseORMException, DBConnectionError
from tortoise.migrations.api import migrate as tortoise_migrate

from app.core.errors import MigrationError, StartupError

#: What the driver raises while PostgreSQL is down, starting, out of room or too slow to answer, and where it ended one
#: of two transactions that waited for each other: what was asked may be asked again.
DATABASE_DOWN: Final[tuple[type[Exception], ...]] = (
    OSError,
    TimeoutError,
    DBConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server's last word arrived between two queries
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.QueryCanceledError,
    asyncpg.DeadlockDetectedError,
)

_MIGRATIONS: Final = "app.migrations"
_MIGRATION_LOCK: Final = 0x7269_736B  # "risk"
_OLDEST_SERVER: Final = 140_000
_SCHEMES: Final = {"postgres", "postgresql"}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Database:
    """How to reach the database, and how much of it to use."""

    url: str = field(repr=False)  # holds a password
    pool_size: int = 10
    #: 0 behind pgbouncer in transaction mode.
    statement_cache_size: int = 100
    #: 0 = none.
    statement_timeout_seconds: float = 15
    connect_timeout_seconds: float = 5

    async def connect(self, **kwargs: Any) -> asyncpg.Connection:  # noqa: ANN401 - asyncpg's own arguments, passed on
        """
        Open one connection.

        Raises:
            StartupError: the URL cannot be read; the message quotes nothing of it that may be a password.
        """
        settings = {"application_name": "margin-risk-service"} | kwargs.pop("server_settings", {})
        try:
            _check_url(self.url)
            return await asyncpg.connect(
                self.url,
                timeout=self.connect_timeout_seconds,
                statement_cache_size=self.statement_cache_size,
                server_settings=settings,
                **kwargs,
            )
        except ssl.SSLError:
            raise
        except asyncpg.ClientConfigurationError as error:
            raise StartupError(f"DATABASE_URL cannot be used: {error}") from error
        except ValueError as error:
            raise StartupError(
                "DATABASE_URL cannot be read. Write it as postgresql://user:password@host:5432/database, and the "
                "characters :/?#[]@% of user and password as %3A and so on."
            ) from error


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

    credentials = {"minsize": 1, "maxsize": database.pool_size, "connect": connect, "reset": _leave}
    return {
        "connections": {"default": {"engine": "app.database.pool", "credentials": credentials}},
        "apps": {"models": {"models": ["app.models"], "migrations": _MIGRATIONS, "default_connection": "default"}},
        "use_tz": True,
        "timezone": "UTC",
    }


async def _leave(_connection: asyncpg.Connection) -> None:
    """
    Give a connection back to the pool as it is, which saves a round trip for each use of one.

    Nothing that we do outlives a transaction: settings and temporary tables are local to one, as locks are. What needs
    more (listening, leading) has a connection of its own. A transaction that was left open is rolled back all the same.
    """


async def wait_until_ready(database: Database, *, seconds: float) -> None:
    """
    Return when PostgreSQL answers and is new enough.

    Raises:
        StartupError: it did not within `seconds`, or refuses us, or is older than 14.
    """
    connection = await _connect_within(database, seconds)
    try:
        _check_version(await connection.fetchval("show server_version_num"))
    finally:
        await connection.close()


async def _connect_within(database: Database, seconds: float) -> asyncpg.Connection:
    """Open a connection; try again while the server is away, but not when it says no."""
    deadline = asyncio.get_running_loop().time() + seconds
    waiting = False
    while True:
        try:
            return await database.connect()
        except (asyncpg.PostgresError, *DATABASE_DOWN) as error:
            reason = str(error) or type(error).__name__
            if not isinstance(error, DATABASE_DOWN) or isinstance(error, ssl.SSLError):
                raise StartupError(f"PostgreSQL cannot be used: {reason}") from error
            if asyncio.get_running_loop().time() >= deadline:
                raise StartupError(f"PostgreSQL does not answer where DATABASE_URL says it is: {reason}") from error
        if not waiting:
            _log.warning("waiting for PostgreSQL", error=reason)
            waiting = True
        await asyncio.sleep(0.2)


async def connections_given(database: Database) -> int:
    """Return how many connections the server gives to all clients together, less those that it keeps for superusers."""
    connection = await database.connect()
    try:
        given: int = await connection.fetchval(
            "select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
        )
    finally:
        await connection.close()
    return given


async def migrate(database: Database) -> None:
    """
    Bring the schema to this version of the code; safe when several processes do it at once.

    Raises:
        MigrationError: the schema is newer than the code, or a step failed (that step is rolled back).
    """
    try:
        async with _advisory_lock(database) as connection:
            await _refuse_newer_schema(connection)
            await _apply_migrations(database)
    except (BaseORMException, asyncpg.PostgresError, *DATABASE_DOWN) as error:
        reason = str(error) or type(error).__name__
        raise MigrationError(f"the schema could not be migrated; the step was rolled back: {reason}") from error


async def _apply_migrations(database: Database) -> None:
    """Run what is not applied yet, however long a large table takes, beside whatever else is connected."""
    async with TortoiseContext():
        await tortoise_migrate(config=tortoise_config(replace(database, statement_timeout_seconds=0)))


@asynccontextmanager
async def session(database: Database) -> AsyncIterator[None]:
    """
    Connect the models for a command; a server does it in its lifespan.

    Raises:
        StartupError: the database went away meanwhile.
    """
    try:
        async with TortoiseContext() as context:
            await context.init(config=tortoise_config(database))
            yield
    except DATABASE_DOWN as error:
        raise StartupError(f"the database went away: {str(error) or type(error).__name__}") from error


def known_migrations() -> set[str]:
    """Return the names of the migrations that this version of the code carries."""
    folder = Path(__file__).parents[1] / "migrations"
    return {path.stem for path in folder.glob("[0-9]*.py")}


def _check_url(url: str) -> None:
    """Refuse what asyncpg would take for something else than its user meant."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise StartupError("DATABASE_URL must begin with postgres:// or postgresql://")
    if "ssl" in parse_qs(parts.query):
        raise StartupError("DATABASE_URL: write sslmode=require (or verify-full, disable), not ssl=")


def _check_version(version: str) -> None:
    """Refuse a server older than the oldest that the service is tested with."""
    if int(version) < _OLDEST_SERVER:
        raise StartupError(f"PostgreSQL 14 or newer is needed; this server is {int(version) // 10000}")


@asynccontextmanager
async def _advisory_lock(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Hold the migration lock in a transaction of its own (also right behind pgbouncer), until the block ends."""
    connection = await database.connect()
    try:
        async with connection.transaction():
            await connection.execute("select pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
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
