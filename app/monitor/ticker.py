"""Live figures of this process's streams: what the resident book says now that it did not say a moment ago."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import numpy as np

from app.monitor.subscription import Subscription
from app.services import figures
from app.services.figures import Difference
from app.services.stream import Filter, StreamEvent
from app.services.valued import BookSource, Valued


class Ticker:
    """Compares the book with what it was at the last beat, and offers the difference to whom it concerns."""

    def __init__(self, book: BookSource, *, currency: str) -> None:
        self._book = book
        self._currency = currency
        self._told: Valued | None = None
        self._snapshots: dict[Filter, list[StreamEvent]] = {}
        self._snapshots_of: Valued | None = None

    async def snapshot(self, wanted: Filter) -> list[StreamEvent]:
        """Return the figures of now; many subscribers who want the same get the same objects."""
        valued = await self._book.current()
        self._told = self._told or valued
        if self._snapshots_of is not valued:
            self._snapshots_of, self._snapshots = valued, {}
        key = Filter(client_id=wanted.client_id)
        if key not in self._snapshots:
            self._snapshots[key] = figures.snapshot(valued, key, currency=self._currency)
        return [event for event in self._snapshots[key] if event.kind in wanted.kinds]

    async def beat(self, subscriptions: Collection[Subscription]) -> None:
        """Offer every figure that is another than at the last beat."""
        wanting = [subscription for subscription in subscriptions if subscription.wish.filter.is_live]
        if not wanting:
            self._told = self._snapshots_of = None
            self._snapshots = {}
            return
        after = await self._book.current()
        before, self._told = self._told, after
        if before is None or before is after:
            return
        found = await asyncio.to_thread(figures.difference, before, after)
        by_client: defaultdict[int | None, list[Subscription]] = defaultdict(list)
        for subscription in wanting:
            by_client[subscription.wish.filter.client_id].append(subscription)
        self._offer(before, found, by_client)

    def _offer(
        self, before: Valued, found: Difference, by_client: Mapping[int | None, Collection[Subscription]]
    ) -> None:
        """Offer figures to those who follow every client, and to those who follow one."""
        at, after = datetime.now(UTC), found.after
        index = {symbol: position for position, symbol in enumerate(after.holdings.book.symbols)}
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
