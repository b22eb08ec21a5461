"""The newest durable events, read from the table once for all subscribers of this process."""

from collections import deque
from datetime import UTC, datetime
from typing import Final

from app.core import metrics
from app.events import outbox as events_service
from app.events.types import StreamEvent

PAGE: Final = 500


class RecentEvents:
    """
    The durable events from some id on.

    Ids are given in the order of commits, so a reader that goes on from the last id that it has misses none.
    """

    def __init__(self, *, size: int) -> None:
        #: Every event up to this id was read, here or before this process began.
        self.position = 0
        self._size = size
        self._recent: deque[StreamEvent] = deque()
        #: Every event behind this id, up to `position`, is in `_recent`.
        self._floor = 0

    async def begin(self) -> None:
        """Begin at the newest event."""
        self.position = self._floor = (await events_service.retained()).newest

    async def read(self) -> list[StreamEvent]:
        """Return the next events, none where there are none yet; call again at once where it is a whole page."""
        page = await events_service.read_after(self.position, limit=PAGE)
        now = datetime.now(UTC)
        for event in page:
            metrics.EVENT_LAG_SECONDS.observe(max(0.0, (now - event.at).total_seconds()))
            assert event.id is not None, "a durable event has an id"
            self._recent.append(event)
            self.position = event.id
        while len(self._recent) > self._size:
            self._floor = self._recent.popleft().id or self._floor
        return page

    def since(self, after: int) -> list[StreamEvent] | None:
        """Return the events behind an id up to `position`, None where they are no longer held."""
        if after < self._floor:
            return None
        return [event for event in self._recent if (event.id or 0) > after]
