"""Hearing what PostgreSQL notifies, on a connection of its own that is made again whenever it breaks."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Final

import asyncpg
import structlog

from app.database.connections import DATABASE_DOWN, Database
from app.database.sql import Connection

#: A connection that broke silently is found out by a question this often.
_CHECK_SECONDS: Final = 10.0
_CHECK_PATIENCE_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0)

_log = structlog.get_logger(__name__)


class Signal:
    """
    Says that something may have happened since the last `wait` returned; several at once are one.

    For one reader: read the database after every return; what happens meanwhile makes the next `wait` return at
    once.
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Make the current `wait`, or else the next, return."""
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Return True once something may have happened, False after `seconds`: the reader reads even then."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        happened = self._event.is_set()
        self._event.clear()
        return happened


class Listener:
    """
    Listens on some channels; `run` it as a task, and take a `signal` for each reader.

    A notification is a hint that there is something to read, never the thing itself. While the connection is away
    none arrives, so after every new connection all signals are set, and a reader waits for a bounded time. Behind
    pgbouncer in transaction mode, where none arrives at all, that bounded wait is what remains.
    """

    def __init__(self, database: Database, channels: Collection[str]) -> None:
        self._database = database
        self._signals: dict[str, list[Signal]] = {channel: [] for channel in channels}
        #: Whether notifications arrive now.
        self.connected = False

    def signal(self, channel: str) -> Signal:
        """Return a new signal that every notification on `channel`, and every new connection, sets."""
        signal = Signal()
        self._signals[channel].append(signal)
        return signal

    async def run(self) -> None:
        """Listen for ever; end it by cancelling."""
        failures = 0
        while True:
            try:
                await self._listen()
            except (asyncpg.PostgresError, *DATABASE_DOWN) as error:
                failures = 0 if self.connected else failures + 1
                if failures <= 1:
                    _log.warning("notifications interrupted", error=f"{type(error).__name__}: {error}")
            finally:
                self.connected = False
            await asyncio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])

    async def _listen(self) -> None:
        """
        Listen until the connection breaks.

        Raises:
            ConnectionError: it broke; or whatever the driver raises while it is made or asked.
        """
        connection = await self._database.connect()
        broken = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: broken.set())
            for channel in self._signals:
                await connection.add_listener(channel, self._notified)
            self.connected = True
            self._set(*self._signals)
            while not await _is_set_within(broken, _CHECK_SECONDS):
                await connection.execute("select 1", timeout=_CHECK_PATIENCE_SECONDS)
            raise ConnectionError("the connection was closed")
        finally:
            connection.terminate()

    def _notified(self, _connection: Connection, _process: int, channel: str, _payload: str) -> None:
        self._set(channel)

    def _set(self, *channels: str) -> None:
        for channel in channels:
            for signal in self._signals[channel]:
                signal.set()


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
