"""Keeps calls and states in step with the resident book: finds clients that need a review, and has them reviewed."""

import asyncio
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

from app.book.live_book import LiveBook, Update
from app.book.valuation import rows_of
from app.database.connections import DATABASE_DOWN
from app.margin_calls import recording
from app.margin_calls import review as call_review
from app.margin_calls.business_days import close_after
from app.margin_calls.reviewed_state import ReviewedState, WorkList, load_monitor_state
from app.margin_calls.types import CallSettings
from app.stocks.service import PriceDoubt, doubts_now

Item = TypeVar("Item")

#: Clients that one transaction locks: their trades wait for it.
_BATCH: Final = 100
#: Rows of one statement that locks no client.
_LIGHT_BATCH: Final = 2000

_log = structlog.get_logger(__name__)


class Reviewer:
    """
    Follows a book from `start` to `stop`; `catch_up` does what there is to do.

    Between two calls of `catch_up` it remembers which clients the book valued again, so that a price change costs
    what it touches.

    A client that is written to is not reviewed for `settle_seconds`, since a change often comes in steps: a loan
    first, then the positions that it paid for. A price that moves meanwhile does not wait.
    """

    def __init__(self, book: LiveBook, *, settings: CallSettings, settle_seconds: float = 0) -> None:
        self._book = book
        self._settings = settings
        self._settle_seconds = settle_seconds
        #: When to review clients that were written to.
        self._settling: dict[int, float] = {}
        self._lock = asyncio.Lock()
        self._reviewed: ReviewedState | None = None
        #: Client ids; None = all.
        self._touched: list[NDArray[np.int64]] | None = None
        #: What is in doubt about prices, as of the last `catch_up`, and symbols of which the source has no price.
        self._doubts: dict[str, PriceDoubt] = {}
        self._unanswered: frozenset[str] = frozenset()
        self._news: set[str] = set()
        book.listen(self._updated)

    async def start(self) -> None:
        """Take over: read what is stored, and check every client at the next `catch_up`."""
        await close_after(await self._settings.clock(), days=1)  # loads the calendar before a call needs it
        valued = await self._book.current()
        stored = await load_monitor_state()
        self._touched = None
        self._reviewed = ReviewedState(
            valued.holdings.book.client_ids,
            states=stored.states,
            outstanding=stored.outstanding,
            watched=stored.watched,
        )

    def stop(self) -> None:
        """Forget everything; another process goes on."""
        self._reviewed = None
        self._touched = None
        self._doubts, self._unanswered = {}, frozenset()
        self._settling.clear()

    def set_unanswered(self, symbols: Collection[str]) -> None:
        """Take the held symbols of which the source said, more than once, that it has no price."""
        self._news |= self._unanswered ^ frozenset(symbols)
        self._unanswered = frozenset(symbols)

    async def catch_up(self, *, recheck: bool = False) -> None:
        """
        Bring calls and states in step with every change that was committed before this call.

        Args:
            recheck: review unconfirmed calls again: their prices may be fresh now, and the same.
        """
        async with self._lock:
            reviewed = self._reviewed
            assert reviewed is not None, "started"
            needed = await self._needed(reviewed, recheck=recheck)
            for clients in _batches(needed.review, _BATCH):
                await self._review(clients, reviewed)
            for part in _batches(needed.follow.items(), _LIGHT_BATCH):
                followed = dict(part)
                relieved = await call_review.follow(followed)
                reviewed.set_followed(followed)
                for clients in _batches(relieved, _BATCH):
                    await self._review(clients, reviewed)
            for states in map(dict, _batches(needed.states.items(), _LIGHT_BATCH)):
                await recording.publish_states(states, now=await self._settings.clock())
                reviewed.set_states(states)

    async def _needed(self, reviewed: ReviewedState, *, recheck: bool) -> WorkList:
        """Return what clients need; the book is released, so that a later one can be made in its memory."""
        doubts = await doubts_now()
        valued = await self._book.current()
        touched, self._touched = self._touched, []
        changed = {symbol for symbol in doubts.keys() | self._doubts if doubts.get(symbol) != self._doubts.get(symbol)}
        changed |= self._news
        self._doubts, self._news = doubts, set()
        ids = valued.holdings.book.client_ids
        rows = np.arange(len(ids)) if touched is None else rows_of(ids, [*touched, self._settled()])
        if recheck:
            rows = rows_of(ids, [ids[rows], reviewed.watched()])
        in_question = frozenset(doubts) | self._unanswered
        return await asyncio.to_thread(reviewed.work_list, valued, rows, in_question=in_question, changed=changed)

    async def _review(self, client_ids: Sequence[int], reviewed: ReviewedState) -> None:
        """Review clients in one transaction; where that fails, one by one, so that no client holds up others."""
        try:
            reviewed.set_reviewed(
                await call_review.review(client_ids, settings=self._settings, unanswered=self._unanswered)
            )
        except DATABASE_DOWN:
            raise
        except Exception:  # noqa: BLE001 - logged whole; the other clients must go on
            if len(client_ids) == 1:
                _log.exception("a client's calls could not be reviewed", client_id=client_ids[0])
                return
            for client_id in client_ids:
                await self._review([client_id], reviewed)

    def _updated(self, update: Update) -> None:
        """Remember which clients an update of the book touched."""
        if self._reviewed is None or self._touched is None:
            return
        if update.rows is None:
            self._touched = None
            return
        touched = update.after.holdings.book.client_ids[update.rows]
        if self._settle_seconds:
            due = time.monotonic() + self._settle_seconds
            self._settling |= dict.fromkeys(update.written, due)
            touched = touched[~np.isin(touched, list(update.written))]
        self._touched.append(touched)

    def _settled(self) -> NDArray[np.int64]:
        """Return the clients that have not been written to for a while, each once."""
        now = time.monotonic()
        settled = [client_id for client_id, due in self._settling.items() if due <= now]
        for client_id in settled:
            del self._settling[client_id]
        return np.array(settled, np.int64)


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of at most `size` items."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
