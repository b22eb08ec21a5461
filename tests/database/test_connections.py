"""Connecting: what a DATABASE_URL may be, and what is said when it cannot work."""

import asyncio
import socket
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from tortoise import connections
from tortoise.transactions import in_transaction

from app.core.errors import MigrationError, StartupError
from app.database import connections as db
from app.database.connections import Database, migrate, session, wait_until_ready
from tests.clusters import create_database


async def reason(url: str) -> str:
    """Return why a URL is refused."""
    with pytest.raises(StartupError) as caught:
        await wait_until_ready(Database(url=url, connect_timeout_seconds=2), seconds=0)
    assert "hunter2" not in f"{caught.value!s} {caught.value!r}"
    return str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
async def test_both_names_of_the_scheme_work(database_url: str, scheme: str) -> None:
    url = urlunsplit(urlsplit(database_url)._replace(scheme=scheme))

    await wait_until_ready(Database(url=url), seconds=0)


async def test_sslmode_disable_works(database_url: str) -> None:
    await wait_until_ready(Database(url=f"{database_url}&sslmode=disable"), seconds=0)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://u:hunter2@localhost/d", "must begin with postgres"),
        ("localhost:5432", "must begin with postgres"),
        ("postgres://u:hunter2@localhost/d?ssl=true", "write sslmode=require"),
        ("postgres://u:hunter2@localhost/d?sslmode=maybe", "`sslmode` parameter must be one of"),
        ("postgres://u:hunter2/3@localhost/d", "%3A"),
        ("postgres://u:hunter2[3@localhost/d", "%3A"),
        ("postgres://u:hunter2@localhost:1/d", "does not answer"),
        ("postgres://u:hunter2@nowhere.invalid/d", "does not answer"),
    ],
)
async def test_url_that_cannot_work_gets_a_sentence_without_its_password(url: str, words: str) -> None:
    assert words in await reason(url)


async def test_unknown_database_is_refused_at_once(database_url: str) -> None:
    url = urlunsplit(urlsplit(database_url)._replace(path="/nowhere"))

    with pytest.raises(StartupError, match='database "nowhere" does not exist'):
        await wait_until_ready(Database(url=url), seconds=60)


async def test_parameter_that_the_server_does_not_know_is_refused_at_once(database_url: str) -> None:
    with pytest.raises(StartupError, match="frobnicate"):
        await wait_until_ready(Database(url=f"{database_url}&frobnicate=1"), seconds=60)


async def test_server_without_tls_is_told_apart() -> None:
    async def refuse_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # SSLRequest
        writer.write(b"N")
        writer.close()

    server = await asyncio.start_server(refuse_tls, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]

        assert "rejected SSL upgrade" in await reason(f"postgres://u:hunter2@127.0.0.1:{port}/d?sslmode=require")


async def test_server_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        assert "does not answer" in await reason(f"postgres://u:hunter2@127.0.0.1:{port}/d")


def test_server_older_than_14_is_refused() -> None:
    with pytest.raises(StartupError, match="PostgreSQL 14 or newer is needed; this server is 13"):
        db._check_version("130022")
    db._check_version("140000")


def test_text_of_a_database_holds_no_password() -> None:
    assert "hunter2" not in repr(Database(url="postgres://u:hunter2@h/d"))


async def test_schema_that_may_not_be_made_is_a_sentence(database_url: str) -> None:
    url = await create_database(database_url)
    connection = await asyncpg.connect(url)
    await connection.execute("create table client (id int)")  # stands in the way of ours
    await connection.close()

    with pytest.raises(MigrationError, match="could not be migrated; the step was rolled back"):
        await migrate(Database(url=url))

    connection = await asyncpg.connect(url)
    tables = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
    await connection.close()
    assert {row["tablename"] for row in tables} <= {"client", "tortoise_migrations"}


async def test_a_transaction_that_is_torn_off_as_it_begins_gives_its_connection_back(database_url: str) -> None:
    async def begin() -> None:
        async with in_transaction():
            await asyncio.sleep(0)

    async with session(Database(url=database_url, pool_size=1)):
        for turns in range(1, 40):  # wherever it is by then: waiting for a connection, for BEGIN, for COMMIT
            task = asyncio.create_task(begin())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        async with asyncio.timeout(5), in_transaction() as connection:
            assert await connection.execute_query_dict("select 1 as one") == [{"one": 1}]


async def test_transactions_that_wait_leave_connections_to_statements(database_url: str) -> None:
    async def wait() -> None:
        async with in_transaction() as connection:
            await connection.execute_query_dict("select pg_sleep(60)")

    async with session(Database(url=database_url, pool_size=4)):
        waiting = [asyncio.create_task(wait()) for _ in range(8)]
        await asyncio.sleep(0.2)

        async with asyncio.timeout(5):
            assert await connections.get("default").execute_query_dict("select 1 as one") == [{"one": 1}]

        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        async with asyncio.timeout(5), in_transaction() as connection:
            assert await connection.execute_query_dict("select 1 as one") == [{"one": 1}]
