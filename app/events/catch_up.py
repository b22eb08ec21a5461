"""How a stream begins: where it asked to, with what it missed since, or anew where that is no longer kept."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from app.events import outbox as events_service
from app.events.live_feed import Ticker
from app.events.recent_events import PAGE, Tail
from app.events.subscription import Subscription
from app.events.types import OPEN, RESYNC, Filter, Kind, StreamEvent


class Beginning:
    """
    Takes subscriptions to the newest event.

    One that resumes from further back than the tail remembers reads the table by itself until it reaches that.
    """

    def __init__(self, *, tail: Tail, ticker: Ticker, follow: Callable[[Subscription], None]) -> None:
        """Take the tail, and what has a subscription offered each new event; no await may lie between the two."""
        self._tail = tail
        self._ticker = ticker
        self._follow = follow

    async def batches(self, subscription: Subscription) -> AsyncIterator[list[StreamEvent]]:
        """Yield where a stream begins, what it missed, and the figures of now; then it follows the tail."""
        yield [await self._opening(subscription)]
        async for page in self._missed(subscription):
            if page:
                yield page
        if subscription.wish.filter.is_live and subscription.ending is None:
            yield await self._ticker.snapshot(subscription.wish.filter)

    async def _opening(self, subscription: Subscription) -> StreamEvent:
        """Place a subscription where it asked to be, or else at the newest event; return an event that says where."""
        wish, now = subscription.wish, datetime.now(UTC)
        kept = await events_service.kept()
        if wish.after is None or kept.covers(wish.after):
            subscription.position = self._tail.position if wish.after is None else wish.after
            kind, data = OPEN, dict[str, Any]()
        else:
            subscription.position = self._tail.position
            kind, data = RESYNC, await self._whole(wish.filter)
            data |= {"requested": wish.after, "oldest": kept.oldest, "newest": kept.newest}
        return StreamEvent(kind=kind, at=now, id=subscription.position, client_id=wish.filter.client_id, data=data)

    async def _whole(self, wanted: Filter) -> dict[str, Any]:
        """Return what durable events would have told: where clients stand, and their open margin calls."""
        margins = await self._ticker.snapshot(replace(wanted, kinds=frozenset({Kind.MARGIN})))
        states = [{"clientId": margin.client_id, "state": margin.data["state"]} for margin in margins]
        return {"states": states, "margin_calls": await events_service.open_calls(client_id=wanted.client_id)}

    async def _missed(self, subscription: Subscription) -> AsyncIterator[list[StreamEvent]]:
        """Yield stored events until the tail remembers the rest; then let the subscription follow."""
        wanted = subscription.wish.filter
        while subscription.ending is None:
            recent = self._tail.since(subscription.position)
            if recent is not None:
                subscription.position = max(subscription.position, self._tail.position)
                self._follow(subscription)
                yield [event for event in recent if wanted.wants(event)]
                return
            upto = self._tail.position
            page = await events_service.read_after(subscription.position, upto=upto, wanted=wanted, limit=PAGE)
            last = page[-1].id if len(page) == PAGE else upto
            assert last is not None, "a durable event has an id"
            subscription.position = last
            yield page
