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
from app.book.change_feed import Seen, look
from app.book.column_pool import Spares
from app.book.incremental import Renewal, renewed, with_symbols
from app.book.types import Holdings
from app.book.valuation import Valuation, Valued, value
from app.core import metrics
from app.core.symbols import is_fx_symbol
from app.database import sql
from app.database.bulk_read import snapshot
from app.database.sql import Connection

#: More touched clients than this, and loading everything is faster.
_MOST_CLIENTS: Final = 20_000
#: Changes are kept an hour; who has not looked for half of it loads everything.
_TRUST_SECONDS: Final = 1800

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
        self._next: asyncio.Task[None] | None = None
        self._valued: Valued | None = None
        self._spares = Spares()
        self._seen: Seen | None = None
        self._looked_at = 0.0
        self._listeners: list[Callable[[Update], None]] = []

    def listen(self, listener: Callable[[Update], None]) -> None:
        """Call `listener` after every update; it must not block."""
        self._listeners.append(listener)

    async def current(self) -> Valued:
        """
        Return the newest book, with every change that was committed before this call.

        However many wait, there are two looks at the database: one under way, and one that begins after it, which all
        who come meanwhile share. A caller that is cancelled cancels only its own waiting: a transaction that is torn
        off in its beginning would keep its connection for ever.
        """
        if self._next is None or self._next.done():
            self._next = asyncio.create_task(self._followed())
            self._next.add_done_callback(_look_at)
        await asyncio.shield(self._next)
        assert self._valued is not None, "the look that was waited for made one"
        return self._valued  # with all that listeners were told: one may have been published while this was waking up

    async def _followed(self) -> None:
        async with self._lock:
            self._next = None  # who comes from now on may know of what this look does not see
            before = self._valued
            if before is None or time.monotonic() - self._looked_at > _TRUST_SECONDS:
                await self._load()
            elif await self._is_behind():
                await self._follow(before)
            self._looked_at = time.monotonic()

    async def _is_behind(self) -> bool:
        """Return whether a change was committed that the columns do not have."""
        async with sql.acquire() as connection:
            found = await look(connection, self._seen)
        if found.news is None:
            self._seen = found.seen
        return found.news is not None

    async def _load(self) -> None:
        """Load everything."""
        started = time.perf_counter()
        async with snapshot() as connection:
            found = await look(connection, None)
            holdings = await read_book(connection, base_currency=self._base_currency)
        with metrics.REVALUATION_SECONDS.labels("all").time():
            valued = await asyncio.to_thread(value, holdings, self._valuation)
        self._publish(Update(self._valued, valued, None), found.seen)
        seconds = round(time.perf_counter() - started, 3)
        _log.info(
            "book loaded", clients=len(holdings.book.client_ids), positions=len(holdings.book.quantity), s=seconds
        )

    async def _follow(self, before: Valued) -> None:
        """Take over what changed since the last look."""
        async with snapshot() as connection:
            found = await look(connection, self._seen)
            news = found.news
            if news is None or news.clients is None or len(news.clients) > _MOST_CLIENTS:
                renewal = None
            else:
                renewal = await self._read(connection, before.holdings, news.clients, news.symbols)
        if renewal is None:
            await self._load()
            return
        with metrics.REVALUATION_SECONDS.labels("touched").time():
            update = await asyncio.to_thread(_updated, before, renewal, self._spares)
        self._publish(update, found.seen)

    async def _read(
        self,
        connection: Connection,
        holdings: Holdings,
        clients: frozenset[int],
        symbols: frozenset[str] | None,
    ) -> Renewal:
        """Read some clients and symbols anew."""
        read = await read_clients(connection, clients) if clients else None
        known = index_of(holdings.book.symbols).keys()
        asked = set(known) if symbols is None or any(map(is_fx_symbol, symbols)) else symbols & known
        asked |= read.symbols - known if read else set()
        marked = np.zeros(len(known), np.bool_)
        if asked:
            table = await read_symbols(connection, asked, base_currency=self._base_currency)
            holdings, marked = with_symbols(holdings, table)
        return Renewal(holdings, marked, clients, read.over(holdings.book.symbols) if read else None)

    def _publish(self, update: Update, seen: Seen) -> None:
        """Make the update current, with what it has seen, in one step: who is cancelled before leaves all as it was."""
        self._valued, self._seen = update.after, seen
        for listener in self._listeners:
            listener(update)


def _look_at(task: asyncio.Task[None]) -> None:
    """Look at a failure, which whoever still waits is told, so that asyncio does not complain where nobody does."""
    if not task.cancelled():
        task.exception()


def _updated(before: Valued, renewal: Renewal, spares: Spares) -> Update:
    after, rows = renewed(before, renewal, spares)
    return Update(before, after, rows, renewal.clients)
