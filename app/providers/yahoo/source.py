"""Prices from Yahoo Finance through yfinance: one request for many symbols, one by one when that is broken."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from app.core.errors import ProviderError
from app.core.executor import DaemonExecutor
from app.providers.breaker import CircuitBreaker
from app.providers.types import Quote, QuoteBatch, Refusal, ShareSplit
from app.providers.yahoo import client as yahoo_client
from app.providers.yahoo.client import BatchBrokenError
from app.providers.yahoo.records import (
    Record,
    canonical_symbol,
    quote_from_record,
    record_from_chart,
    refusal_of,
    splits_from_chart,
)

A = TypeVar("A")
T = TypeVar("T")

#: Yahoo has refused batches of between 65 and 100 symbols.
BATCH_SIZE = 50
_THREADS = 2


@dataclass(slots=True)
class _Gathered:
    """What one fetch has so far: answers (None: no usable price) and what went wrong."""

    answers: dict[str, Quote | None] = field(default_factory=dict)
    errors: list[ProviderError] = field(default_factory=list)
    refused: dict[str, Refusal] = field(default_factory=dict)

    def add(self, symbol: str, record: Record, now: datetime) -> None:
        """Take a record as the answer for a symbol."""
        self.answers[symbol] = quote_from_record(record, symbol=symbol, fetched_at=now)
        refusal = refusal_of(record)
        if refusal is not None:
            self.refused[symbol] = refusal


class YahooProvider:
    """
    A `PriceProvider` over the real yfinance, which blocks: it runs in two threads of its own.

    One request may take `call_seconds`, a whole fetch `deadline_seconds`; what has arrived by then is returned.
    """

    def __init__(
        self,
        *,
        call_seconds: float = 8.0,
        deadline_seconds: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._call_seconds = call_seconds
        self._deadline_seconds = deadline_seconds
        self._breaker = CircuitBreaker(clock=clock)
        self._executor = DaemonExecutor(_THREADS, name="yahoo")
        self._slots = asyncio.Semaphore(_THREADS)

    async def fetch(self, symbols: Sequence[str]) -> QuoteBatch:
        """
        Return the latest quotes of normalised symbols.

        Raises:
            ProviderError: nothing could be fetched at all.
        """
        wanted = list(dict.fromkeys(symbols))
        batches = [wanted[start : start + BATCH_SIZE] for start in range(0, len(wanted), BATCH_SIZE)]
        got = _Gathered()
        try:
            async with asyncio.timeout(self._deadline_seconds):
                await asyncio.gather(*(self._ask_batch(batch, got) for batch in batches))
        except TimeoutError:
            got.errors.append(ProviderError("Yahoo Finance takes too long."))
        if got.errors and not got.answers:
            raise max(got.errors, key=lambda error: error.retry_after)
        quotes = {symbol: quote for symbol, quote in got.answers.items() if quote is not None}
        return QuoteBatch(quotes=quotes, failed=frozenset(wanted) - got.answers.keys(), refused=got.refused)

    async def splits(self, symbol: str, *, since: datetime) -> Sequence[ShareSplit]:
        """
        Return the splits of a symbol that became effective after `since`, oldest first.

        Raises:
            ProviderError: they could not be asked for.
        """
        chart = await self._call(partial(yahoo_client.chart_splits, symbol), since)
        found = [] if chart is None else splits_from_chart(chart, symbol=symbol)
        return [split for split in found if split.effective > since]

    async def aclose(self) -> None:
        """Let the threads end; a request that is under way is not waited for."""
        self._executor.close()

    async def _ask_batch(self, batch: Sequence[str], got: _Gathered) -> None:
        """Add the answers for one batch; when its endpoint is broken, ask for each symbol on its own."""
        try:
            records = await self._call(yahoo_client.quote_records, batch)
        except BatchBrokenError:
            await self._ask_each(batch, got)
            return
        except ProviderError as error:
            got.errors.append(error)
            return
        now = datetime.now(UTC)
        records_by_symbol = {canonical_symbol(record.get("symbol")): record for record in records}
        omitted = []
        for symbol in batch:
            record = records_by_symbol.get(canonical_symbol(symbol))
            if record is None:
                omitted.append(symbol)
            else:
                got.add(symbol, record, now)
        if len(batch) - len(omitted) <= 1 < len(omitted):
            # The endpoint omits what it does not know, but has also been seen to answer for one symbol of many.
            await self._ask_each(omitted, got)
        else:
            got.answers.update(dict.fromkeys(omitted))

    async def _ask_each(self, symbols: Sequence[str], got: _Gathered) -> None:
        await asyncio.gather(*(self._ask_one(symbol, got) for symbol in symbols))

    async def _ask_one(self, symbol: str, got: _Gathered) -> None:
        try:
            meta = await self._call(yahoo_client.chart_meta, symbol)
        except ProviderError as error:
            got.errors.append(error)
            return
        now = datetime.now(UTC)
        record = None if meta is None else record_from_chart(meta, now=now)
        if record is None:
            got.answers[symbol] = None
        else:
            got.add(symbol, record, now)

    async def _call(self, function: Callable[[A], T], argument: A) -> T:
        """Run one blocking request in a thread, unless the breaker is open."""
        loop = asyncio.get_running_loop()
        async with self._slots:
            with self._breaker.attempt():
                try:
                    async with asyncio.timeout(self._call_seconds):
                        return await loop.run_in_executor(self._executor, function, argument)
                except TimeoutError as error:
                    raise ProviderError("Yahoo Finance takes too long.") from error
