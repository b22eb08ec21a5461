"""What waits for one subscriber of the stream: bounded, so that a slow reader costs no memory and delays no other."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final

from app.events.types import Ending, StreamEvent, SubscriptionRequest

#: Live figures that wait at most; the oldest give way.
_MOST_FIGURES: Final = 2_000
#: Durable events handed out at a time.
_BATCH: Final = 200


class Subscription:
    """
    Durable events in order, and the latest figure of each client and symbol, until they are taken.

    One that lets more than `queue_size` durable events wait is ended: what waits is still handed out, and the reader
    resumes behind it.
    """

    def __init__(self, request: SubscriptionRequest, *, queue_size: int) -> None:
        self.request = request
        #: Every wanted durable event up to this id was handed out.
        self.position = 0
        self.ending: Ending | None = None
        self._queue_size = queue_size
        self._events: deque[StreamEvent] = deque()
        self._figures: dict[tuple[str, int | str | None], StreamEvent] = {}
        self._woken = asyncio.Event()

    @property
    def is_caught_up(self) -> bool:
        """Return whether every wanted event that was offered was handed out, and none was turned away."""
        return not self._events and self.ending is None

    def offer(self, event: StreamEvent) -> None:
        """Queue a durable event; to be called in the order of ids."""
        assert event.id is not None, "a durable event has an id"
        if self.ending is None and event.id > self.position and self.request.filter.wants(event):
            if len(self._events) >= self._queue_size:
                self.end(Ending.SLOW)
            else:
                self._events.append(event)
                self._woken.set()

    def offer_figure(self, event: StreamEvent) -> None:
        """Queue a live figure, in place of an older one of the same client or symbol."""
        if self.ending is None and event.kind in self.request.filter.kinds:
            key = (event.kind, event.client_id if event.symbol is None else event.symbol)
            self._figures.pop(key, None)
            self._figures[key] = event
            if len(self._figures) > _MOST_FIGURES:
                del self._figures[next(iter(self._figures))]
            self._woken.set()

    def end(self, ending: Ending) -> None:
        """Accept nothing more; the first reason counts, but a reader that was signed out gets nothing more."""
        if self.ending is None or ending is Ending.SIGNED_OUT:
            self.ending = ending
            self._woken.set()

    async def take(self, seconds: float) -> list[StreamEvent] | None:
        """Return what waits, [] where nothing came for `seconds`, None at the end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        if self.ending is Ending.SIGNED_OUT:
            return None
        batch = [self._events.popleft() for _ in range(min(_BATCH, len(self._events)))]
        if batch:
            assert batch[-1].id is not None, "a durable event has an id"
            self.position = batch[-1].id
        if not self._events:
            batch += self._figures.values()
            self._figures.clear()
            if self.ending is None:
                self._woken.clear()
        return None if self.ending and not batch else batch
