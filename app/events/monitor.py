"""
The streams of this process.

Durable events come by id from the table, read after a notification and every second anyway, so it does not matter
which process wrote them. One reader, `RecentEvents`, serves all subscribers, after `CatchUp` has brought each to the
events that it holds. Live figures come from the resident book by `LiveFeed`.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from app.auth.sessions import ended_sessions
from app.core.errors import ThrottledError, UnavailableError
from app.database.connections import DATABASE_DOWN
from app.database.notifications import Listener
from app.events import outbox as events_service
from app.events.catch_up import CatchUp
from app.events.live_feed import LiveFeed
from app.events.recent_events import PAGE, RecentEvents
from app.events.subscription import Subscription
from app.events.types import Ending, Stream, StreamEvent, SubscriptionRequest

#: Figures are published at most this often.
_PUBLISH_SECONDS: Final = 0.25
#: An event whose notification was lost is found this much later.
_POLL_SECONDS: Final = 1.0
#: A user that is deactivated is gone from its streams within 1 s.
_GUARD_SECONDS: Final = 0.4
_PRUNE_SECONDS: Final = 3600.0
_RETRY_SECONDS: Final = 0.5

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What streams may cost this process."""

    streams: int
    streams_per_user: int
    #: Durable events that wait for one subscriber.
    queue: int


class Hub:
    """Feeds every open stream; `run` it as a task."""

    def __init__(self, *, live_feed: LiveFeed, listener: Listener, limits: Limits) -> None:
        self._live_feed = live_feed
        self._limits = limits
        self._recent = RecentEvents(size=max(limits.queue, PAGE))
        self._catch_up = CatchUp(recent=self._recent, live_feed=live_feed, follow=self._follow)
        self._event_signal = listener.signal("event")
        self._book_signal = listener.signal("book")
        self._closed = False
        self._open: set[Subscription] = set()
        self._open_of: Counter[int] = Counter()
        #: Those that are offered new events, by the client that they want.
        self._following: defaultdict[int | None, set[Subscription]] = defaultdict(set)
        self._ready = asyncio.Event()

    async def run(self) -> None:
        """Feed the streams for ever; end it by cancelling."""
        async with asyncio.TaskGroup() as tasks:
            for step in (self._follow_events, self._follow_book, self._guard, self._prune):
                tasks.create_task(_repeat(step))

    def close(self) -> None:
        """End every stream, and open none any more."""
        self._closed = True
        for subscription in self._open:
            subscription.end(Ending.SHUTDOWN)

    @asynccontextmanager
    async def open(self, request: SubscriptionRequest) -> AsyncIterator[Stream]:
        """See `Streams.open`."""
        user_id = request.session.caller.user_id
        self._admit(user_id)
        subscription = Subscription(request, queue_size=self._limits.queue)
        self._open.add(subscription)
        self._open_of[user_id] += 1
        try:
            yield _Open(self, subscription)
        finally:
            self._open.discard(subscription)
            self._open_of.subtract([user_id])
            self._open_of += Counter()  # drops users without one
            following = self._following[request.filter.client_id]
            following.discard(subscription)
            if not following:
                del self._following[request.filter.client_id]

    def _admit(self, user_id: int) -> None:
        """
        Return if there is room for one more.

        Raises:
            ThrottledError: not for this user.
            UnavailableError: not in this process.
        """
        if self._closed:
            raise UnavailableError("The service is stopping. Connect again shortly.")
        if self._open_of[user_id] >= self._limits.streams_per_user:
            raise ThrottledError("You have too many open streams. Close one first.", retry_after=5)
        if len(self._open) >= self._limits.streams:
            raise UnavailableError("Too many streams are open. Try again shortly.", retry_after=5)

    async def batches(
        self, subscription: Subscription, *, patience_seconds: float
    ) -> AsyncGenerator[list[StreamEvent]]:
        """See `Stream`."""
        try:
            await self._ready.wait()
            async for page in self._catch_up.batches(subscription):
                yield page
        except DATABASE_DOWN:
            subscription.end(Ending.UNAVAILABLE)
        if not subscription.request.follow:
            subscription.end(Ending.COMPLETE)
        while (batch := await subscription.take(patience_seconds)) is not None:
            if subscription.is_caught_up:
                subscription.position = max(subscription.position, self._recent.position)
            yield batch

    def _follow(self, subscription: Subscription) -> None:
        """Offer each new event to a subscription from now on."""
        self._following[subscription.request.filter.client_id].add(subscription)

    async def _follow_events(self) -> None:
        """Offer the events that were committed since the last read."""
        if not self._ready.is_set():
            await self._recent.begin()
            self._ready.set()
        await self._event_signal.wait(_POLL_SECONDS)
        page = None
        while page is None or len(page) == PAGE:
            page = await self._recent.read()
            for event in page:
                for client_id in {None, event.client_id} & self._following.keys():
                    for subscription in self._following[client_id]:
                        subscription.offer(event)

    async def _follow_book(self) -> None:
        """Offer the figures that changed, not more often than every `_PUBLISH_SECONDS`."""
        await self._book_signal.wait(_POLL_SECONDS)
        await self._live_feed.publish_changes(self._open)
        await asyncio.sleep(_PUBLISH_SECONDS)

    async def _guard(self) -> None:
        """End the streams of sessions that ended."""
        await asyncio.sleep(_GUARD_SECONDS)
        ended = await ended_sessions({subscription.request.session for subscription in self._open})
        for subscription in self._open:
            if subscription.request.session in ended:
                subscription.end(Ending.SIGNED_OUT)

    async def _prune(self) -> None:
        await events_service.prune()
        await asyncio.sleep(_PRUNE_SECONDS)


class _Open:
    """An open stream, as routes see it."""

    def __init__(self, hub: Hub, subscription: Subscription) -> None:
        self._hub = hub
        self._subscription = subscription

    @property
    def position(self) -> int:
        """See `Stream`."""
        return self._subscription.position

    @property
    def ending(self) -> Ending | None:
        """See `Stream`."""
        return self._subscription.ending

    def batches(self, *, patience_seconds: float) -> AsyncGenerator[list[StreamEvent]]:
        """See `Stream`."""
        return self._hub.batches(self._subscription, patience_seconds=patience_seconds)


async def _repeat(step: Callable[[], Awaitable[None]]) -> None:
    """Run a step for ever, also through an outage of the database."""
    while True:
        try:
            await step()
        except DATABASE_DOWN as error:
            _log.warning("stream interrupted", step=step.__name__, error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(_RETRY_SECONDS)
        except Exception:  # noqa: BLE001 - logged; the loop outlives a bug
            _log.exception("unexpected error in the stream", step=step.__name__)
            await asyncio.sleep(_RETRY_SECONDS)
