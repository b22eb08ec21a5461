"""Keeps the prices of held symbols fresh, as often as there can be news."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from app.core.errors import ProviderError
from app.stocks import basis, late_splits
from app.stocks import service as stocks_service
from app.stocks.held_symbols import held_exchanges
from app.stocks.types import PriceFeed

#: How much slower while every exchange is closed, and the longest pause then.
_CLOSED_FACTOR: Final = 20
_LONGEST_SECONDS: Final = 300.0
#: Each pause differs by up to this fraction, so that many services do not ask at once.
_JITTER: Final = 0.1
#: Jumps that nothing explained are asked about again after so many pauses.
_SPLITS_FACTOR: Final = 4
#: A source that is silent this long counts as down, even if it has no time-out of its own.
_PATIENCE_SECONDS: Final = 120.0

#: A symbol that was never priced counts as having no price once the source said so this often.
_ABSENCES: Final = 2

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to ask."""

    seconds: float
    #: A replay has its own days: no exchange is closed, and every pause is the same.
    is_replay: bool = False


class Refresher:
    """Refreshes the prices of held symbols until it is cancelled; `run` it as a task."""

    def __init__(self, feed: PriceFeed, *, pace: Pace) -> None:
        self._feed = feed
        self._pace = pace
        self._failures = 0
        self._absences: Counter[str] = Counter()

    @property
    def unanswered(self) -> frozenset[str]:
        """Held symbols of which the source said, more than once in a row, that it has no price."""
        return frozenset(symbol for symbol, times in self._absences.items() if times >= _ABSENCES)

    async def run(self, after_refresh: Callable[[], Awaitable[None]]) -> None:
        """
        Refresh, call `after_refresh`, pause, and so on; end it by cancelling.

        `after_refresh` ends before the next refresh begins, so that it sees every day of a replay. A failing source is
        logged once per outage and asked at growing intervals until it answers.
        """
        while True:
            hint = await self._refresh()
            await after_refresh()
            await asyncio.sleep(await self._pause(hint))

    async def watch_splits(self) -> None:
        """Apply the splits that the source reports later than their prices, for ever; end it by cancelling."""
        while True:
            await asyncio.sleep(_jittered(self._pace.seconds * _SPLITS_FACTOR))
            await late_splits.apply_late(provider=self._feed.provider)

    async def _refresh(self) -> float:
        """Refresh once; return how many seconds the source asks us to wait."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                refreshed = await stocks_service.refresh_held(self._feed)
        except ProviderError as error:
            self._failures += 1
            if self._failures == 1:
                _log.warning("prices not refreshed; trying again until they are", error=str(error))
            return error.retry_after
        if self._failures:
            _log.info("prices refreshed again", failures=self._failures)
        self._failures = 0
        self._absences = Counter({symbol: self._absences[symbol] + 1 for symbol in refreshed.absent})
        return 0.0

    async def _pause(self, hint: float) -> float:
        """Return how long to wait."""
        if self._failures:
            backed_off = min(self._pace.seconds * 2 ** min(self._failures - 1, 10), _LONGEST_SECONDS)
            return _jittered(max(backed_off, hint))
        if self._pace.is_replay:
            return self._pace.seconds
        slow = max(self._pace.seconds, min(self._pace.seconds * _CLOSED_FACTOR, _LONGEST_SECONDS))
        exchanges = await held_exchanges()
        closed_for = await basis.seconds_until_open(exchanges, now=datetime.now(UTC))
        return _jittered(max(self._pace.seconds, min(slow, closed_for)))


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
