"""Reads of margin that share their work: requests that wait at the same moment get one statement and one report."""

import asyncio
from collections.abc import Sequence
from copy import copy
from typing import Any, Final, NamedTuple

from tortoise import connections

from app.engine.margin import margin_report
from app.engine.rules import MarginRules
from app.errors import AppError
from app.services.access import Caller, no_client
from app.services.book import load_clients
from app.services.margin import MarginStatus, status_of

#: Statements under way at a time; a request that finds fewer goes at once.
_LANES: Final = 2
#: Clients of one statement.
_MOST_CLIENTS: Final = 64


class _Read(NamedTuple):
    """A request that waits. Its answer may be an error, which nobody misses where the request was cancelled."""

    client_id: int
    answer: asyncio.Future[MarginStatus | Exception]


class MarginReads:
    """
    Where the requests of this process wait for margin.

    A statement begins after every request that it serves has arrived, so no answer is older than a write that was
    acknowledged before its request, whichever process made it. A request that comes alone waits for nobody. One that
    is cancelled leaves the others as they are.
    """

    def __init__(self, *, rules: MarginRules, base_currency: str, seconds: float) -> None:
        """Keep what every answer depends on; a statement that takes longer than `seconds` fails."""
        self._rules = rules
        self._base_currency = base_currency
        self._seconds = seconds
        self._waiting: list[_Read] = []
        self._lanes = 0
        self._is_called = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def status(self, client_id: int, *, caller: Caller) -> MarginStatus:
        """
        Return a client's margin at the stored prices.

        Raises:
            NotFoundError: there is no such client, or the caller may not see it.
            MissingPricesError: a position has no price, or its currency no rate; `symbols` names them.
            ConflictError: the account is too large for exact figures.
        """
        caller.check_client(client_id)
        loop = asyncio.get_running_loop()
        read = _Read(client_id, loop.create_future())
        self._waiting.append(read)
        if self._lanes < _LANES and not self._is_called:
            self._is_called = True
            loop.call_soon(self._open_lane)  # behind the requests that arrived together with this one
        answer = await read.answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _open_lane(self) -> None:
        """Start to serve those who wait."""
        self._is_called = False
        self._lanes += 1
        task = asyncio.get_running_loop().create_task(self._run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        """Serve those who wait, group by group, until nobody does."""
        try:
            while group := self._next():
                await self._serve_from(group)
        finally:
            self._lanes -= 1  # at once, so that who comes next opens another

    async def _serve_from(self, group: Sequence[_Read]) -> None:
        """Serve a group, and who came meanwhile, on one connection."""
        try:
            async with connections.get("default").acquire_connection() as connection:
                while group:
                    async with asyncio.timeout(self._seconds):
                        await self._serve(group, connection)
                    group = self._next()
        except Exception as error:  # noqa: BLE001 - each request of the group raises it
            for read in group:
                _give(read, copy(error))

    def _next(self) -> list[_Read]:
        """Take those who wait longest, as many as one statement serves."""
        waiting = [read for read in self._waiting if not read.answer.done()]
        self._waiting = waiting[_MOST_CLIENTS:]
        return waiting[:_MOST_CLIENTS]

    async def _serve(self, group: Sequence[_Read], connection: Any) -> None:  # noqa: ANN401 - asyncpg's
        """Answer a group by one statement and one report."""
        ids = {read.client_id for read in group}
        holdings = await load_clients(connection, ids, base_currency=self._base_currency)
        report = margin_report(holdings.book, holdings.prices, holdings.instruments, self._rules)
        rows = {client_id: row for row, client_id in enumerate(holdings.book.client_ids.tolist())}
        for read in group:
            row = rows.get(read.client_id)
            if row is None:
                _give(read, no_client(read.client_id))
                continue
            try:
                _give(read, status_of(holdings, report, row, base_currency=self._base_currency))
            except AppError as error:
                _give(read, error)


def _give(read: _Read, answer: MarginStatus | Exception) -> None:
    """Answer a request, unless it was cancelled."""
    if not read.answer.done():
        read.answer.set_result(answer)
