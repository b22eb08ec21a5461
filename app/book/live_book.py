"""The resident book of this process: loaded once, then in step with every committed change."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from app.book.book_loader import index_of, read_book, read_clients, read_symbols
from app.book.change_feed import Watermark, poll
from app.book.column_pool import ColumnPool
from app.book.incremental import Delta, apply_delta, replace_symbols
from app.book.types import Holdings
from app.book.valuation import BookValuation, ValuationRules, value_book
from app.core import metrics
from app.core.symbols import is_fx_symbol
from app.database import sql
from app.database.bulk_read import snapshot
from app.database.sql import Connection

#: More changed clients than this, and loading everything is faster.
_MOST_CLIENTS: Final = 20_000
#: Changes are kept an hour; a process that has not polled for half of it loads everything.
_TRUST_SECONDS: Final = 1800

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Update:
    """
    The book before and after; `rows` of the new one that were valued again, None = all.

    `written` are clients whose positions, loan or rate were changed.
    """

    before: BookValuation | None
    after: BookValuation
    rows: NDArray[np.int64] | None
    written: frozenset[int] = frozenset()


class LiveBook:
    """
    A book source whose columns are resident.

    `current` first asks the database, in one cheap statement, whether anything was committed that the columns do not
    have, so that an answer is never older than an acknowledged write, whichever process made it. A change is known by
    its row in `book_change`; a row whose transaction was still running at the last poll is found by the next one,
    because every poll reads from the oldest transaction on that was running at the one before, the watermark's horizon.
    """

    def __init__(self, valuation: ValuationRules, *, base_currency: str, reuse_columns: bool = True) -> None:
        self._valuation = valuation
        self._base_currency = base_currency
        self._lock = asyncio.Lock()
        #: The poll that has not begun; callers that arrive meanwhile share it.
        self._next: asyncio.Task[None] | None = None
        self._valued: BookValuation | None = None
        self._pool = ColumnPool(reuse=reuse_columns)
        self._watermark: Watermark | None = None
        self._polled_at = 0.0
        self._listeners: list[Callable[[Update], None]] = []

    def listen(self, listener: Callable[[Update], None]) -> None:
        """Call `listener` after every update; it must not block."""
        self._listeners.append(listener)

    async def current(self) -> BookValuation:
        """
        Return the newest book, with every change that was committed before this call.

        However many callers wait, there are two polls: one under way, and one that begins after it, which all callers
        that arrive meanwhile share. A caller that is cancelled cancels only its own waiting: a transaction that is
        cancelled while it begins would keep its connection for ever.
        """
        if self._next is None or self._next.done():
            self._next = asyncio.create_task(self._followed())
            self._next.add_done_callback(_retrieve_failure)
        await asyncio.shield(self._next)
        assert self._valued is not None, "the poll that was awaited made one"
        return self._valued  # what listeners got last: an update may have been published while this was waking up

    async def _followed(self) -> None:
        async with self._lock:
            self._next = None  # a caller from now on may know of a commit that this poll does not see
            before = self._valued
            if before is None or time.monotonic() - self._polled_at > _TRUST_SECONDS:
                await self._load()
            elif await self._is_behind():
                await self._follow(before)
            self._polled_at = time.monotonic()

    async def _is_behind(self) -> bool:
        """Return whether a change was committed that the columns do not have."""
        async with sql.acquire() as connection:
            found = await poll(connection, self._watermark)
        if found.changed is None:
            self._watermark = found.watermark
        return found.changed is not None

    async def _load(self) -> None:
        """Load everything."""
        started = time.perf_counter()
        async with snapshot() as connection:
            found = await poll(connection, None)
            holdings = await read_book(connection, base_currency=self._base_currency)
        with metrics.REVALUATION_SECONDS.labels("all").time():
            valued = await asyncio.to_thread(value_book, holdings, self._valuation)
        self._publish(Update(self._valued, valued, None), found.watermark)
        seconds = round(time.perf_counter() - started, 3)
        _log.info(
            "book loaded", clients=len(holdings.book.client_ids), positions=len(holdings.book.quantity), s=seconds
        )

    async def _follow(self, before: BookValuation) -> None:
        """Apply what changed since the last poll."""
        async with snapshot() as connection:
            found = await poll(connection, self._watermark)
            changed = found.changed
            if changed is None or changed.clients is None or len(changed.clients) > _MOST_CLIENTS:
                delta = None
            else:
                delta = await self._read(connection, before.holdings, changed.clients, changed.symbols)
        if delta is None:
            await self._load()
            return
        with metrics.REVALUATION_SECONDS.labels("touched").time():
            update = await asyncio.to_thread(_updated, before, delta, self._pool)
        self._publish(update, found.watermark)

    async def _read(
        self,
        connection: Connection,
        holdings: Holdings,
        clients: frozenset[int],
        symbols: frozenset[str] | None,
    ) -> Delta:
        """Read some clients and symbols again."""
        read = await read_clients(connection, clients) if clients else None
        known = index_of(holdings.book.symbols).keys()
        asked = set(known) if symbols is None or any(map(is_fx_symbol, symbols)) else symbols & known
        asked |= read.symbols - known if read else set()
        marked = np.zeros(len(known), np.bool_)
        if asked:
            table = await read_symbols(connection, asked, base_currency=self._base_currency)
            holdings, marked = replace_symbols(holdings, table)
        return Delta(holdings, marked, clients, read.over(holdings.book.symbols) if read else None)

    def _publish(self, update: Update, watermark: Watermark) -> None:
        """Make an update current with its watermark, in one step: a cancellation before it changes nothing."""
        self._valued, self._watermark = update.after, watermark
        for listener in self._listeners:
            listener(update)


def _retrieve_failure(task: asyncio.Task[None]) -> None:
    """Retrieve a failure, which every waiting caller raises, so that asyncio logs none where no caller waits."""
    if not task.cancelled():
        task.exception()


def _updated(before: BookValuation, delta: Delta, pool: ColumnPool) -> Update:
    after, rows = apply_delta(before, delta, pool)
    return Update(before, after, rows, delta.clients)
