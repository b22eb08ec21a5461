"""The resident book of this process: loaded once, then in step with every committed change."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import structlog
from numpy.typing import NDArray
from tortoise import connections

from app import metrics
from app.engine.book import Book
from app.engine.edit import holders
from app.services.book import Holdings
from app.services.book_read import read_book, read_clients, read_symbols
from app.services.copy import snapshot
from app.services.valued import Valuation, Valued, revalued, rows_of, value, with_clients, with_symbols
from app.symbols import is_fx_symbol

#: More touched clients than this, and loading everything is faster.
_MOST_CLIENTS: Final = 20_000
#: Changes are kept an hour; who has not looked for half of it loads everything.
_TRUST_SECONDS: Final = 1800

#: Changes that a reader whose last snapshot ended at $1 may not have seen.
_CHANGES: Final = "select id, xid, client_ids, symbols from book_change where xid >= $1"
_HORIZON: Final = "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Update:
    """
    The book before and after; `rows` of the new one that were valued again, None = all.

    `written` are clients whose positions, loan or rate somebody changed.
    """

    before: Valued | None
    after: Valued
    rows: NDArray[np.int64] | None
    written: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class _Touched:
    """What changes touch; None = everything."""

    clients: frozenset[int] | None
    symbols: frozenset[str] | None


class LiveBook:
    """
    A book source whose columns are resident.

    `current` first asks the database, in one cheap statement, whether anything was committed that the columns do not
    have, so that an answer is never older than an acknowledged write, whichever process made it. A change is known by
    its row in `book_change`; a row whose transaction was still running at the last look is found at the next one,
    because everything from the oldest running transaction on is looked at again.
    """

    def __init__(self, valuation: Valuation, *, base_currency: str) -> None:
        self._valuation = valuation
        self._base_currency = base_currency
        self._lock = asyncio.Lock()
        self._valued: Valued | None = None
        self._horizon = 0
        self._applied: frozenset[int] = frozenset()
        self._looked_at = 0.0
        self._listeners: list[Callable[[Update], None]] = []

    def listen(self, listener: Callable[[Update], None]) -> None:
        """Call `listener` after every update; it must not block."""
        self._listeners.append(listener)

    async def current(self) -> Valued:
        """Return the book with every change that was committed before this call."""
        async with self._lock:
            before = self._valued
            if before is None or time.monotonic() - self._looked_at > _TRUST_SECONDS:
                await self._load()
            elif await self._pending():
                await self._follow(before)
            self._looked_at = time.monotonic()
            assert self._valued is not None, "loaded just now, or before"
            return self._valued

    async def _pending(self) -> bool:
        """Return whether a change was committed that the columns do not have."""
        rows = await connections.get("default").execute_query_dict(_CHANGES, [self._horizon])
        return any(row["id"] not in self._applied for row in rows)

    async def _load(self) -> None:
        """Load everything."""
        started = time.perf_counter()
        async with snapshot() as connection:
            await self._mark(connection)
            holdings = await read_book(connection, base_currency=self._base_currency)
        with metrics.REVALUATION_SECONDS.labels("all").time():
            valued = await asyncio.to_thread(value, holdings, self._valuation)
        self._publish(Update(self._valued, valued, None))
        seconds = round(time.perf_counter() - started, 3)
        _log.info(
            "book loaded", clients=len(holdings.book.client_ids), positions=len(holdings.book.quantity), s=seconds
        )

    async def _follow(self, before: Valued) -> None:
        """Take over what changed since the last look."""
        async with snapshot() as connection:
            rows = await connection.fetch(_CHANGES, self._horizon)
            touched = _touched([row for row in rows if row["id"] not in self._applied])
            if touched.clients is not None and len(touched.clients) <= _MOST_CLIENTS:
                update = await self._part(connection, before, touched.clients, touched.symbols)
                await self._mark(connection)
                self._publish(update)
                return
        await self._load()

    async def _part(
        self,
        connection: Any,  # noqa: ANN401 - asyncpg's
        before: Valued,
        clients: frozenset[int],
        symbols: frozenset[str] | None,
    ) -> Update:
        """Return the book with some clients and symbols read anew."""
        known = before.holdings.book.symbols
        asked = set(known) if symbols is None or any(map(is_fx_symbol, symbols)) else set(symbols).intersection(known)
        asked |= await _held_by(connection, clients) - set(known)
        holdings, marked = before.holdings, np.zeros(len(known), np.bool_)
        if asked:
            table = await read_symbols(connection, asked, base_currency=self._base_currency)
            holdings, marked = with_symbols(holdings, table)
        index = {symbol: position for position, symbol in enumerate(holdings.book.symbols)}
        fresh = await read_clients(connection, clients, index=index) if clients else None
        with metrics.REVALUATION_SECONDS.labels("touched").time():
            return await asyncio.to_thread(_updated, before, holdings, marked, clients, fresh)

    async def _mark(self, connection: Any) -> None:  # noqa: ANN401 - asyncpg's
        """Remember what the snapshot sees: all but the changes of transactions that are still running."""
        self._horizon = await connection.fetchval(_HORIZON)
        self._applied = frozenset(row["id"] for row in await connection.fetch(_CHANGES, self._horizon))

    def _publish(self, update: Update) -> None:
        """Make the update current and tell everybody."""
        self._valued = update.after
        for listener in self._listeners:
            listener(update)


def _touched(rows: Sequence[Mapping[str, Any]]) -> _Touched:
    """Return what these changes touch together."""
    clients = [_decoded(row["client_ids"]) for row in rows]
    symbols = [_decoded(row["symbols"]) for row in rows]
    return _Touched(_union(clients), _union(symbols))


def _union(parts: Sequence[list[Any] | None]) -> frozenset[Any] | None:
    return None if None in parts else frozenset(value for part in parts if part is not None for value in part)


def _decoded(array: str | None) -> list[Any] | None:
    """Return a jsonb array as asyncpg gives it."""
    return None if array is None else list(json.loads(array))


async def _held_by(connection: Any, clients: frozenset[int]) -> set[str]:  # noqa: ANN401 - asyncpg's
    """Return the symbols that some clients hold."""
    query = "select distinct symbol from position where client_id = any($1::bigint[])"
    return {row["symbol"] for row in await connection.fetch(query, list(clients))} if clients else set()


def _updated(
    before: Valued, holdings: Holdings, marked: NDArray[np.bool_], clients: frozenset[int], fresh: Book | None
) -> Update:
    """Return the book at new prices, then with new clients; CPU-bound."""
    after, rows = before, np.empty(0, np.int64)
    if marked.any():
        rows = holders(holdings.book, marked)
        after = revalued(before, holdings, rows)
    if fresh is None:
        return Update(before, after, rows)
    changed, touched = np.array(sorted(clients), np.int64), holdings.book.client_ids[rows]
    after = with_clients(after, holdings, removed=changed, fresh=fresh)
    return Update(before, after, rows_of(after.holdings.book.client_ids, [touched, changed]), clients)
