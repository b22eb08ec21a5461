"""Catch-up of a stream: the backlog behind the id that it resumes from, or a snapshot where that is not retained."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from app.events import outbox as events_service
from app.events.live_feed import LiveFeed
from app.events.recent_events import PAGE, RecentEvents
from app.events.subscription import Subscription
from app.events.types import OPEN, RESYNC, EventKind, Filter, StreamEvent


class CatchUp:
    """
    Brings subscriptions to the newest event.

    One that resumes from further back than `RecentEvents` holds reads the table by itself until it reaches those.
    """

    def __init__(self, *, recent: RecentEvents, live_feed: LiveFeed, follow: Callable[[Subscription], None]) -> None:
        """Take the recent events, and what offers a subscription each new one; no await may lie between the two."""
        self._recent = recent
        self._live_feed = live_feed
        self._follow = follow

    async def batches(self, subscription: Subscription) -> AsyncIterator[list[StreamEvent]]:
        """Yield the first event, the backlog and the figures of now; from then on each new event is offered."""
        yield [await self._first_event(subscription)]
        async for page in self._backlog(subscription):
            if page:
                yield page
        if subscription.request.filter.is_live and subscription.ending is None:
            yield await self._live_feed.snapshot(subscription.request.filter)

    async def _first_event(self, subscription: Subscription) -> StreamEvent:
        """Return the event that says where a subscription begins: behind the id it asked for, else at the newest."""
        request, now = subscription.request, datetime.now(UTC)
        retained = await events_service.retained()
        if request.after is None or retained.covers(request.after):
            subscription.position = self._recent.position if request.after is None else request.after
            kind, data = OPEN, dict[str, Any]()
        else:
            subscription.position = self._recent.position
            kind, data = RESYNC, await self._snapshot(request.filter)
            data |= {"requested": request.after, "oldest": retained.oldest, "newest": retained.newest}
        return StreamEvent(kind=kind, at=now, id=subscription.position, client_id=request.filter.client_id, data=data)

    async def _snapshot(self, wanted: Filter) -> dict[str, Any]:
        """Return the state of clients and their open margin calls, which lost events would have given."""
        margins = await self._live_feed.snapshot(replace(wanted, kinds=frozenset({EventKind.MARGIN})))
        states = [{"clientId": margin.client_id, "state": margin.data["state"]} for margin in margins]
        return {"states": states, "margin_calls": await events_service.open_calls(client_id=wanted.client_id)}

    async def _backlog(self, subscription: Subscription) -> AsyncIterator[list[StreamEvent]]:
        """Yield stored events until the recent events hold the rest; then let the subscription follow."""
        wanted = subscription.request.filter
        while subscription.ending is None:
            recent = self._recent.since(subscription.position)
            if recent is not None:
                subscription.position = max(subscription.position, self._recent.position)
                self._follow(subscription)
                yield [event for event in recent if wanted.wants(event)]
                return
            upto = self._recent.position
            page = await events_service.read_after(subscription.position, upto=upto, wanted=wanted, limit=PAGE)
            last = page[-1].id if len(page) == PAGE else upto
            assert last is not None, "a durable event has an id"
            subscription.position = last
            yield page
