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
from app.services.book_read import read_book, read_clients, read_symbols
from app.services.copy import snapshot
from app.services.renewal import Renewal, renewed, with_symbols
from app.services.spare import Spares
from app.services.valued import Valuation, Valued, value
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


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a snapshot sees: of the transactions from `horizon` on, the changes `applied`; of those before, all."""

    horizon: int
    applied: frozenset[int]


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
        #: The look at the database that has not begun; who comes meanwhile waits for it too.
        self._next: asyncio.Task[Valued] | None = None
        self._valued: Valued | None = None
        self._spares = Spares()
        self._seen = _Seen(0, frozenset())
        self._looked_at = 0.0
        self._listeners: list[Callable[[Update], None]] = []

    def listen(self, listener: Callable[[Update], None]) -> None:
        """Call `listener` after every update; it must not block."""
        self._listeners.append(listener)

    async def current(self) -> Valued:
        """
        Return the book with every change that was committed before this call.

        However many wait, there are two looks at the database: one under way, and one that begins after it, which all
        who come meanwhile share. A caller that is cancelled cancels only its own waiting: a transaction that is torn
        off in its beginning would keep its connection for ever.
        """
        if self._next is None or self._next.done():
            self._next = asyncio.create_task(self._followed())
            self._next.add_done_callback(_look_at)
        return await asyncio.shield(self._next)

    async def _followed(self) -> Valued:
        async with self._lock:
            self._next = None  # who comes from now on may know of what this look does not see
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
        rows = await connections.get("default").execute_query_dict(_CHANGES, [self._seen.horizon])
        return any(row["id"] not in self._seen.applied for row in rows)

    async def _load(self) -> None:
        """Load everything."""
        started = time.perf_counter()
        async with snapshot() as connection:
            seen = await _seen(connection)
            holdings = await read_book(connection, base_currency=self._base_currency)
        with metrics.REVALUATION_SECONDS.labels("all").time():
            valued = await asyncio.to_thread(value, holdings, self._valuation)
        self._publish(Update(self._valued, valued, None), seen)
        seconds = round(time.perf_counter() - started, 3)
        _log.info(
            "book loaded", clients=len(holdings.book.client_ids), positions=len(holdings.book.quantity), s=seconds
        )

    async def _follow(self, before: Valued) -> None:
        """Take over what changed since the last look."""
        async with snapshot() as connection:
            rows = await connection.fetch(_CHANGES, self._seen.horizon)
            touched = _touched([row for row in rows if row["id"] not in self._seen.applied])
            if touched.clients is None or len(touched.clients) > _MOST_CLIENTS:
                part = None
            else:
                part = await self._read(connection, before, touched.clients, touched.symbols)
                seen = await _seen(connection)
        if part is None:
            await self._load()
            return
        with metrics.REVALUATION_SECONDS.labels("touched").time():
            update = await asyncio.to_thread(_updated, before, part, self._spares)
        self._publish(update, seen)

    async def _read(
        self,
        connection: Any,  # noqa: ANN401 - asyncpg's
        before: Valued,
        clients: frozenset[int],
        symbols: frozenset[str] | None,
    ) -> Renewal:
        """Read some clients and symbols anew."""
        known = before.holdings.book.symbols
        asked = set(known) if symbols is None or any(map(is_fx_symbol, symbols)) else set(symbols).intersection(known)
        asked |= await _held_by(connection, clients) - set(known)
        holdings, marked = before.holdings, np.zeros(len(known), np.bool_)
        if asked:
            table = await read_symbols(connection, asked, base_currency=self._base_currency)
            holdings, marked = with_symbols(holdings, table)
        index = {symbol: position for position, symbol in enumerate(holdings.book.symbols)}
        fresh = await read_clients(connection, clients, index=index) if clients else None
        return Renewal(holdings, marked, clients, fresh)

    def _publish(self, update: Update, seen: _Seen) -> None:
        """Make the update current, with what it has seen, in one step: who is cancelled before leaves all as it was."""
        self._valued, self._seen = update.after, seen
        for listener in self._listeners:
            listener(update)


def _look_at(task: asyncio.Task[Valued]) -> None:
    """Look at a failure, which whoever still waits is told, so that asyncio does not complain where nobody does."""
    if not task.cancelled():
        task.exception()


async def _seen(connection: Any) -> _Seen:  # noqa: ANN401 - asyncpg's
    horizon = await connection.fetchval(_HORIZON)
    return _Seen(horizon, frozenset(row["id"] for row in await connection.fetch(_CHANGES, horizon)))


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


def _updated(before: Valued, renewal: Renewal, spares: Spares) -> Update:
    after, rows = renewed(before, renewal, spares)
    return Update(before, after, rows, renewal.clients)
