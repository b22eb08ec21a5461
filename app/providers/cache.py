"""Caches quotes for a time to live, and coalesces concurrent requests for the same symbols."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from app.core.errors import ProviderError
from app.providers.types import PriceProvider, Quote, QuoteBatch, Refusal, ShareSplit, SplitSource


@dataclass(frozen=True, slots=True)
class _Entry:
    quote: Quote | None  # None: asked, and no usable price
    expires_at: float


class CachedProvider:
    """
    A `PriceProvider` that caches answers for `ttl_seconds` and coalesces requests that are under way.

    Unknown symbols are kept as long as prices are; failures are not kept. A caller that goes away does not cancel a
    request that others wait for. At most `max_symbols` answers are held; the oldest go first.
    """

    def __init__(
        self,
        source: PriceProvider,
        *,
        ttl_seconds: float,
        max_symbols: int = 20_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._ttl_seconds = ttl_seconds
        self._max_symbols = max_symbols
        self._clock = clock
        self._entries: dict[str, _Entry] = {}  # oldest first, so the first to expire comes first
        self._under_way: dict[str, asyncio.Task[QuoteBatch]] = {}

    async def fetch(self, symbols: Sequence[str]) -> QuoteBatch:
        """
        Return quotes at most `ttl_seconds` old.

        Raises:
            ProviderError: the source could not be asked about any of them.
        """
        answers = self._kept(symbols)
        requests = self._requests([symbol for symbol in dict.fromkeys(symbols) if symbol not in answers])
        if requests:
            # wait() leaves the tasks alone when its caller is cancelled: others may want their answers.
            await asyncio.wait(set(requests.values()))
        return _assemble(answers, requests)

    def forget(self, symbols: Sequence[str]) -> None:
        """Drop the cached answers for these symbols."""
        for symbol in symbols:
            self._entries.pop(symbol, None)

    async def splits(self, symbol: str, *, since: datetime) -> Sequence[ShareSplit]:
        """
        Return what the source says of splits, never from the cache; none where it knows of none.

        Raises:
            ProviderError: they could not be asked for.
        """
        return await self._source.splits(symbol, since=since) if isinstance(self._source, SplitSource) else ()

    async def aclose(self) -> None:
        """Cancel what is under way and close the source."""
        tasks = set(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._source.aclose()

    def _kept(self, symbols: Iterable[str]) -> dict[str, Quote | None]:
        now = self._clock()
        entries = ((symbol, self._entries.get(symbol)) for symbol in symbols)
        return {symbol: entry.quote for symbol, entry in entries if entry is not None and entry.expires_at > now}

    def _requests(self, symbols: Sequence[str]) -> dict[str, asyncio.Task[QuoteBatch]]:
        """Return the request that answers for each symbol: one under way, or one new one for all the others."""
        missing = [symbol for symbol in symbols if symbol not in self._under_way]
        if missing:
            task = asyncio.create_task(self._ask(missing))
            task.add_done_callback(partial(self._finish, missing))
            self._under_way.update(dict.fromkeys(missing, task))
        return {symbol: self._under_way[symbol] for symbol in symbols}

    async def _ask(self, symbols: Sequence[str]) -> QuoteBatch:
        batch = await self._source.fetch(symbols)
        self._keep({symbol: batch.quotes.get(symbol) for symbol in symbols if symbol not in batch.failed})
        return batch

    def _finish(self, symbols: Sequence[str], task: asyncio.Task[QuoteBatch]) -> None:
        for symbol in symbols:
            del self._under_way[symbol]
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not complain when every caller has gone

    def _keep(self, answers: dict[str, Quote | None]) -> None:
        now = self._clock()
        for symbol, quote in answers.items():
            self._entries.pop(symbol, None)
            self._entries[symbol] = _Entry(quote, now + self._ttl_seconds)
        while self._entries:
            oldest = next(iter(self._entries))
            if len(self._entries) <= self._max_symbols and self._entries[oldest].expires_at > now:
                break
            del self._entries[oldest]


def _assemble(answers: dict[str, Quote | None], requests: dict[str, asyncio.Task[QuoteBatch]]) -> QuoteBatch:
    """Add the outcome of finished requests to `answers`; raise if there is no answer at all."""
    failed = set()
    refused: dict[str, Refusal] = {}
    error: BaseException | None = None
    for symbol, task in requests.items():
        problem = ProviderError("The price source was closed.") if task.cancelled() else task.exception()
        if problem is not None or symbol in task.result().failed:
            failed.add(symbol)
            error = problem or error
        else:
            answers[symbol] = task.result().quotes.get(symbol)
            refused |= {symbol: task.result().refused[symbol]} if symbol in task.result().refused else {}
    if error is not None and not isinstance(error, ProviderError):
        raise error
    if error is not None and not answers:
        raise ProviderError(str(error), retry_after=error.retry_after) from error
    quotes = {symbol: quote for symbol, quote in answers.items() if quote is not None}
    return QuoteBatch(quotes=quotes, failed=frozenset(failed), refused=refused)
