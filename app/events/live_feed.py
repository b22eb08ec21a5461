"""Live figures of this process's streams: what changed in the resident book since they were last published."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from app.book.book_loader import index_of
from app.book.live_book import LiveBook, Update
from app.book.valuation import BookSource, BookValuation
from app.events import live_figures as figures
from app.events.live_figures import Difference
from app.events.subscription import Subscription
from app.events.types import Filter, StreamEvent


class LiveFeed:
    """
    Compares the book with the one last published, and offers the difference to the subscriptions that want it.

    In between it collects which clients a resident book valued again, so that the cost is theirs, not the book's.
    """

    def __init__(self, book: BookSource, *, currency: str) -> None:
        self._book = book
        self._currency = currency
        #: The book as it was published.
        self._published: BookValuation | None = None
        #: Clients that were valued again since then; None = all.
        self._touched: list[NDArray[np.int64]] | None = None
        self._snapshots: dict[Filter, list[StreamEvent]] = {}
        #: Weakly, so that a later book can be made in its memory.
        self._snapshots_of: Callable[[], BookValuation | None] = lambda: None
        self._listens = isinstance(book, LiveBook)
        if isinstance(book, LiveBook):
            book.listen(self._updated)

    async def snapshot(self, wanted: Filter) -> list[StreamEvent]:
        """Return the figures of now; subscribers that want the same get the same objects."""
        valued = await self._book.current()
        if self._published is None:
            self._published, self._touched = valued, []
        if self._snapshots_of() is not valued:
            self._snapshots_of, self._snapshots = ref(valued), {}
        key = Filter(client_id=wanted.client_id)
        if key not in self._snapshots:
            self._snapshots[key] = figures.snapshot(valued, key, currency=self._currency)
        return [event for event in self._snapshots[key] if event.kind in wanted.kinds]

    async def publish_changes(self, subscriptions: Collection[Subscription]) -> None:
        """Offer every figure that differs from the one last published."""
        wanting = [subscription for subscription in subscriptions if subscription.request.filter.is_live]
        if not wanting:
            self._published, self._snapshots = None, {}
            return
        after = await self._book.current()
        before, touched = self._published, self._touched if self._listens else None
        self._published, self._touched = after, []
        if before is None or before is after:
            return
        found = await asyncio.to_thread(figures.difference, before, after, touched)
        by_client: defaultdict[int | None, list[Subscription]] = defaultdict(list)
        for subscription in wanting:
            by_client[subscription.request.filter.client_id].append(subscription)
        self._offer(before, found, by_client)

    def _updated(self, update: Update) -> None:
        """Collect the clients that an update of the book valued again."""
        if self._published is None or update.rows is None:
            self._touched = None
        elif self._touched is not None:
            self._touched.append(update.after.holdings.book.client_ids[update.rows])

    def _offer(
        self, before: BookValuation, found: Difference, by_client: Mapping[int | None, Collection[Subscription]]
    ) -> None:
        """Offer figures to the subscriptions of every client, and to those of one."""
        at, after = datetime.now(UTC), found.after
        index = index_of(after.holdings.book.symbols)
        prices: dict[str, StreamEvent] = {}

        def price(symbol: str) -> StreamEvent:
            if symbol not in prices:
                prices[symbol] = figures.price_event(after, symbol, index[symbol], at, currency=self._currency)
            return prices[symbol]

        if everything := by_client.get(None):
            events = [price(symbol) for symbol in sorted(found.symbols)[: figures.MOST_PRICES]]
            rows = figures.most_urgent(after, found.rows)
            _offer_all(everything, events + [figures.margin_event(after, row, at) for row in rows.tolist()])
        changed = after.holdings.book.client_ids[found.rows]
        watched = np.array([client_id for client_id in by_client if client_id is not None], np.int64)
        for client_id in watched[np.isin(watched, changed)].tolist():
            held = figures.held_symbols(after, client_id).keys()
            moved = held & (found.symbols | (held - figures.held_symbols(before, client_id).keys()))
            row = figures.row_of(after, client_id)
            assert row is not None, "a changed client is in the book"
            events = [price(symbol) for symbol in sorted(moved)]
            _offer_all(by_client[client_id], [*events, figures.margin_event(after, row, at)])


def _offer_all(subscriptions: Collection[Subscription], events: list[StreamEvent]) -> None:
    for subscription in subscriptions:
        for event in events:
            subscription.offer_figure(event)
