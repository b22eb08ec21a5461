"""PostgreSQL or the leader ends in the middle of a replay, while calls open: none is lost, none is doubled."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import httpx
import psutil  # type: ignore[import-untyped] # it has no types
import pytest

from app.database.connections import Database
from app.leader import _LOCK as LOCK
from tests.leader.drill import accounts, check_nothing_is_lost_or_doubled, write_closes
from tests.leader.leading import connected, own_database, store
from tests.operations.pages import parse
from tests.process.postgres import PostgreSQL
from tests.process.service import Server, seconds_until, service

DAYS_A_SECOND = 10
DOWN_SECONDS = 1.0

_log = logging.getLogger(__name__)  # figures: pytest --log-cli-level=info


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_a_restart_of_postgresql_loses_and_doubles_no_call(
    postgres: PostgreSQL, data_dir: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with _replay(postgres, data_dir, tmp_path) as server:
        postgres.stop(number)
        time.sleep(DOWN_SECONDS)
        before = time.monotonic()
        postgres.start()
        started = time.monotonic() - before
        leading = started + seconds_until(lambda: _is_led(server), at_most=20)

    _log.info("postgresql up after %.2f s, leading again after %.2f s", started, leading)
    assert leading < 10


def test_a_kill_of_the_leader_loses_and_doubles_no_call(postgres: PostgreSQL, data_dir: Path, tmp_path: Path) -> None:
    with _replay(postgres, data_dir, tmp_path) as server:
        leader = asyncio.run(_leader(postgres.url()))
        os.kill(leader, signal.SIGKILL)
        leading = seconds_until(lambda: asyncio.run(_leader(postgres.url())) not in {0, leader}, at_most=20)
        assert server.process.poll() is None

    _log.info("another leads after %.2f s", leading)
    assert leading < 10


@contextmanager
def _replay(postgres: PostgreSQL, data_dir: Path, tmp_path: Path) -> Iterator[Server]:
    """Give two workers in the middle of the drill; at the end of the block, wait for its end and check its calls."""
    database, ids = asyncio.run(_store(postgres.url()))
    settings = {
        "DATABASE_URL": database.url,
        "RISK_WORKERS": "2",
        "RISK_PRICE_PROVIDER": "replay",
        "RISK_REPLAY_FILE": str(write_closes(tmp_path / "closes.csv")),
        "RISK_REPLAY_PACE": str(DAYS_A_SECOND),
    }
    with service(data_dir, **settings) as server, server.caller() as desk:
        assert seconds_until(lambda: len(_states(desk)) >= 8, at_most=20) < 20
        yield server
        assert seconds_until(lambda: _states(desk) == ["met"] * len(ids), at_most=30) < 30
        assert _is_led(server)
    asyncio.run(_check(database, ids))


async def _store(server_url: str) -> tuple[Database, list[int]]:
    """Store the drill's clients in a database of their own."""
    async with own_database(server_url) as database:
        return database, await store(accounts())


async def _check(database: Database, ids: list[int]) -> None:
    async with connected(database):
        await check_nothing_is_lost_or_doubled(ids)


async def _leader(server_url: str) -> int:
    """Return the process that holds the leader's lock, 0 where none does."""
    connection = await asyncpg.connect(server_url)
    try:
        port = await connection.fetchval(
            "select client_port from pg_stat_activity a join pg_locks l using (pid)"
            " where l.locktype = 'advisory' and l.objid = $1 and l.granted",
            LOCK,
        )
    finally:
        await connection.close()
    found = [socket.pid for socket in psutil.net_connections("tcp4") if socket.laddr and socket.laddr.port == port]
    return next((pid for pid in found if pid), 0)


def _states(desk: httpx.Client) -> list[str]:
    """Return the state of every case, none while nobody answers."""
    try:
        answer = desk.get("/margin-calls", params={"limit": 100})
    except httpx.TransportError:  # the worker that had the connection was killed
        return []
    return [case["state"] for case in answer.json()] if answer.is_success else []


def _is_led(server: Server) -> bool:
    """Return whether one of the workers leads; the page waits for a database that is away."""
    page = parse(httpx.get(f"{server.url}/metrics", timeout=30).text)
    return page.total("risk_leader") == 1
