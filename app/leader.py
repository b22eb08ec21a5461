"""The one process that refreshes prices and looks after calls; another takes over when it ends, however it ends."""

import asyncio
import random
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

import asyncpg
import structlog

from app.audit import recorder
from app.core import metrics
from app.corporate_actions import decisions as corporate_action_decisions
from app.database.connections import DATABASE_DOWN, Database
from app.database.notifications import Signal
from app.database.sql import Connection
from app.events import outbox
from app.margin.policy_record import record_policy
from app.margin_calls import review as call_review
from app.margin_calls.monitor import Reviewer
from app.margin_calls.types import CallSettings
from app.stocks.monitor import Refresher

_LOCK: Final = 0x6C65_6164  # "lead"
#: How often a process that does not lead tries to, and one that does makes sure that it still does.
_TRY_SECONDS: Final = 0.5
_HOLD_SECONDS: Final = 1.0
_HOLD_PATIENCE_SECONDS: Final = 10.0
#: How long no signal may come before the book is checked anyway.
_CHECK_SECONDS: Final = 1.0
_DUE_SECONDS: Final = 5.0
_PRUNE_SECONDS: Final = 600.0
_RETRY_SECONDS: Final = (0.2, 0.5, 1.0, 2.0)

_log = structlog.get_logger(__name__)


class Leader:
    """
    Leads while it holds a session lock of PostgreSQL on a connection of its own; `run` it as a task.

    The server lets go of the lock when that connection ends: with the process, or before. A process that lost
    it stops; should the last transaction of the old leader meet the first of the new one, rows and their locks keep
    them apart.
    """

    def __init__(
        self, database: Database, *, reviewer: Reviewer, refresher: Refresher, signal: Signal, settings: CallSettings
    ) -> None:
        self._database = database
        self._reviewer = reviewer
        self._refresher = refresher
        self._signal = signal
        self._settings = settings
        #: Whether this process leads now.
        self.is_leading = False

    async def run(self) -> None:
        """Try to lead, for ever; end it by cancelling."""
        failures = 0
        while True:
            try:
                await self._lead_until_failure()
            except (asyncpg.PostgresError, *DATABASE_DOWN) as error:
                failures = 1 if self.is_leading else failures + 1
                if failures == 1:
                    _log.warning("monitor interrupted", error=f"{type(error).__name__}: {error}")
            except Exception:  # noqa: BLE001 - logged whole; the monitor must go on
                failures += 1
                _log.exception("monitor interrupted")
            finally:
                self.is_leading = False
                metrics.LEADER.set(0)
                self._reviewer.stop()
            pause = _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS)) - 1]
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - no secret

    async def _lead_until_failure(self) -> None:
        """
        Wait for the lock, then lead until something fails.

        Raises:
            ConnectionError: the lock's connection broke; or whatever made leading impossible.
        """
        connection = await self._database.connect()
        try:
            while not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):  # noqa: ASYNC110 - not ours
                await asyncio.sleep(_TRY_SECONDS)
            _log.info("leading")
            self.is_leading = True
            metrics.LEADER.set(1)
            await _until_one_fails(self._hold(connection), self._lead())
        finally:
            connection.terminate()

    async def _hold(self, connection: Connection) -> None:
        """
        Make sure that the lock is still ours.

        Raises:
            ConnectionError: its connection broke.
        """
        broken = asyncio.Event()
        connection.add_termination_listener(lambda _: broken.set())
        while not connection.is_closed():
            await connection.execute("select 1", timeout=_HOLD_PATIENCE_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(_HOLD_SECONDS):
                    await broken.wait()
        raise ConnectionError("the connection that holds the lock was closed")

    async def _lead(self) -> None:
        """Take over what is stored, and only then let prices go on."""
        await record_policy(self._settings.margin.policy)
        await self._reviewer.start()
        await self._reviewer.catch_up()
        await _until_one_fails(
            self._refresher.run(self._recheck),
            self._refresher.watch_splits(),
            self._review(),
            self._pass_due(),
            self._prune(),
        )

    async def _recheck(self) -> None:
        self._reviewer.set_unanswered(self._refresher.unanswered)
        await self._reviewer.catch_up(recheck=True)

    async def _review(self) -> None:
        """
        Review the book whenever something of it changed.

        A review is followed by as long a pause, so that a flood of writes, which are coalesced then, leaves half of
        the time to requests. A refresh of prices does not wait for it.
        """
        while True:
            await self._signal.wait(_CHECK_SECONDS)
            began = time.monotonic()
            await self._reviewer.catch_up()
            await asyncio.sleep(time.monotonic() - began)

    async def _pass_due(self) -> None:
        """Move calls past their due date."""
        while True:
            await corporate_action_decisions.run_due()
            while await call_review.pass_due(settings=self._settings):
                pass
            await asyncio.sleep(_DUE_SECONDS)

    async def _prune(self) -> None:
        """Delete events and book changes past their retention."""
        while True:
            await recorder.prune_book_changes()
            await outbox.prune()
            await asyncio.sleep(_PRUNE_SECONDS)


async def _until_one_fails(*coroutines: Coroutine[Any, Any, None]) -> None:
    """
    Run these together until one of them ends; the others are cancelled.

    Raises:
        Exception: whatever ended it.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()
